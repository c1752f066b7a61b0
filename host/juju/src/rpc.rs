//! Hook tools over the agent's socket.

use charmhost_jujuc::{Address, Call, Connection};

use crate::{ToolError, ToolOutput, Transport};

/// Calls the agent over one connection, opened with the first call.
pub struct RpcTransport {
    address: Address,
    context_id: String,
    dir: String,
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
            connection: None,
        }
    }
}

impl Transport for RpcTransport {
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let failed = |error| ToolError::from_rpc(tool, error);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::connect(&self.address).map_err(failed)?,
        };
        let call = Call {
            context_id: &self.context_id,
            dir: &self.dir,
            tool,
            args,
            stdin,
        };
        let mut reply = connection.call(&call);
        if reply.as_ref().is_err_and(|error| error.requires_stdin()) {
            // A charm's own input is empty, and so is what a tool would read.
            reply = connection.call(&Call {
                stdin: Some(b""),
                ..call
            });
        }
        // A connection that broke is not used again: the next call may reach
        // an agent that is back.
        if !matches!(&reply, Err(error) if error.after_send()) {
            self.connection = Some(connection);
        }
        let reply = reply.map_err(failed)?;
        Ok(ToolOutput {
            code: reply.code,
            stdout: reply.stdout,
            stderr: reply.stderr,
        })
    }
}
