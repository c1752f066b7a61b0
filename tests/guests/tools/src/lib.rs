//! Runs hook tools as they are, one after the other, and logs how each ended.

use charmhost::hook_tool;
use charmhost::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Params {
    /// Each a tool with its arguments.
    calls: Vec<Vec<String>>,
    /// What all of them read.
    stdin: Option<String>,
}

struct Tools;

impl Charm for Tools {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("run", Self::on_run);
        Ok(Tools)
    }
}

impl Tools {
    fn on_run(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        let stdin = params.stdin.as_deref().map(str::as_bytes);
        for call in &params.calls {
            let (tool, args) = call.split_first().ok_or_else(|| Error::msg("no tool"))?;
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            match hook_tool(tool, &args, stdin) {
                Ok(output) => {
                    let stdout = String::from_utf8_lossy(&output.stdout);
                    log::info!(
                        "{}: exited with {}: {stdout}",
                        call.join(" "),
                        output.exit_code
                    );
                }
                Err(error) => log::info!("{}: {:?}: {error}", call.join(" "), error.kind()),
            }
        }
        Ok(())
    }
}

charmhost::main!(Tools);
