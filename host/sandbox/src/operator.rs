//! The operator's policy: limits and grants for all charms on a machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::documents::{SettingsError, read};
use crate::grants::{GrantPolicy, Grants};
use crate::limits::{LimitPolicy, Limits};
use crate::transport::{HookToolPolicy, HookToolSettings};

/// The file of the operator's policy, unless [`POLICY_VARIABLE`] names another
/// one.
pub const POLICY_FILE: &str = "/etc/charmhost.toml";
/// The variable that names another policy file, for tests and simulations. Under
/// Juju it is not set: an agent does not pass its environment to a dispatch.
pub const POLICY_VARIABLE: &str = "CHARMHOST_OPERATOR_FILE";

/// The highest limits and widest grants that charms get. What is not named is as
/// in the charm's own settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperatorPolicy {
    limits: LimitPolicy,
    grants: GrantPolicy,
    hook_tools: HookToolPolicy,
}

impl OperatorPolicy {
    /// Reads the policy file. Without it, nothing is narrowed.
    ///
    /// # Errors
    ///
    /// If the file is malformed, or is `file` and does not exist.
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
            // An explicit policy that is ignored would allow everything.
            (None, true) => Err(SettingsError::new(
                &path,
                format!("there is no such file; {POLICY_VARIABLE} names it"),
            )),
        }
    }

    /// Rejects an impossible policy: a limit that is NaN or negative would lift
    /// the charm's own.
    fn check(&self) -> Result<(), String> {
        self.grants.check()?;
        self.limits.check()
    }

    /// Lowers the limits of a charm to those of the policy.
    pub fn lower(&self, limits: &Limits) -> Limits {
        self.limits.lower(limits)
    }

    /// Narrows the grants of a charm to those of the policy.
    pub fn narrow(&self, grants: &Grants) -> Grants {
        grants.narrowed(&self.grants)
    }

    /// Timeout of a hook tool call, if there is one.
    pub fn hook_tool_timeout(&self) -> Option<Duration> {
        self.limits.hook_tool()
    }

    /// The settings for hook tools, with those of the policy instead of the
    /// charm's.
    pub fn hook_tools(&self, settings: HookToolSettings) -> HookToolSettings {
        self.hook_tools.replace(settings)
    }
}
