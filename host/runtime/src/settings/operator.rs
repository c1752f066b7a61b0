//! What the operator of a machine says about all charms on it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{MostGrants, Settings, SettingsError, read};

/// Where the operator says it, unless the agent's environment names another
/// file in [`OPERATOR_VARIABLE`].
pub const OPERATOR_FILE: &str = "/etc/charmhost.toml";
/// The variable of the agent's environment that names another file.
pub const OPERATOR_VARIABLE: &str = "CHARMHOST_OPERATOR_FILE";

/// The most that charms get: what is not said is as the charm says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Operator {
    limits: MostLimits,
    grants: MostGrants,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct MostLimits {
    cpu_seconds: Option<f64>,
    memory_mib: Option<u32>,
    table_elements: Option<u32>,
    handles: Option<u32>,
    host_buffer_mib: Option<u32>,
}

impl Operator {
    /// Reads the operator's file; without it, nothing is narrowed.
    pub fn load(file: Option<PathBuf>) -> Result<Self, SettingsError> {
        let is_named = file.is_some();
        let path = file.unwrap_or_else(|| Path::new(OPERATOR_FILE).to_path_buf());
        let found: Option<Operator> = read(&path)?;
        match (found, is_named) {
            (Some(operator), _) => match operator.check() {
                Ok(()) => Ok(operator),
                Err(detail) => Err(SettingsError { path, detail }),
            },
            (None, false) => Ok(Operator::default()),
            // Whoever names a file wants it to count.
            (None, true) => Err(SettingsError {
                path,
                detail: format!("there is no such file; {OPERATOR_VARIABLE} names it"),
            }),
        }
    }

    /// What is wrong with it, if anything is: a limit that is none would lift
    /// the charm's own.
    fn check(&self) -> Result<(), String> {
        if self.limits.cpu_seconds.is_some_and(f64::is_nan) {
            return Err("limits.cpu-seconds must be a number".to_owned());
        }
        self.grants.check()?;
        self.narrow(&Settings::default()).check()
    }

    /// What a charm gets of what it wants.
    pub fn narrow(&self, settings: &Settings) -> Settings {
        let limits = &settings.limits;
        let most = &self.limits;
        let least = |own: u32, most: Option<u32>| most.map_or(own, |most| own.min(most));
        let mut narrowed = settings.clone();
        narrowed.limits.cpu_seconds = match most.cpu_seconds {
            Some(most) => most.min(limits.cpu_seconds),
            None => limits.cpu_seconds,
        };
        narrowed.limits.memory_mib = least(limits.memory_mib, most.memory_mib);
        narrowed.limits.table_elements = least(limits.table_elements, most.table_elements);
        narrowed.limits.handles = least(limits.handles, most.handles);
        narrowed.limits.host_buffer_mib = least(limits.host_buffer_mib, most.host_buffer_mib);
        narrowed.grants = settings.grants.narrowed(&self.grants);
        narrowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_what_is_less() {
        let operator: Operator =
            toml::from_str("[limits]\ncpu-seconds = 5\nmemory-mib = 4096\n").unwrap();
        let narrowed = operator.narrow(&Settings::default());
        assert_eq!(narrowed.limits.cpu_seconds, 5.0);
        assert_eq!(
            narrowed.limits.memory_mib,
            Settings::default().limits.memory_mib
        );
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("operator.toml");
        assert!(Operator::load(Some(file.clone())).is_err());
        std::fs::write(&file, "[grants]\nnetwork = []\n").unwrap();
        assert!(Operator::load(Some(file.clone())).is_ok());
        for (text, wanted) in [
            ("[grant]\n", "unknown field `grant`"),
            (
                "[limits]\ncpu-seconds = -1\n",
                "limits.cpu-seconds must be more than 0",
            ),
            (
                "[limits]\ncpu-seconds = nan\n",
                "limits.cpu-seconds must be a number",
            ),
            (
                "[limits]\nhandles = 0\n",
                "limits.handles must be 16 or more",
            ),
            ("[grants]\nread = [\"srv\"]\n", "grants.read has \"srv\""),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Operator::load(Some(file.clone())).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
