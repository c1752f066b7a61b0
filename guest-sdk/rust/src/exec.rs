//! Commands in workload containers.

use std::time::Duration;

use crate::bindings::pebble as wit;
use crate::container::seconds;
use crate::error::ModelResult;
use crate::{Error, Result};

/// Default limit of each output stream: 16 MiB.
const KEPT: u32 = 16 * 1024 * 1024;

/// A command in a container.
#[derive(Debug, Clone)]
pub struct Command {
    container: String,
    command: Vec<String>,
    options: wit::CommandOptions,
    keep: u32,
}

impl Command {
    pub(crate) fn new(container: String, command: Vec<String>) -> Self {
        let options = wit::CommandOptions {
            service_context: None,
            variables: Vec::new(),
            working_dir: None,
            timeout: None,
            user_id: None,
            user: None,
            group_id: None,
            group: None,
            combine_output: false,
            input: None,
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
        self.options.variables.push(wit::EnvironmentVariable {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Sets the working directory.
    pub fn working_dir(mut self, dir: impl Into<String>) -> Self {
        self.options.working_dir = Some(dir.into());
        self
    }

    /// Sets a time limit, after which it is killed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(seconds(timeout));
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
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.options.input = Some(input.into());
        self
    }

    /// Combines standard error with standard output.
    pub fn combine_output(mut self) -> Self {
        self.options.combine_output = true;
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
        self.options.input.get_or_insert_default();
        let process = wit::exec(&self.container, &self.command, &self.options).model()?;
        let output = process.collect(self.keep).model()?;
        Ok(Output {
            program: self.command.into_iter().next().unwrap_or_default(),
            code: output.code,
            stdout: output.output,
            stderr: output.error_output,
            truncated: output.truncated,
        })
    }

    /// Starts it without waiting for its end.
    #[track_caller]
    pub fn start(self) -> Result<Process> {
        let process = wit::exec(&self.container, &self.command, &self.options).model()?;
        Ok(Process { process })
    }
}

/// Result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    program: String,
    /// Exit code; 128 plus the signal's number if it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Whether output was dropped because of the limit.
    pub truncated: bool,
}

impl Output {
    /// Returns itself if the exit code is 0, otherwise an error with standard error.
    #[track_caller]
    pub fn success(self) -> Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        let stderr = String::from_utf8_lossy(&self.stderr);
        let stderr: String = stderr.trim_end().chars().take(1024).collect();
        Err(Error::msg(format!(
            "cannot run {}: it exited with {}: {stderr}",
            self.program, self.code
        )))
    }

    /// Returns standard output as text, with invalid UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A running command. It is killed if this is dropped before its end.
#[derive(Debug)]
pub struct Process {
    process: wit::Process,
}

impl Process {
    /// Writes to its standard input.
    #[track_caller]
    pub fn write(&self, input: &[u8]) -> Result<()> {
        self.process.write_input(input).model()
    }

    /// Closes its standard input.
    #[track_caller]
    pub fn close_input(&self) -> Result<()> {
        self.process.close_input().model()
    }

    /// Reads at most `max` bytes of standard output; none at the end.
    #[track_caller]
    pub fn read(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_output(max).model()
    }

    /// Reads at most `max` bytes of standard error; none at the end.
    #[track_caller]
    pub fn read_error(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_error_output(max).model()
    }

    /// Sends a signal, for example `SIGTERM`.
    #[track_caller]
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.process.send_signal(signal).model()
    }

    /// Waits for its end and returns its exit code.
    #[track_caller]
    pub fn wait(self) -> Result<i32> {
        self.process.wait().model()
    }
}
