//! Commands in workload containers.

use std::time::Duration;

use crate::bindings::pebble as wit;
use crate::container::seconds;
use crate::error::ModelResult;
use crate::{Error, Result};

/// How much of each output stream is kept unless told otherwise: 16 MiB.
const KEPT: u32 = 16 * 1024 * 1024;

/// A command to be run in a container.
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

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.variables.push(wit::EnvironmentVariable {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Sets the directory it runs in.
    pub fn working_dir(mut self, dir: impl Into<String>) -> Self {
        self.options.working_dir = Some(dir.into());
        self
    }

    /// Kills it after so long.
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

    /// Gives it the environment, user and directory of a service, where it is
    /// not told others.
    pub fn service_context(mut self, service: impl Into<String>) -> Self {
        self.options.service_context = Some(service.into());
        self
    }

    /// Gives it all of its input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.options.input = Some(input.into());
        self
    }

    /// Lets its error output come with its output.
    pub fn combine_output(mut self) -> Self {
        self.options.combine_output = true;
        self
    }

    /// How many bytes of each output stream [`Command::run`] keeps, instead of
    /// 16 MiB.
    pub fn keep(mut self, bytes: u32) -> Self {
        self.keep = bytes;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> Result<Output> {
        // Without it a command that reads its input would wait for ever.
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

    /// Starts it, to talk to it while it runs.
    #[track_caller]
    pub fn start(self) -> Result<Process> {
        let process = wit::exec(&self.container, &self.command, &self.options).model()?;
        Ok(Process { process })
    }
}

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    program: String,
    /// Its exit code: 128 and the signal's number for one that was killed.
    pub code: i32,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// Its complaints.
    pub stderr: Vec<u8>,
    /// Whether it printed more than was kept.
    pub truncated: bool,
}

impl Output {
    /// Itself if the exit code is 0, else an error with what it complained of.
    #[track_caller]
    pub fn success(self) -> Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        let complaint = String::from_utf8_lossy(&self.stderr);
        let complaint: String = complaint.trim_end().chars().take(1024).collect();
        Err(Error::msg(format!(
            "cannot run {}: it exited with {}: {complaint}",
            self.program, self.code
        )))
    }

    /// What it printed as text; what is not UTF-8 is replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A command that runs. Dropped before it has ended, it is killed.
#[derive(Debug)]
pub struct Process {
    process: wit::Process,
}

impl Process {
    /// Gives it some input.
    #[track_caller]
    pub fn write(&self, input: &[u8]) -> Result<()> {
        self.process.write_input(input).model()
    }

    /// Ends its input.
    #[track_caller]
    pub fn close_input(&self) -> Result<()> {
        self.process.close_input().model()
    }

    /// Some of its output, at most `max` bytes; nothing at the end.
    #[track_caller]
    pub fn read(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_output(max).model()
    }

    /// Some of its error output, at most `max` bytes; nothing at the end.
    #[track_caller]
    pub fn read_error(&self, max: u32) -> Result<Vec<u8>> {
        self.process.read_error_output(max).model()
    }

    /// Sends it a signal, as `SIGTERM`.
    #[track_caller]
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.process.send_signal(signal).model()
    }

    /// Waits for its end and gives its exit code.
    #[track_caller]
    pub fn wait(self) -> Result<i32> {
        self.process.wait().model()
    }
}
