//! Hook tools as programs on `PATH`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use charmhost_jujuc::CallTimer;

use crate::spawn::{DirectSpawn, Spawn, SpawnError};
use crate::spawner::ForkedSpawn;
use crate::table::{LOG_TOOL, is_tool_name};
use crate::tool_error::ToolError;
use crate::transport::{ToolOutput, Transport};

/// Starts a program for each call.
pub struct ExecTransport {
    path: OsString,
    spawn: Box<dyn Spawn>,
    timeout: Option<Duration>,
}

impl ExecTransport {
    /// Creates a transport for the tools in the directory of `path` that
    /// [`LOG_TOOL`] is in; `spawn` runs them.
    pub fn new(path: Option<OsString>, spawn: Box<dyn Spawn>) -> Self {
        ExecTransport {
            path: path.unwrap_or_default(),
            spawn,
            timeout: None,
        }
    }

    /// Creates a transport that runs the tools as children of this process.
    pub fn direct(path: Option<OsString>) -> Self {
        ExecTransport::new(path, Box::new(DirectSpawn))
    }

    /// Looks where Juju keeps its tools, and nowhere else: a guest that may
    /// run hook tools must not reach the other programs on `PATH` this way.
    fn find(&self, tool: &str) -> Option<PathBuf> {
        let mut dirs = std::env::split_paths(&self.path);
        let tools = dirs.find(|dir| dir.join(LOG_TOOL).is_file())?;
        Some(tools.join(tool)).filter(|path| path.is_file())
    }

    pub(crate) fn call(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> Result<ToolOutput, ToolError> {
        let program = Some(tool)
            .filter(|tool| is_tool_name(tool))
            .and_then(|tool| self.find(tool))
            .ok_or_else(|| ToolError::unknown_tool(tool, "there is no such hook tool on PATH"))?;
        let output = self.spawn.spawn(&program, args, stdin, timer);
        output.map_err(|error| match error {
            SpawnError::Expired(expired) => ToolError::timeout(tool, expired.limit),
            SpawnError::TooLong => {
                ToolError::arguments_too_long(tool, args.iter().map(String::len).sum())
            }
            SpawnError::Io(error) => {
                let text = format!("cannot run {}: {error}", program.display());
                ToolError::unreachable(tool, text)
            }
        })
    }
}

impl Transport for ExecTransport {
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let mut timer = CallTimer::new(self.timeout);
        self.call(tool, args, stdin, &mut timer)
    }

    /// Whether the directory of the tools contains it.
    fn has(&self, tool: &str) -> bool {
        is_tool_name(tool) && self.find(tool).is_some()
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timeout = limit;
    }

    fn prepare_restriction(&mut self) -> std::io::Result<()> {
        self.spawn = Box::new(ForkedSpawn::fork()?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::limits::MAX_ARGUMENT;

    fn tools() -> (tempfile::TempDir, ExecTransport) {
        let dir = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\necho \"$@\"; cat; echo complaint >&2; exit 3\n";
        let path = dir.path().join("juju-log");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("/bin:/usr/bin:{}", dir.path().display());
        let transport = ExecTransport::direct(Some(path.into()));
        (dir, transport)
    }

    #[test]
    fn a_tool_gets_its_arguments_and_input_and_its_end_is_reported() {
        let (_dir, mut transport) = tools();
        let args = ["a b".to_owned(), "-c".to_owned()];
        let output = transport.run("juju-log", &args, Some(b"input")).unwrap();
        assert_eq!(output.code, 3);
        assert_eq!(output.stdout, b"a b -c\ninput");
        assert_eq!(output.stderr, b"complaint\n");
    }

    #[test]
    fn arguments_that_the_kernel_does_not_pass_are_the_charms_fault() {
        let (_dir, mut transport) = tools();
        let longest = "x".repeat(MAX_ARGUMENT);
        let args = [longest.clone()];
        assert_eq!(transport.run("juju-log", &args, None).unwrap().code, 3);
        // More than any limit on the stack allows.
        for args in [vec![longest.clone() + "x"], vec![longest; 100]] {
            let length: usize = args.iter().map(String::len).sum();
            let error = transport.run("juju-log", &args, None).unwrap_err();
            let wanted = ToolError::arguments_too_long("juju-log", length);
            assert_eq!(error, wanted);
        }
    }

    #[test]
    fn other_programs_on_the_path_are_out_of_reach() {
        let (dir, mut transport) = tools();
        let beside = ["jujud", "juju-exec", "jujuc", "containeragent", "pebble"];
        for own in beside {
            std::fs::copy(dir.path().join("juju-log"), dir.path().join(own)).unwrap();
        }
        let elsewhere = ["sh", "/bin/sh", "../../bin/sh", "", "..", ".", "-", "a-/b"];
        for tool in beside.into_iter().chain(elsewhere) {
            let error = transport.run(tool, &[], None).unwrap_err();
            assert!(
                matches!(error, ToolError::UnknownTool { .. }),
                "{tool:?}: {error}"
            );
        }
        assert!(!ExecTransport::direct(None).has("juju-log"));
    }
}
