//! How a session ends, and its exit code.

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
    /// The guest aborted; its local state is not committed.
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
