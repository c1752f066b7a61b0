//! The ways, as the guest lists them.

use serde::Deserialize;

/// One way out; see `Attempt` in the guest.
#[derive(Debug, Clone, Deserialize)]
pub struct Way {
    pub name: String,
    pub setups: Vec<String>,
    /// The guard that holds it.
    pub control: String,
    /// What Juju asks for behind the attempt.
    pub then: Option<String>,
}
