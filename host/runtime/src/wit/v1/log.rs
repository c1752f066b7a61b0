//! `charmhost:log/log`: log lines (ops §20).

use charmhost_juju::Level;

use super::bindings::log::{self as wit, Host};
use crate::state::State;

impl Host for State {
    fn write(&mut self, level: wit::Level, message: String) {
        let level = match level {
            wit::Level::Trace => Level::Trace,
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warning => Level::Warning,
            wit::Level::Error => Level::Error,
            wit::Level::Critical => Level::Critical,
        };
        // A denial is logged before the charm's own line about it.
        self.log_denials();
        self.log_for_guest(level, &message);
    }
}
