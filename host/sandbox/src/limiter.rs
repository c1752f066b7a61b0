//! Keeps a guest within its limits, and remembers which one it ran into.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::ResourceTableError;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};

use crate::limits::Limits;

/// How often the guest's processor time is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long the host may go on working for a guest that has used up its
/// processor time.
const GRACE: Duration = Duration::from_secs(2);

/// What wasmtime says of a call that passes too much; it has no type.
const HOST_BUFFER: &str = "fuel allocated for hostcalls has been exhausted";

/// A limit that the guest ran into.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Exceeded {
    /// Processor time.
    #[error("it used more than {0} s of processor time (limits.cpu-seconds in charmhost.toml)")]
    Cpu(f64),
    /// Memory.
    #[error(
        "it asked for {asked_mib} MiB of memory and may have {limit_mib} (limits.memory-mib in charmhost.toml)"
    )]
    Memory {
        /// What it would have had, in MiB.
        asked_mib: usize,
        /// What it may have, in MiB.
        limit_mib: u32,
    },
    /// Things of the host.
    #[error(
        "it holds more than {0} files, streams and connections (limits.handles in charmhost.toml)"
    )]
    Handles(u32),
    /// Memory of the host.
    #[error("one call passes more than {0} MiB (limits.host-buffer-mib in charmhost.toml)")]
    HostBuffer(u32),
    /// Table elements.
    #[error(
        "it asked for {asked} table elements and may have {limit} (limits.table-elements in charmhost.toml)"
    )]
    Table {
        /// What it would have had.
        asked: usize,
        /// What it may have.
        limit: u32,
    },
}

/// Counts what a guest has.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    memory: usize,
    tables: usize,
    exceeded: Option<Exceeded>,
}

impl Limiter {
    /// A limiter with nothing used.
    pub fn new(limits: Limits) -> Self {
        Limiter {
            limits,
            memory: 0,
            tables: 0,
            exceeded: None,
        }
    }

    /// The last limit the guest ran into.
    pub fn exceeded(&self) -> Option<&Exceeded> {
        self.exceeded.as_ref()
    }

    /// What one call can make the host hold, in bytes.
    pub fn host_buffer(&self) -> usize {
        self.limits.host_buffer()
    }

    /// Finds out whether an error comes from a limit that others watch over.
    pub fn explain(&mut self, error: &wasmtime::Error) {
        let full = error.downcast_ref::<ResourceTableError>();
        if matches!(full, Some(ResourceTableError::Full)) {
            self.exceeded = Some(Exceeded::Handles(self.limits.handles));
        } else if error.root_cause().to_string().contains(HOST_BUFFER) {
            self.exceeded = Some(Exceeded::HostBuffer(self.limits.host_buffer_mib));
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        if total > self.limits.memory() {
            self.exceeded = Some(Exceeded::Memory {
                asked_mib: total.div_ceil(1 << 20),
                limit_mib: self.limits.memory_mib,
            });
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_sub(current).saturating_add(desired);
        if u32::try_from(total).map_or(true, |total| total > self.limits.table_elements) {
            self.exceeded = Some(Exceeded::Table {
                asked: total,
                limit: self.limits.table_elements,
            });
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }
}

/// Ends the guest when it has used up its processor time.
///
/// The time of the calling thread counts, on which guest and host functions
/// run one after the other: time spent asleep is free. The guest is stopped
/// where it runs; the host's own work for it is not, and if that goes on for
/// two seconds after the limit, `overrun` is called on another thread and has to
/// end the process.
pub fn limit_cpu<T: 'static>(
    store: &mut Store<T>,
    engine: &Engine,
    limiter: impl Fn(&mut T) -> &mut Limiter + Send + Sync + 'static,
    overrun: impl FnOnce(&Exceeded) + Send + 'static,
) -> std::io::Result<()> {
    let start = cpu_time(ClockId::ThreadCPUTime);
    let limits = limiter(store.data_mut()).limits.clone();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| {
        let limiter = limiter(context.data_mut());
        if cpu_time(ClockId::ThreadCPUTime).saturating_sub(start) < limiter.limits.cpu() {
            return Ok(UpdateDeadline::Continue(1));
        }
        let exceeded = Exceeded::Cpu(limiter.limits.cpu_seconds);
        limiter.exceeded = Some(exceeded.clone());
        Err(wasmtime::Error::new(exceeded))
    });
    let engine = engine.weak();
    let start = cpu_time(ClockId::ProcessCPUTime);
    let hard = limits.cpu().saturating_add(GRACE);
    std::thread::Builder::new()
        .name("cpu-limit".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
                if cpu_time(ClockId::ProcessCPUTime).saturating_sub(start) > hard {
                    overrun(&Exceeded::Cpu(limits.cpu_seconds));
                    return;
                }
            }
        })?;
    Ok(())
}

fn cpu_time(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        Limiter::new(Limits {
            memory_mib: 2,
            table_elements: 10,
            ..Limits::default()
        })
    }

    #[test]
    fn memories_count_together() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(!limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert_eq!(
            limiter.exceeded().unwrap().to_string(),
            "it asked for 3 MiB of memory and may have 2 (limits.memory-mib in charmhost.toml)"
        );
    }

    #[test]
    fn a_memory_that_grows_is_counted_once() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert_eq!(limiter.exceeded(), None);
    }

    #[test]
    fn tables_count_together() {
        let mut limiter = limiter();
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert!(
            limiter
                .exceeded()
                .unwrap()
                .to_string()
                .contains("11 table elements")
        );
    }
}
