//! `charmhost:hook-tools/hook-tools`.

use charmhost_juju::ToolError;

use super::{Error, error};
use crate::bindings::hook_tools::{Host, ToolOutput};
use crate::state::State;

impl Host for State {
    fn run(
        &mut self,
        tool: String,
        args: Vec<String>,
        input: Option<Vec<u8>>,
    ) -> Result<ToolOutput, Error> {
        let output = self.charm.model.run(&tool, &args, input.as_deref());
        if let Err(ToolError::Denied { tool, text }) = &output {
            let what = format!("running {tool}: {text}");
            self.sandbox.denials().add(&what, None);
        }
        let output = output.map_err(error)?;
        Ok(ToolOutput {
            code: output.code,
            output: output.stdout,
            error_output: output.stderr,
        })
    }
}
