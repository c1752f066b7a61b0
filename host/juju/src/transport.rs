//! How hook tools are reached.

use std::ffi::OsString;

use charmhost_jujuc::Address;

use crate::exec::ExecTransport;
use crate::rpc::RpcTransport;
use crate::{Environment, ToolError};

/// What a hook tool gave back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// The exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why hook tools cannot be reached at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The agent's socket address is malformed.
    #[error(transparent)]
    Address(#[from] charmhost_jujuc::Error),
    /// `CHARMHOST_HOOK_TOOLS` says something unknown.
    #[error("cannot use CHARMHOST_HOOK_TOOLS={0:?}: it must be rpc or exec")]
    UnknownChoice(String),
    /// Neither a socket nor tools.
    #[error(
        "cannot reach a Juju agent: {0} is not set and there is no juju-log on PATH; Juju sets it when it runs dispatch, and `charmhost sim` does so without Juju"
    )]
    NoAgent(&'static str),
}

/// A way to run hook tools.
pub trait Transport: Send {
    /// Runs a tool with its arguments and input, and waits for it. A tool that
    /// ran and failed is an output.
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError>;
}

/// Chooses a transport: the agent's socket if it tells of one, else the tools
/// on `PATH`; or as the variable `CHARMHOST_HOOK_TOOLS` says.
pub fn transport(
    environment: &Environment,
    vars: impl Fn(&str) -> Option<OsString>,
) -> Result<Box<dyn Transport>, TransportError> {
    let choice = vars("CHARMHOST_HOOK_TOOLS").map(|value| value.to_string_lossy().into_owned());
    let path = vars("PATH");
    let exec = || Box::new(ExecTransport::new(path.clone()));
    match (choice.as_deref().unwrap_or_default(), &environment.agent) {
        ("exec", _) => Ok(exec()),
        ("" | "rpc", Some(agent)) => {
            let address = Address::parse(&agent.network, &agent.address)?;
            let dir = environment.charm_dir.display().to_string();
            Ok(Box::new(RpcTransport::new(
                address,
                agent.context_id.clone(),
                dir,
            )))
        }
        ("", None) if exec().has("juju-log") => Ok(exec()),
        ("" | "rpc", None) => {
            let wanted = ["JUJU_AGENT_SOCKET_ADDRESS", "JUJU_CONTEXT_ID"];
            let missing = wanted
                .into_iter()
                .find(|name| vars(name).is_none_or(|v| v.is_empty()));
            Err(TransportError::NoAgent(
                missing.unwrap_or("JUJU_AGENT_SOCKET_ADDRESS"),
            ))
        }
        (other, _) => Err(TransportError::UnknownChoice(other.to_owned())),
    }
}
