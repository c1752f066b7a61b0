//! The attempts, as the guest lists them.

use serde::Deserialize;

/// One attempt; see `Attempt` in the guest.
#[derive(Debug, Clone, Deserialize)]
pub struct Way {
    pub name: String,
    pub setups: Vec<String>,
    /// The guard that blocks it.
    pub control: String,
    /// Hook after the attempt.
    pub then: Option<String>,
}
