//! `charmhost:crash/crash`: the report of a guest that is about to trap (ops §20).

use super::bindings::crash::{Failure, Host};
use crate::failure::Reported;
use crate::state::State;

impl Host for State {
    fn report(&mut self, failure: Failure) {
        self.charm.crash.get_or_insert(reported(failure));
    }
}

/// Converts the failure that a guest reports.
pub(crate) fn reported(failure: Failure) -> Reported {
    Reported {
        kind: failure.kind,
        message: failure.message,
        file: failure.file,
        line: failure.line,
        traceback: failure.traceback.unwrap_or_default(),
        delivery: failure.delivery,
    }
}
