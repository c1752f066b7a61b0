//! `charmhost:hook-tools/hook-tools`: hook tools that the policy allows (ops §7).

use charmhost_hook_tools::Denied;

use super::bindings::errors::Denial;
use super::bindings::hook_tools::{Host, ToolOutput};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn run(
        &mut self,
        tool: String,
        args: Vec<String>,
        stdin: Option<Vec<u8>>,
    ) -> Result<ToolOutput, Error> {
        if let Err(Denied { reason, grant }) = self.charm.hook_tools.check(&tool, &args) {
            let what = format!("running {tool}: {reason}");
            self.sandbox.denials().add(&what, grant.as_deref());
            return Err(Error::Denied(Denial {
                message: format!("cannot run {tool}: {reason}"),
                grant,
            }));
        }
        self.charm.model.note_reboot(&tool);
        let output = self.charm.model.run(&tool, &args, stdin.as_deref());
        let output = output.map_err(error)?;
        Ok(ToolOutput {
            exit_code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}
