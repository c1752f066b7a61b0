//! What the operator of a machine allows all charms on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::documents::{SettingsError, read};
use crate::grants::{GrantPolicy, Grants};
use crate::limits::{LimitPolicy, Limits};
use crate::transport::{HookToolPolicy, HookToolSettings};

/// The operator's file, unless the environment names another one in
/// [`POLICY_VARIABLE`].
pub const POLICY_FILE: &str = "/etc/charmhost.toml";
/// The variable that names another file, for tests and simulations: an agent
/// makes the environment of a dispatch from nothing, so under Juju it is not
/// set.
pub const POLICY_VARIABLE: &str = "CHARMHOST_OPERATOR_FILE";

/// The widest that charms get. What is not named is as the charm states it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperatorPolicy {
    limits: LimitPolicy,
    grants: GrantPolicy,
    hook_tools: HookToolPolicy,
}

impl OperatorPolicy {
    /// Reads the operator's file; without it, nothing is narrowed.
    pub fn load(file: Option<PathBuf>) -> Result<Self, SettingsError> {
        let is_named = file.is_some();
        let path = file.unwrap_or_else(|| Path::new(POLICY_FILE).to_path_buf());
        let found: Option<OperatorPolicy> = read(&path)?;
        match (found, is_named) {
            (Some(policy), _) => match policy.check() {
                Ok(()) => Ok(policy),
                Err(detail) => Err(SettingsError::new(&path, detail)),
            },
            (None, false) => Ok(OperatorPolicy::default()),
            // Whoever names a file wants it to count.
            (None, true) => Err(SettingsError::new(
                &path,
                format!("there is no such file; {POLICY_VARIABLE} names it"),
            )),
        }
    }

    /// Rejects a policy that cannot be: a limit that is none would lift the
    /// charm's own.
    fn check(&self) -> Result<(), String> {
        self.grants.check()?;
        self.limits.check()
    }

    /// The limits of a charm, as far as the policy allows them.
    pub fn lower(&self, limits: &Limits) -> Limits {
        self.limits.lower(limits)
    }

    /// The grants of a charm, as far as the policy allows them.
    pub fn narrow(&self, grants: &Grants) -> Grants {
        grants.narrowed(&self.grants)
    }

    /// How long one call of a hook tool may take, if that is limited.
    pub fn hook_tool_timeout(&self) -> Option<Duration> {
        self.limits.hook_tool()
    }

    /// How a charm calls hook tools.
    pub fn hook_tools(&self, settings: HookToolSettings) -> HookToolSettings {
        self.hook_tools.replace(settings)
    }
}
