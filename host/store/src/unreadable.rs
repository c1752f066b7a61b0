//! The error for a single value.

/// Why a stored value cannot be read, or could not be read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// An error with a reason, of which the value is the subject.
    pub fn new(reason: impl Into<String>) -> Self {
        Unreadable(reason.into())
    }
}
