//! Hook tools over the agent's socket.

use std::time::Duration;

use charmhost_jujuc::{Address, Call, CallTimer, Connection, Error, Reply};

use crate::{ToolError, ToolOutput, Transport};

/// Calls the agent over one connection, opened with the first call.
pub struct RpcTransport {
    address: Address,
    context_id: String,
    dir: String,
    timeout: Option<Duration>,
    connection: Option<Connection>,
}

impl RpcTransport {
    /// A transport to an agent that runs the hook named by `context_id`;
    /// `dir` is the directory that relative file names are taken from.
    pub fn new(address: Address, context_id: String, dir: String) -> Self {
        RpcTransport {
            address,
            context_id,
            dir,
            timeout: None,
            connection: None,
        }
    }

    /// Connects, and asks whether the agent speaks the protocol, without
    /// running anything.
    pub(crate) fn probe(&mut self, timer: &mut CallTimer) -> Result<(), Error> {
        let mut connection = Connection::connect_within(&self.address, timer)?;
        connection.probe(timer)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Calls a tool. A connection on which anything failed is not used again:
    /// the next call may reach an agent that is back.
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
            // A charm's own input is empty, and so is what a tool would read.
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

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timeout = limit;
    }
}
