//! Legacy hooks as child processes (ops §2.4).

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use charmhost_runtime::LegacyHooks;

/// Set for everything a dispatch starts, so that a charm that starts itself
/// does nothing the second time (ops §2.1, step 6).
const REENTRY_GUARD: &str = "OPERATOR_DISPATCH";

/// Runs legacy hooks with the arguments of this program and its environment,
/// directory and streams.
pub struct ChildProcesses {
    /// The arguments of this program; the first is its name.
    pub args: Vec<String>,
    /// The charm's directory, in which Juju starts this program.
    pub charm_dir: PathBuf,
}

impl LegacyHooks for ChildProcesses {
    /// Charms that support both ways link their hooks to `dispatch`.
    fn is_this_program(&self, hook: &Path) -> bool {
        let Ok(hook) = hook.canonicalize() else {
            return false;
        };
        let started = self.args.first().map(|name| self.charm_dir.join(name));
        let programs = started.into_iter().chain([self.charm_dir.join("dispatch")]);
        programs
            .filter_map(|program| program.canonicalize().ok())
            .any(|program| program == hook)
    }

    fn run(&mut self, hook: &Path) -> io::Result<ExitStatus> {
        Command::new(hook)
            .args(self.args.iter().skip(1))
            .env(REENTRY_GUARD, "1")
            .status()
    }
}
