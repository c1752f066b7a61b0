//! Hook tools over the agent's socket.

use std::time::Duration;

use charmhost_jujuc::{Address, Call, CallTimer, Connection, Error, Reply};

use crate::table;
use crate::tool_error::ToolError;
use crate::transport::{ToolOutput, Transport};

/// Calls the agent over one connection, opened with the first call.
pub struct RpcTransport {
    address: Address,
    context_id: String,
    dir: String,
    timeout: Option<Duration>,
    connection: Option<Connection>,
}

impl RpcTransport {
    /// Creates a transport to the agent that runs the hook of `context_id`; `dir`
    /// is the directory of relative file names.
    pub fn new(address: Address, context_id: String, dir: String) -> Self {
        RpcTransport {
            address,
            context_id,
            dir,
            timeout: None,
            connection: None,
        }
    }

    /// Connects, and asks whether the agent speaks the protocol; runs no tool.
    pub(crate) fn probe(&mut self, timer: &mut CallTimer) -> Result<(), Error> {
        let mut connection = Connection::connect_within(&self.address, timer)?;
        connection.probe(timer)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Calls a tool. A connection on which anything failed is closed: the next
    /// call may reach an agent that has restarted.
    pub(crate) fn call(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> Result<ToolOutput, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::connect_within(&self.address, timer)?,
        };
        let call = Call {
            context_id: &self.context_id,
            dir: &self.dir,
            tool,
            args,
            stdin,
        };
        let mut reply = connection.call_within(&call, timer);
        if reply.as_ref().is_err_and(Error::requires_stdin) {
            // The standard input of a dispatch is empty, and so is that of its
            // tools.
            let stdin = Some(&b""[..]);
            reply = connection.call_within(&Call { stdin, ..call }, timer);
        }
        if !reply.as_ref().is_err_and(Error::is_of_connection) {
            self.connection = Some(connection);
        }
        let Reply {
            code,
            stdout,
            stderr,
        } = reply?;
        Ok(ToolOutput {
            code,
            stdout,
            stderr,
        })
    }
}

impl Transport for RpcTransport {
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let mut timer = CallTimer::new(self.timeout);
        let called = self.call(tool, args, stdin, &mut timer);
        called.map_err(|error| ToolError::from_rpc(tool, error))
    }

    /// Whether any known Juju has the tool: the protocol has no such question.
    fn has(&self, tool: &str) -> bool {
        table::tool(tool).is_some()
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timeout = limit;
    }
}
