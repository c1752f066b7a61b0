//! Hook tools as programs on `PATH`.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{ToolError, ToolOutput, Transport};

/// Starts a program for each call.
pub struct ExecTransport {
    path: OsString,
}

impl ExecTransport {
    /// A transport that looks for the tools in the directories of `path`.
    pub fn new(path: Option<OsString>) -> Self {
        ExecTransport {
            path: path.unwrap_or_default(),
        }
    }

    fn find(&self, tool: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .map(|dir| dir.join(tool))
            .find(|path| path.is_file())
    }

    /// Whether there is such a tool.
    pub fn has(&self, tool: &str) -> bool {
        self.find(tool).is_some()
    }
}

impl Transport for ExecTransport {
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let program = Some(tool)
            .filter(|tool| !tool.is_empty() && !tool.contains('/'))
            .and_then(|tool| self.find(tool))
            .ok_or_else(|| ToolError::unknown_tool(tool, "there is no such program on PATH"))?;
        let failed = |error: std::io::Error| ToolError::unreachable(tool, error.to_string());
        let mut command = Command::new(program);
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.stdin(if stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command.spawn().map_err(failed)?;
        let input = child.stdin.take().zip(stdin);
        let output = std::thread::scope(|scope| {
            // The tool may print before it has read everything.
            scope.spawn(move || {
                if let Some((mut pipe, bytes)) = input {
                    // A tool that does not read its input is no error.
                    let _ = pipe.write_all(bytes);
                }
            });
            child.wait_with_output()
        });
        let output = output.map_err(failed)?;
        let code = output
            .status
            .code()
            .or(output.status.signal().map(|signal| -signal));
        Ok(ToolOutput {
            code: code.unwrap_or(1),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}
