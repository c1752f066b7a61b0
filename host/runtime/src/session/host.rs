//! What a session needs of the machine and of Juju.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use charmhost_hook_tools::{Stderr, Transport};
use charmhost_juju::Clock;
use charmhost_sandbox::kernel::{Restriction, Rules};
use charmhost_sandbox::{CpuTicker, GuestOutput};
use charmhost_store::Backend;

use crate::containers::PebbleConnector;

/// The machine and Juju, as far as a session sees them.
pub struct Host<'a> {
    /// Calls hook tools, also to write the log.
    pub hook_tools: Box<dyn Transport>,
    /// The back end of the charm's local state, which is not open yet.
    pub store: Box<dyn Backend>,
    /// Reaches the workload containers.
    pub pebble: Box<dyn PebbleConnector>,
    /// The clock of the session and of its guest. Timeouts of calls do not use it.
    pub clock: Arc<dyn Clock>,
    /// Lets the guest's processor time be limited.
    pub cpu_ticker: &'a mut dyn CpuTicker,
    /// Where failures are printed that Juju shows to the operator, or that cannot
    /// be logged.
    pub stderr: Stderr,
    /// Where the guest's standard output and error go.
    pub guest_output: GuestOutput,
    /// The environment, of which the guest gets Juju's variables and those that
    /// are granted.
    pub variables: Vec<(OsString, OsString)>,
    /// Runs the charm's legacy hooks. Without it they do not exist.
    pub legacy_hooks: Option<&'a mut dyn LegacyHooks>,
    /// Restricts the process before the guest runs. Without it the guest has
    /// the sandbox alone around it.
    pub restriction: Option<ProcessRestriction<'a>>,
}

/// Runs legacy hooks: native programs from before `dispatch` (ops §2.1).
pub trait LegacyHooks {
    /// Whether a hook is the program that runs this session.
    fn is_this_program(&self, hook: &Path) -> bool;

    /// Runs a hook with the arguments of this session, and waits for it.
    fn run(&mut self, hook: &Path) -> io::Result<ExitStatus>;
}

/// Makes the kernel restrict the calling process.
pub struct ProcessRestriction<'a> {
    /// Restricts the process to what the guest may reach and the host needs
    /// for it. The process has one thread at that time.
    pub restrict: &'a mut dyn FnMut(&Rules) -> Restriction,
    /// Where Juju puts storage whose location the charm does not name.
    pub storage_dir: PathBuf,
}
