//! The result of a session.

use super::ending::Ending;
use super::guest::Guest;

/// The end of a session, and what is left of its guest.
///
/// Dropping it releases the guest's memory, its handles and the connection to
/// the agent. A process that ends anyway may forget it instead: the system takes
/// everything back at once.
pub struct Outcome {
    /// How the session ended.
    pub ending: Ending,
    /// None if no guest ran.
    _guest: Option<Box<Guest>>,
}

impl Outcome {
    /// The end of a session whose guest ran.
    pub(super) fn of_guest(ending: Ending, guest: Guest) -> Self {
        Outcome {
            ending,
            _guest: Some(Box::new(guest)),
        }
    }

    /// The exit code that Juju gets.
    pub fn exit_code(&self) -> u8 {
        self.ending.exit_code()
    }
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        Outcome {
            ending,
            _guest: None,
        }
    }
}
