//! Commands in workload containers.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Pollable, Result};

/// Default limit of each output stream: 16 MiB.
const KEPT: u32 = 16 * 1024 * 1024;

/// A command in a container.
#[derive(Debug, Clone)]
pub struct Command {
    container: String,
    command: Vec<String>,
    options: wit::ExecOptions,
    keep: u32,
}

impl Command {
    pub(crate) fn new(container: String, command: Vec<String>) -> Self {
        let options = wit::ExecOptions {
            service_context: None,
            environment: Vec::new(),
            working_dir: None,
            timeout: None,
            user_id: None,
            user: None,
            group_id: None,
            group: None,
            combine_stderr: false,
            stdin: None,
            terminal: None,
        };
        Command {
            container,
            command,
            options,
            keep: KEPT,
        }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the working directory.
    pub fn working_dir(mut self, dir: impl Into<String>) -> Self {
        self.options.working_dir = Some(dir.into());
        self
    }

    /// Sets a time limit, after which it is killed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout.as_secs_f64());
        self
    }

    /// Runs it as a user, by name.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.options.user = Some(user.into());
        self
    }

    /// Runs it as a user, by number.
    pub fn user_id(mut self, id: u32) -> Self {
        self.options.user_id = Some(id);
        self
    }

    /// Runs it with a group, by name.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.options.group = Some(group.into());
        self
    }

    /// Runs it with a group, by number.
    pub fn group_id(mut self, id: u32) -> Self {
        self.options.group_id = Some(id);
        self
    }

    /// Uses the environment, user and directory of a service, unless others are
    /// set.
    pub fn service_context(mut self, service: impl Into<String>) -> Self {
        self.options.service_context = Some(service.into());
        self
    }

    /// Sets its standard input.
    pub fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.options.stdin = Some(stdin.into());
        self
    }

    /// Runs it on a terminal of this size, which is its standard input and its
    /// output; 0 is Pebble's default.
    pub fn terminal(mut self, width: u16, height: u16) -> Self {
        self.options.terminal = Some(wit::TerminalSize { width, height });
        self
    }

    /// Combines standard error with standard output.
    pub fn combine_stderr(mut self) -> Self {
        self.options.combine_stderr = true;
        self
    }

    /// Sets the limit of each output stream of [`Command::run`] in bytes, instead
    /// of 16 MiB.
    pub fn keep(mut self, bytes: u32) -> Self {
        self.keep = bytes;
        self
    }

    /// Runs it and waits for its end.
    #[track_caller]
    pub fn run(mut self) -> Result<Output> {
        // Otherwise a command that reads its input would wait without end.
        self.options.stdin.get_or_insert_default();
        let process = wit::exec(&self.container, &self.command, &self.options).model()?;
        let output = process.wait_output(self.keep).model()?;
        let program = self.command.into_iter().next().unwrap_or_default();
        Ok(Output::new(program, output))
    }

    /// Starts it without waiting for its end.
    #[track_caller]
    pub fn start(self) -> Result<Process> {
        let process = wit::exec(&self.container, &self.command, &self.options).model()?;
        let program = self.command.into_iter().next().unwrap_or_default();
        Ok(Process { process, program })
    }
}

/// Result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    program: String,
    /// Exit code; 128 plus the signal's number if it was killed.
    pub exit_code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Whether the rest of standard output was dropped because of the limit.
    pub stdout_truncated: bool,
    /// Whether the rest of standard error was dropped because of the limit.
    pub stderr_truncated: bool,
}

impl Output {
    fn new(program: String, output: wit::CommandOutput) -> Self {
        Output {
            program,
            exit_code: output.exit_code,
            stdout: output.stdout,
            stderr: output.stderr,
            stdout_truncated: output.stdout_truncated,
            stderr_truncated: output.stderr_truncated,
        }
    }

    /// Returns itself if the exit code is 0, otherwise an error with standard error.
    #[track_caller]
    pub fn success(self) -> Result<Self> {
        if self.exit_code == 0 {
            return Ok(self);
        }
        let stderr = String::from_utf8_lossy(&self.stderr);
        let stderr: String = stderr.trim_end().chars().take(1024).collect();
        let (program, code) = (&self.program, self.exit_code);
        Err(Error::new(
            ErrorKind::Command(code),
            format!("cannot run {program}: it exited with {code}: {stderr}"),
        ))
    }

    /// Returns standard output as text, with invalid UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A standard stream of a [`Process`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardStream {
    /// Its standard input.
    Stdin,
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A running command. It is killed if this is dropped before its end.
///
/// It reads as its standard output, and writes as its standard input. A stream that
/// is not read fills up, and then the command waits: see [`poll`](crate::poll).
#[derive(Debug)]
pub struct Process {
    process: wit::Process,
    program: String,
}

impl Process {
    /// The id of the change that runs it.
    pub fn change_id(&self) -> String {
        self.process.change_id()
    }

    /// Writes to its standard input what fits, at least one byte; returns how much.
    #[track_caller]
    pub fn write_stdin(&self, input: &[u8]) -> Result<usize> {
        Ok(self.process.write_stdin(input).model()? as usize)
    }

    /// Writes all of the input. A command that prints before it reads on needs its
    /// output read meanwhile: see [`Process::write_stdin`].
    #[track_caller]
    pub fn write_all_stdin(&self, input: &[u8]) -> Result<()> {
        let mut rest = input;
        while !rest.is_empty() {
            let count = self.write_stdin(rest)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Closes its standard input.
    #[track_caller]
    pub fn close_stdin(&self) -> Result<()> {
        self.process.close_stdin().model()
    }

    /// Reads at most `max` bytes of standard output; none at the end.
    #[track_caller]
    pub fn read_stdout(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_stdout(max).model()
    }

    /// Reads at most `max` bytes of standard error; none at the end.
    #[track_caller]
    pub fn read_stderr(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_stderr(max).model()
    }

    /// Sends a signal, for example `SIGTERM`.
    #[track_caller]
    pub fn send_signal(&self, signal: &str) -> Result<()> {
        self.process.send_signal(signal).model()
    }

    /// Sets the size of its terminal.
    #[track_caller]
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        let size = wit::TerminalSize { width, height };
        self.process.resize(size).model()
    }

    /// Becomes ready when reading or writing the stream would not block.
    pub fn subscribe(&self, stream: StandardStream) -> Pollable {
        let stream = match stream {
            StandardStream::Stdin => wit::StandardStream::Stdin,
            StandardStream::Stdout => wit::StandardStream::Stdout,
            StandardStream::Stderr => wit::StandardStream::Stderr,
        };
        Pollable::new(self.process.subscribe(stream))
    }

    /// Closes its standard input, discards its output, waits for its end and returns
    /// its exit code.
    #[track_caller]
    pub fn wait(&self) -> Result<i32> {
        self.process.wait().model()
    }

    /// Closes its standard input and waits for its end. Returns up to `max` bytes of
    /// each output stream.
    #[track_caller]
    pub fn wait_output(&self, max: u32) -> Result<Output> {
        let output = self.process.wait_output(max).model()?;
        Ok(Output::new(self.program.clone(), output))
    }
}

impl Read for Process {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let chunk = self.read_stdout(max).map_err(io::Error::other)?;
        (&chunk[..]).read(buffer)
    }
}

impl Write for Process {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match buffer {
            [] => Ok(0),
            _ => self.write_stdin(buffer).map_err(io::Error::other),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
