//! How a session ends: its exit code, and whether local state is committed
//! (ops §2.2).

use std::fmt::Display;

use charmhost_error_chain::ErrorChain;
use charmhost_juju::{Level, Stderr};

use super::report;
use crate::failure::{Failure, Rebooting};
use crate::state::{CharmState, State};
use crate::wit::v1::GuestOutcome;

/// The exit code of a session that failed.
const FAILED: u8 = 1;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The guest completed, or the charm does not know the event; its local
    /// state is committed.
    Completed,
    /// The session was started from within another one, and did nothing
    /// (ops §2.1, step 6).
    Reentered,
    /// The event needs local state that cannot be used in its context
    /// (ops §2.5).
    Ignored,
    /// The guest aborted or rebooted its machine; its local state is not
    /// committed.
    Aborted,
    /// The guest exited with this code; its local state is not committed.
    Exited(u8),
    /// A legacy hook failed with this code; no guest ran.
    LegacyHookFailed(u8),
    /// Something else failed, and was reported; local state is not committed.
    Failed,
}

impl Ending {
    /// The exit code that Juju gets.
    pub fn exit_code(self) -> u8 {
        match self {
            Ending::Completed | Ending::Reentered | Ending::Ignored | Ending::Aborted => 0,
            Ending::Exited(code) | Ending::LegacyHookFailed(code) => code,
            Ending::Failed => FAILED,
        }
    }
}

/// Reports a failure in the log and on standard error.
pub(super) fn failed(charm: &mut CharmState, error: &dyn Display) -> Ending {
    report::failed(charm, error);
    Ending::Failed
}

/// Reports a failure on standard error alone.
pub(super) fn failed_unlogged(stderr: &Stderr, error: &dyn Display) -> Ending {
    report::failed_unlogged(stderr, error);
    Ending::Failed
}

/// Commits the local state if the guest completed, and reports how it failed
/// otherwise (ops §2.2).
pub(super) fn finish(state: &mut State, ended: wasmtime::Result<GuestOutcome>) -> Ending {
    let crash = state.charm.crash.take();
    state.log_denials();
    state.sandbox.clean();
    match ended {
        Ok(outcome) => {
            if let Some(crash) = crash {
                report::charm_failed(&mut state.charm, &Failure::reported(crash));
            }
            match outcome {
                GuestOutcome::Completed => commit(&mut state.charm),
                GuestOutcome::Aborted => Ending::Aborted,
                GuestOutcome::Failed(failure) => {
                    report::charm_failed(&mut state.charm, &Failure::reported(failure));
                    Ending::Failed
                }
                GuestOutcome::Exited { code, message } => {
                    if let Some(message) = message {
                        state.charm.stderr.write_line(&message);
                    }
                    Ending::Exited(code)
                }
            }
        }
        Err(error) if error.is::<Rebooting>() => Ending::Aborted,
        Err(error) => {
            let failure = match crash {
                Some(crash) => Failure::reported(crash),
                None => Failure::trapped(&error, &state.limiter),
            };
            report::charm_failed(&mut state.charm, &failure);
            Ending::Failed
        }
    }
}

/// Requeues what the guest did not settle, and commits the local state: the
/// last thing that a session does (ops §2.1, step 12).
fn commit(charm: &mut CharmState) -> Ending {
    let left = charm.framework.close();
    if left > 0 {
        let line = format!(
            "The charm ended before it had handled everything: {left} deliveries come again in the next dispatch."
        );
        charm.model.log(Level::Warning, &line);
    }
    let queue = charm.framework.queue();
    match charm.local.commit(queue, &mut charm.model) {
        Ok(()) => Ending::Completed,
        Err(error) => failed(charm, &error.chain()),
    }
}
