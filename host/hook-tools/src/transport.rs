//! How hook tools are called.

use std::time::Duration;

use crate::ToolError;

/// The longest argument that the kernel passes to a program, in bytes without
/// its terminating NUL: 32 pages of 4 KiB (`execve(2)`).
pub const MAX_ARGUMENT: usize = 131_071;

/// The result of a hook tool that ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// The exit code; minus the number of the signal that ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why hook tools cannot be called at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The agent's socket address is malformed, and there are no programs.
    #[error(transparent)]
    Address(#[from] charmhost_jujuc::Error),
    /// `CHARMHOST_HOOK_TOOLS` has an unknown value.
    #[error("cannot use CHARMHOST_HOOK_TOOLS={0:?}: it must be rpc or exec")]
    UnknownChoice(String),
    /// Neither a socket nor tools.
    #[error(
        "cannot reach a Juju agent: {0} is not set and there is no juju-log on PATH; Juju sets it when it runs dispatch, and `charmhost sim` does so without Juju"
    )]
    NoAgent(&'static str),
}

/// A way to call hook tools.
pub trait Transport: Send {
    /// Runs a tool with its arguments and input, and waits for it. A tool that
    /// ran and failed is an output.
    ///
    /// # Errors
    ///
    /// [`ToolError::Timeout`] if the agent did not answer in time,
    /// [`ToolError::UnknownTool`], [`ToolError::Unreachable`], or the agent's
    /// refusal.
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError>;

    /// Sets how long one call may take, from its start to the end of its answer
    /// (the operator's `limits.hook-tool-seconds`). Without it a call waits for
    /// ever, as Juju's own do.
    fn set_timeout(&mut self, _limit: Option<Duration>) {}

    /// Makes ready for a restriction of this process that its children inherit:
    /// if tools are run as programs, from now on another process runs them,
    /// which is forked here. The process must have one thread only.
    ///
    /// # Errors
    ///
    /// As for a fork, and if there is more than one thread.
    fn prepare_restriction(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
