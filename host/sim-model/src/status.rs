//! Statuses of units and applications.

use serde::Serialize;

/// The status of a unit or of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `active`, `blocked`, `maintenance`, `waiting`; set by Juju itself also
    /// `error`, `terminated`, `unknown`.
    pub status: String,
    /// The text that `juju status` shows beside it.
    pub message: String,
}

impl Status {
    /// A status with its message.
    pub fn new(status: impl Into<String>, message: impl Into<String>) -> Self {
        Status {
            status: status.into(),
            message: message.into(),
        }
    }

    /// The status of an application from those of its units: the one that needs
    /// most attention.
    pub fn derived(units: impl IntoIterator<Item = Status>) -> Self {
        let urgency = |status: &Status| {
            let index = URGENCY.iter().position(|name| *name == status.status);
            index.unwrap_or(URGENCY.len())
        };
        let first = units.into_iter().min_by_key(urgency);
        first.unwrap_or_else(|| Status::new("unknown", ""))
    }
}

/// The statuses from the one that needs most attention on.
const URGENCY: [&str; 7] = [
    "error",
    "blocked",
    "maintenance",
    "waiting",
    "active",
    "terminated",
    "unknown",
];
