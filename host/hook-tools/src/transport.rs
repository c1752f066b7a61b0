//! How hook tools are called.

use std::time::Duration;

use crate::table::LOG_TOOL;
use crate::tool_error::ToolError;

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

/// The reason why no hook tool can be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The agent's socket address is malformed, and there are no programs.
    #[error(transparent)]
    Address(#[from] charmhost_jujuc::Error),
    /// `CHARMHOST_HOOK_TOOLS` has an unknown value.
    #[error("cannot use CHARMHOST_HOOK_TOOLS={0:?}: it must be rpc or exec")]
    UnknownChoice(String),
    /// There is neither a socket nor a program.
    #[error(
        "cannot reach a Juju agent: {0} is not set and there is no {tool} on PATH; Juju sets it when it runs dispatch, and `charmhost sim` does so without Juju",
        tool = LOG_TOOL
    )]
    NoAgent(&'static str),
}

/// A way to call hook tools, with this process as the client (ops §7).
pub trait Transport: Send {
    /// Runs a tool with arguments and standard input, and waits for its end. A
    /// tool that ran and failed is an output.
    ///
    /// # Errors
    ///
    /// [`ToolError::Timeout`] if the agent did not answer in time,
    /// [`ToolError::UnknownTool`], [`ToolError::Unreachable`], or the agent's
    /// error.
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError>;

    /// Whether the agent has a tool. Runs nothing.
    fn has(&self, tool: &str) -> bool;

    /// Sets the time limit of one call, from its start to the end of its answer
    /// (`limits.hook-tool-seconds` of the operator's policy). Without one, a call
    /// waits for ever, as Juju's own tools do (ops §7).
    fn set_timeout(&mut self, _limit: Option<Duration>) {}

    /// Prepares for a restriction of this process that its children would
    /// inherit: if tools are run as programs, forks a process that runs them from
    /// now on. This process must have only one thread.
    ///
    /// # Errors
    ///
    /// Those of a fork, and if there are several threads.
    fn prepare_restriction(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
