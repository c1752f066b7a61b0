//! `charmhost.toml`: the settings of a charm, narrowed by the operator's policy.

use std::path::Path;

use charmhost_sandbox::{
    Grants, HookToolSettings, Limits, OperatorPolicy, SettingsError, parse, read,
};
use charmhost_store::StateSettings;
use serde::{Deserialize, Serialize};

/// The name of the file beside `dispatch` in the charm.
pub const FILE_NAME: &str = "charmhost.toml";

/// The settings of a charm. All of them are optional.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What the guest may use of the machine.
    pub limits: Limits,
    /// How local state is persisted.
    pub state: StateSettings,
    /// Exceptions from the sandbox.
    pub grants: Grants,
    /// How hook tools are called.
    pub hook_tools: HookToolSettings,
}

impl Settings {
    /// Reads the settings of a charm; a charm without the file gets the
    /// defaults.
    pub fn load(charm_dir: &Path) -> Result<Self, SettingsError> {
        let path = charm_dir.join(FILE_NAME);
        let settings: Settings = read(&path)?.unwrap_or_default();
        settings.checked(&path)
    }

    /// Parses the text of a file, whose path is part of errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let settings: Settings = parse(path, text)?;
        settings.checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self, SettingsError> {
        let checked = self.limits.check().and_then(|()| self.grants.check());
        match checked {
            Ok(()) => Ok(self),
            Err(detail) => Err(SettingsError::new(path, detail)),
        }
    }

    /// The settings as far as an operator's policy allows them.
    pub fn narrowed(&self, policy: &OperatorPolicy) -> Settings {
        Settings {
            limits: policy.lower(&self.limits),
            grants: policy.narrow(&self.grants),
            hook_tools: policy.hook_tools(self.hook_tools),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use charmhost_sandbox::HookToolTransport;

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
    fn the_operator_decides_how_hook_tools_are_called() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("operator.toml");
        let exec = read("[hook-tools]\ntransport = \"exec\"\n").unwrap();
        for (text, wanted) in [
            ("", HookToolTransport::Exec),
            (
                "[hook-tools]\ntransport = \"auto\"\n",
                HookToolTransport::Auto,
            ),
            (
                "[hook-tools]\ntransport = \"rpc\"\n",
                HookToolTransport::Rpc,
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            let policy = OperatorPolicy::load(Some(file.clone())).unwrap();
            assert_eq!(exec.narrowed(&policy).hook_tools.transport, wanted);
        }
    }

    #[test]
    fn bad_settings_are_rejected_by_name() {
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
                "[hook-tools]\ntransport = \"telepathy\"",
                "unknown variant `telepathy`",
            ),
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
