//! Hook tools as programs on `PATH`.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{ToolError, ToolOutput, Transport};

/// Juju keeps its own programs beside the hook tools, which do more than a hook
/// tool may.
fn is_jujus_own(tool: &str) -> bool {
    tool.starts_with("juju") && !["juju-log", "juju-reboot"].contains(&tool)
}

/// Starts a program for each call.
pub struct ExecTransport {
    path: OsString,
}

impl ExecTransport {
    /// A transport that takes the tools from the directory of `path` that
    /// `juju-log` is in.
    pub fn new(path: Option<OsString>) -> Self {
        ExecTransport {
            path: path.unwrap_or_default(),
        }
    }

    /// Looks where Juju keeps its tools, and nowhere else: a guest that may
    /// run hook tools must not reach the other programs on `PATH` this way.
    fn find(&self, tool: &str) -> Option<PathBuf> {
        let mut dirs = std::env::split_paths(&self.path);
        let tools = dirs.find(|dir| dir.join("juju-log").is_file())?;
        Some(tools.join(tool)).filter(|path| path.is_file())
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
            .filter(|tool| !tool.is_empty() && !tool.contains('/') && !is_jujus_own(tool))
            .and_then(|tool| self.find(tool))
            .ok_or_else(|| ToolError::unknown_tool(tool, "there is no such hook tool on PATH"))?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tools() -> (tempfile::TempDir, ExecTransport) {
        let dir = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\necho \"$@\"; cat; echo complaint >&2; exit 3\n";
        let path = dir.path().join("juju-log");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("/bin:/usr/bin:{}", dir.path().display());
        let transport = ExecTransport::new(Some(path.into()));
        (dir, transport)
    }

    #[test]
    fn a_tool_gets_its_arguments_and_input_and_tells_how_it_ended() {
        let (_dir, mut transport) = tools();
        let args = ["a b".to_owned(), "-c".to_owned()];
        let output = transport.run("juju-log", &args, Some(b"input")).unwrap();
        assert_eq!(output.code, 3);
        assert_eq!(output.stdout, b"a b -c\ninput");
        assert_eq!(output.stderr, b"complaint\n");
    }

    #[test]
    fn other_programs_on_the_path_are_out_of_reach() {
        let (dir, mut transport) = tools();
        for own in ["jujud", "juju-exec"] {
            std::fs::copy(dir.path().join("juju-log"), dir.path().join(own)).unwrap();
        }
        for tool in [
            "sh",
            "/bin/sh",
            "../../bin/sh",
            "",
            "..",
            "jujud",
            "juju-exec",
        ] {
            let error = transport.run(tool, &[], None).unwrap_err();
            assert!(
                matches!(error, ToolError::UnknownTool { .. }),
                "{tool:?}: {error}"
            );
        }
        assert!(!ExecTransport::new(None).has("juju-log"));
    }
}
