//! Raw hook tools.

use crate::Result;
use crate::bindings::hook_tools as wit;
use crate::error::ModelResult;

/// Result of a hook tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// The exit code.
    pub exit_code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs a hook tool for which this SDK has no function. A tool that ran and failed is
/// not an error: see [`ToolOutput::exit_code`].
#[track_caller]
pub fn hook_tool(tool: &str, args: &[&str], stdin: Option<&[u8]>) -> Result<ToolOutput> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let output = wit::run(tool, &args, stdin).model()?;
    Ok(ToolOutput {
        exit_code: output.exit_code,
        stdout: output.stdout,
        stderr: output.stderr,
    })
}
