//! Statuses.

use crate::bindings::status as wit;
use crate::{Error, Result};

/// Kind of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusKind {
    /// Ready and doing its work.
    Active,
    /// An operator must act.
    Blocked,
    /// The charm is at work on the unit.
    Maintenance,
    /// The charm waits for something else.
    Waiting,
    /// The unit failed; set by Juju.
    Error,
    /// Nothing was set yet; set by Juju.
    Unknown,
    /// A status that this SDK does not know.
    Other(String),
}

/// A status and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its kind.
    pub kind: StatusKind,
    /// Text for the operator.
    pub message: String,
}

impl Status {
    fn new(kind: StatusKind, message: impl Into<String>) -> Self {
        Status {
            kind,
            message: message.into(),
        }
    }

    /// Ready and doing its work.
    pub fn active(message: impl Into<String>) -> Self {
        Status::new(StatusKind::Active, message)
    }

    /// An operator must act.
    pub fn blocked(message: impl Into<String>) -> Self {
        Status::new(StatusKind::Blocked, message)
    }

    /// The charm is at work on the unit.
    pub fn maintenance(message: impl Into<String>) -> Self {
        Status::new(StatusKind::Maintenance, message)
    }

    /// The charm waits for something else.
    pub fn waiting(message: impl Into<String>) -> Self {
        Status::new(StatusKind::Waiting, message)
    }
}

#[track_caller]
pub(crate) fn to_wit(status: Status) -> Result<wit::SettableStatus> {
    let name = match status.kind {
        StatusKind::Active => wit::SettableStatusName::Active,
        StatusKind::Blocked => wit::SettableStatusName::Blocked,
        StatusKind::Maintenance => wit::SettableStatusName::Maintenance,
        StatusKind::Waiting => wit::SettableStatusName::Waiting,
        kind => {
            return Err(Error::invalid(format!(
                "cannot set the status {kind:?}: a charm sets active, blocked, maintenance or waiting"
            )));
        }
    };
    Ok(wit::SettableStatus {
        name,
        message: status.message,
    })
}

pub(crate) fn from_wit(status: wit::StatusInfo) -> Status {
    let kind = match status.name {
        wit::StatusName::Active => StatusKind::Active,
        wit::StatusName::Blocked => StatusKind::Blocked,
        wit::StatusName::Maintenance => StatusKind::Maintenance,
        wit::StatusName::Waiting => StatusKind::Waiting,
        wit::StatusName::Error => StatusKind::Error,
        wit::StatusName::Unknown => StatusKind::Unknown,
        wit::StatusName::Other(name) => StatusKind::Other(name),
    };
    Status::new(kind, status.message)
}
