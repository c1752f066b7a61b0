//! `charmhost:entry/entry`: how a guest says that its dispatch ended (ops §2.2).

use super::bindings::entry::Outcome;
use super::crash;
use crate::failure::Reported;

/// How a guest says that its dispatch ended.
pub(crate) enum GuestOutcome {
    /// State is to be saved.
    Completed,
    /// State is not to be saved.
    Aborted,
    /// The guest's code failed.
    Failed(Reported),
    /// The guest chose the exit code.
    Exited {
        /// The exit code.
        code: u8,
        /// A line for standard error.
        message: Option<String>,
    },
}

impl From<Outcome> for GuestOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed => GuestOutcome::Completed,
            Outcome::Aborted => GuestOutcome::Aborted,
            Outcome::Failed(failure) => GuestOutcome::Failed(crash::reported(failure)),
            Outcome::Exited(exit) => GuestOutcome::Exited {
                code: exit.code,
                message: exit.message,
            },
        }
    }
}
