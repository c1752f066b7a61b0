//! `charmhost.toml`: what a charm states about how it wants to be run, and what
//! the operator of its machine leaves of it.

mod grants;
mod operator;
mod peer;

pub use grants::{Grants, MostGrants};
pub use operator::{OPERATOR_FILE, OPERATOR_VARIABLE, Operator};
pub use peer::Peer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The file's name, beside `dispatch` in the charm.
pub const FILE_NAME: &str = "charmhost.toml";

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {detail}")]
pub struct SettingsError {
    path: PathBuf,
    detail: String,
}

/// How a charm wants to be run. Everything is optional.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// How much the guest may use.
    pub limits: Limits,
    /// How local state is kept.
    pub state: StateSettings,
    /// What the charm may do beyond its sandbox.
    pub grants: Grants,
}

/// How deferred events and what the charm remembers are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StateSettings {
    /// Where.
    pub storage: Storage,
    /// When what a dispatch changed counts.
    pub mode: Mode,
}

/// Where local state is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// In the charm's directory, as ops does.
    #[default]
    File,
    /// By Juju's controller, with `state-set`; it outlives the pod.
    Juju,
}

/// When what a dispatch changed in the local state counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As soon as it is written, as with ops.
    #[default]
    Immediate,
    /// If, and only if, Juju has applied what the dispatch wrote: relation
    /// data, secrets, ports. (What Juju keeps itself always counts with it.)
    Atomic,
}

/// How much a guest may use of what it shares with the machine.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Processor time of the guest, in seconds. Time spent waiting (for a hook
    /// tool, for a command in a container) does not count.
    pub cpu_seconds: f64,
    /// Memory of the guest, in MiB, all its linear memories together.
    pub memory_mib: u32,
    /// Elements of the guest's tables, all together.
    pub table_elements: u32,
    /// Things of the host that the guest can hold at one time: open files,
    /// streams, connections, commands.
    pub handles: u32,
    /// What one call of the guest can make the host hold in memory, in MiB.
    pub host_buffer_mib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            cpu_seconds: 60.0,
            memory_mib: 512,
            table_elements: 1_000_000,
            handles: 10_000,
            host_buffer_mib: 128,
        }
    }
}

impl Limits {
    /// The processor time that the guest may use.
    pub fn cpu(&self) -> Duration {
        Duration::try_from_secs_f64(self.cpu_seconds).unwrap_or(Duration::MAX)
    }

    /// How many things of the host the guest can hold.
    pub fn handles(&self) -> usize {
        usize::try_from(self.handles).unwrap_or(usize::MAX)
    }

    /// What one call of the guest can make the host hold, in bytes.
    pub fn host_buffer(&self) -> usize {
        usize::try_from(self.host_buffer_mib)
            .unwrap_or(usize::MAX)
            .saturating_mul(1 << 20)
    }

    /// The memory that the guest may use, in bytes.
    pub fn memory(&self) -> usize {
        usize::try_from(self.memory_mib)
            .unwrap_or(usize::MAX)
            .saturating_mul(1 << 20)
    }
}

impl Settings {
    /// Reads the settings of a charm; a charm without the file gets the
    /// defaults.
    pub fn load(charm_dir: &Path) -> Result<Self, SettingsError> {
        let path = charm_dir.join(FILE_NAME);
        let settings: Settings = read(&path)?.unwrap_or_default();
        settings
            .check()
            .map_err(|detail| SettingsError { path, detail })?;
        Ok(settings)
    }

    /// The settings in the text of a file, which is named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let settings: Settings = parse(path, text)?;
        let path = path.to_path_buf();
        settings
            .check()
            .map_err(|detail| SettingsError { path, detail })?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        let limits = &self.limits;
        if !limits.cpu_seconds.is_finite() || limits.cpu_seconds <= 0.0 {
            return Err(format!(
                "limits.cpu-seconds must be more than 0, not {}",
                limits.cpu_seconds
            ));
        }
        if limits.memory_mib == 0 || limits.memory_mib > 4096 {
            return Err(format!(
                "limits.memory-mib must be from 1 to 4096, not {}",
                limits.memory_mib
            ));
        }
        if limits.table_elements == 0 {
            return Err("limits.table-elements must be more than 0".to_owned());
        }
        if limits.handles < 16 {
            return Err(format!(
                "limits.handles must be 16 or more, not {}",
                limits.handles
            ));
        }
        if limits.host_buffer_mib == 0 {
            return Err("limits.host-buffer-mib must be more than 0".to_owned());
        }
        self.grants.check()
    }
}

/// Reads a file in TOML; none if there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, SettingsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SettingsError {
            path: path.to_path_buf(),
            detail: error.to_string(),
        }),
    }
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError {
        path: path.to_path_buf(),
        detail: error.to_string().trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
        Settings::load(dir.path()).map_err(|error| {
            error
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR")
        })
    }

    #[test]
    fn a_charm_without_the_file_gets_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Settings::load(dir.path()).unwrap(), Settings::default());
        assert_eq!(read("").unwrap(), Settings::default());
    }

    #[test]
    fn limits_are_read_one_by_one() {
        let settings = read("[limits]\ncpu-seconds = 1.5\nmemory-mib = 64\n").unwrap();
        assert_eq!(settings.limits.cpu(), Duration::from_millis(1500));
        assert_eq!(settings.limits.memory(), 64 << 20);
        assert_eq!(
            settings.limits.table_elements,
            Limits::default().table_elements
        );
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        for (text, wanted) in [
            ("[limits]\ncpu = 1", "unknown field `cpu`"),
            ("[limit]\n", "unknown field `limit`"),
            (
                "[limits]\ncpu-seconds = 0",
                "limits.cpu-seconds must be more than 0",
            ),
            (
                "[limits]\ncpu-seconds = nan",
                "limits.cpu-seconds must be more than 0",
            ),
            (
                "[limits]\nmemory-mib = 0",
                "limits.memory-mib must be from 1 to 4096",
            ),
            (
                "[limits]\nmemory-mib = 5000",
                "limits.memory-mib must be from 1 to 4096",
            ),
            (
                "[limits]\ntable-elements = 0",
                "limits.table-elements must be more than 0",
            ),
            ("[limits]\nhandles = 3", "limits.handles must be 16 or more"),
            ("[state]\nmode = \"never\"", "unknown variant `never`"),
            (
                "[grants]\nread = [\"etc\"]",
                "grants.read has \"etc\", which is not an absolute path",
            ),
            (
                "[grants]\nwrite = [\"/srv/../etc\"]",
                "grants.write has \"/srv/../etc\"",
            ),
            (
                "[grants]\nnetwork = [\"example.com\"]",
                "\"example.com\" is not a host and a port",
            ),
            ("[limits", "cannot read DIR/charmhost.toml"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.contains(wanted),
                "{text:?} gave {error:?}, not {wanted:?}"
            );
        }
    }
}
