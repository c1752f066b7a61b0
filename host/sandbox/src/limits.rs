//! `[limits]`: what a guest may use of the machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of one session, `[limits]` of `charmhost.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Processor time of the guest and of the host's work for it, in seconds.
    /// Time spent waiting (for a hook tool, for a command in a container) does
    /// not count.
    pub cpu_seconds: f64,
    /// Memory of the guest, in MiB, all its linear memories together.
    pub memory_mib: u32,
    /// Elements of the guest's tables, all together.
    pub table_elements: u32,
    /// Host resources that the guest can hold at one time: open files, streams,
    /// connections, commands.
    pub handles: u32,
    /// Memory that the host uses for one call of the guest, in MiB.
    pub host_buffer_mib: u32,
    /// Memory that the host holds for the guest, all together, and log lines of
    /// the guest, in MiB.
    pub host_memory_mib: u32,
    /// Disk space that the guest uses in addition, in MiB.
    pub disk_mib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            cpu_seconds: 60.0,
            memory_mib: 512,
            table_elements: 1_000_000,
            handles: 10_000,
            host_buffer_mib: 128,
            host_memory_mib: 256,
            disk_mib: 1024,
        }
    }
}

/// `[limits]` of the operator's policy: the highest limits that a charm gets. A
/// limit that is not named is not lowered.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitPolicy {
    cpu_seconds: Option<f64>,
    memory_mib: Option<u32>,
    table_elements: Option<u32>,
    handles: Option<u32>,
    host_buffer_mib: Option<u32>,
    host_memory_mib: Option<u32>,
    disk_mib: Option<u32>,
    /// Timeout of a hook tool call, in seconds. Without it a call waits until Juju
    /// answers.
    hook_tool_seconds: Option<f64>,
}

fn mebibytes(count: u32) -> usize {
    usize::try_from(count)
        .unwrap_or(usize::MAX)
        .saturating_mul(1 << 20)
}

impl Limits {
    /// Processor time that the guest may use.
    pub fn cpu(&self) -> Duration {
        Duration::try_from_secs_f64(self.cpu_seconds).unwrap_or(Duration::MAX)
    }

    /// Host resources that the guest can hold.
    pub fn handles(&self) -> usize {
        usize::try_from(self.handles).unwrap_or(usize::MAX)
    }

    /// Memory that the host uses for one call of the guest, in bytes.
    pub fn host_buffer(&self) -> usize {
        mebibytes(self.host_buffer_mib)
    }

    /// Memory that the host holds for the guest, in bytes.
    pub fn host_memory(&self) -> usize {
        mebibytes(self.host_memory_mib)
    }

    /// Disk space that the guest may use in addition, in bytes.
    pub fn disk(&self) -> u64 {
        u64::from(self.disk_mib) << 20
    }

    /// Memory that the guest may use, in bytes.
    pub fn memory(&self) -> usize {
        mebibytes(self.memory_mib)
    }

    /// Rejects limits under which no guest can run.
    pub fn check(&self) -> Result<(), String> {
        if !self.cpu_seconds.is_finite() || self.cpu_seconds <= 0.0 {
            return Err(format!(
                "limits.cpu-seconds must be more than 0, not {}",
                self.cpu_seconds
            ));
        }
        if self.memory_mib == 0 || self.memory_mib > 4096 {
            return Err(format!(
                "limits.memory-mib must be from 1 to 4096, not {}",
                self.memory_mib
            ));
        }
        if self.handles < 16 {
            return Err(format!(
                "limits.handles must be 16 or more, not {}",
                self.handles
            ));
        }
        for (name, value) in [
            ("table-elements", self.table_elements),
            ("host-buffer-mib", self.host_buffer_mib),
            ("host-memory-mib", self.host_memory_mib),
            ("disk-mib", self.disk_mib),
        ] {
            if value == 0 {
                return Err(format!("limits.{name} must be more than 0"));
            }
        }
        Ok(())
    }
}

impl LimitPolicy {
    /// Rejects a policy under which no guest can run.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("cpu-seconds", self.cpu_seconds),
            ("hook-tool-seconds", self.hook_tool_seconds),
        ] {
            if value.is_some_and(f64::is_nan) {
                return Err(format!("limits.{name} must be a number"));
            }
        }
        match self.hook_tool_seconds {
            Some(seconds) if seconds <= 0.0 || !seconds.is_finite() => Err(format!(
                "limits.hook-tool-seconds must be more than 0, not {seconds}"
            )),
            _ => self.lower(&Limits::default()).check(),
        }
    }

    /// Timeout of a hook tool call, if there is one.
    pub fn hook_tool(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.hook_tool_seconds?).ok()
    }

    /// Lowers the limits of a charm to those of the policy.
    pub fn lower(&self, limits: &Limits) -> Limits {
        let least = |own: u32, policy: Option<u32>| policy.map_or(own, |policy| own.min(policy));
        Limits {
            cpu_seconds: match self.cpu_seconds {
                Some(policy) => policy.min(limits.cpu_seconds),
                None => limits.cpu_seconds,
            },
            memory_mib: least(limits.memory_mib, self.memory_mib),
            table_elements: least(limits.table_elements, self.table_elements),
            handles: least(limits.handles, self.handles),
            host_buffer_mib: least(limits.host_buffer_mib, self.host_buffer_mib),
            host_memory_mib: least(limits.host_memory_mib, self.host_memory_mib),
            disk_mib: least(limits.disk_mib, self.disk_mib),
        }
    }
}
