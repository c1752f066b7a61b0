//! How hook tools are called.

use serde::{Deserialize, Serialize};

/// `[hook-tools]` of `charmhost.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookToolSettings {
    /// How the agent is called.
    pub transport: HookToolTransport,
}

/// A way to call hook tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookToolTransport {
    /// Over the agent's socket; if it cannot be spoken to, as programs.
    #[default]
    Auto,
    /// Over the agent's socket only.
    Rpc,
    /// As the programs on `PATH` only.
    Exec,
}

/// `[hook-tools]` of the operator's file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookToolPolicy {
    transport: Option<HookToolTransport>,
}

impl HookToolPolicy {
    /// The settings of a charm, with what the operator has set in its place.
    pub fn replace(&self, settings: HookToolSettings) -> HookToolSettings {
        HookToolSettings {
            transport: self.transport.unwrap_or(settings.transport),
        }
    }
}
