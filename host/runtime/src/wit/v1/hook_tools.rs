//! `charmhost:hook-tools/hook-tools`: hook tools that the policy allows (ops §7).

use super::bindings::errors::Denial;
use super::bindings::hook_tools::{Host, ToolOutput};
use super::{Error, error, full};
use crate::guest_tools::GuestToolError;
use crate::state::State;

impl Host for State {
    fn run(
        &mut self,
        tool: String,
        args: Vec<String>,
        stdin: Option<Vec<u8>>,
    ) -> Result<ToolOutput, Error> {
        let output = self.run_hook_tool(&tool, &args, stdin.as_deref());
        let output = output.map_err(|cause| match cause {
            GuestToolError::Denied(denied) => Error::Denied(Denial {
                message: format!("cannot run {tool}: {}", denied.reason),
                grant: denied.grant,
            }),
            GuestToolError::File(reason) => {
                Error::InvalidInput(format!("cannot run {tool}: {reason}"))
            }
            GuestToolError::Memory(limit) => full(limit),
            GuestToolError::Tool(cause) => error(cause),
        })?;
        Ok(ToolOutput {
            exit_code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    fn available(&mut self, tool: String) -> bool {
        self.has_hook_tool(&tool)
    }
}
