//! Storage of units.

use serde::Serialize;

/// A storage instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// `filesystem` or `block`.
    pub kind: String,
    /// The path at which the charm finds it.
    pub location: String,
}
