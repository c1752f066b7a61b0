//! Rebooting the machine (ops §16.6).

use charmhost_hook_tools::tool;

use super::Model;

impl Model {
    /// Logs the security event of a call that reboots the machine, before it is
    /// made; any other call has none.
    pub fn note_reboot(&mut self, name: &str) {
        if tool(name).is_some_and(|tool| tool.reboots) {
            self.log_restart();
        }
    }
}
