//! Raw hook tools.

use serde::de::DeserializeOwned;

use crate::bindings::hook_tools as wit;
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Result};

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

impl ToolOutput {
    /// Returns itself if the exit code is 0, otherwise an error with standard error.
    #[track_caller]
    pub fn success(self) -> Result<Self> {
        match self.exit_code {
            0 => Ok(self),
            code => {
                let stderr = String::from_utf8_lossy(&self.stderr);
                let message = format!("the hook tool exited with {code}: {}", stderr.trim_end());
                Err(Error::new(ErrorKind::Command(code), message))
            }
        }
    }

    /// Returns standard output as text without the line break at its end, and with
    /// invalid UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// Reads standard output as JSON, which a tool prints with `--format=json`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.stdout).map_err(unreadable)
    }
}

#[track_caller]
fn unreadable(error: serde_json::Error) -> Error {
    let message = format!("cannot read the output of a hook tool: {error}");
    Error::with_code("unexpected-output", message)
}

/// Runs a hook tool for which this SDK has no function. A tool that ran and failed is
/// not an error: see [`ToolOutput::exit_code`].
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// let output = hook_tool("goal-state", &["--format=json"], None)?;
/// let goal: charmhost::serde_json::Value = output.success()?.json()?;
/// # Ok(())
/// # }
/// ```
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

/// Whether this Juju has a hook tool that [`hook_tool`] would run.
pub fn has_hook_tool(tool: &str) -> bool {
    wit::available(tool)
}
