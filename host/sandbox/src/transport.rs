//! `[hook-tools]`: how hook tools are called.

use serde::{Deserialize, Serialize};

/// `[hook-tools]` of `charmhost.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookToolSettings {
    /// The transport.
    pub transport: HookToolTransport,
}

/// A way to call hook tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookToolTransport {
    /// Over the agent's socket; as programs on `PATH` if it does not answer.
    #[default]
    Auto,
    /// Over the agent's socket only.
    Rpc,
    /// As programs on `PATH` only.
    Exec,
}

/// `[hook-tools]` of the operator's policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookToolPolicy {
    transport: Option<HookToolTransport>,
}

impl HookToolPolicy {
    /// Replaces the settings of a charm by those of the policy.
    pub fn replace(&self, settings: HookToolSettings) -> HookToolSettings {
        HookToolSettings {
            transport: self.transport.unwrap_or(settings.transport),
        }
    }
}
