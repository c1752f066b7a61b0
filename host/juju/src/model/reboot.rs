//! Rebooting the machine (`juju-reboot`; ops §16.6).

use charmhost_hook_tools::{ToolError, tool};

use super::Model;

/// When a machine reboots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebootTime {
    /// When the hook has succeeded.
    AfterHook,
    /// At once. Juju runs the same hook again after the reboot.
    Now,
}

impl Model {
    /// Reboots the machine, after a security event.
    ///
    /// Where Juju obeys [`RebootTime::Now`], it kills the process before it
    /// answers (juju §2.1); a caller that gets an answer must end the dispatch
    /// without saving anything.
    ///
    /// # Errors
    ///
    /// [`ToolError::Other`] if Juju refuses, as in an action.
    pub fn reboot(&mut self, time: RebootTime) -> Result<(), ToolError> {
        self.log_restart();
        let args: &[&str] = match time {
            RebootTime::AfterHook => &[],
            RebootTime::Now => &["--now"],
        };
        self.call("juju-reboot", args).map(drop)
    }

    /// Logs the security event of a call that reboots the machine, before it is
    /// made; any other call has none.
    pub fn note_reboot(&mut self, name: &str) {
        if tool(name).is_some_and(|tool| tool.reboots) {
            self.log_restart();
        }
    }
}
