//! A running command (`pebble §11`).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join;
use serde::Serialize;
use tokio::time::timeout;

use super::streams::{Captured, Input, Output};
use super::watch::Watch;
use super::{Exec, Streams, TerminalSize};
use crate::budget::Budget;
use crate::http::{CONNECTION, silent};
use crate::pace::Silence;
use crate::readiness::Readiness;
use crate::websocket::{Receiver, STREAM, Sender};
use crate::{Client, Error, QUEUE};

/// A running command. It is killed if this is dropped before the command has
/// exited.
///
/// Tasks of the runtime move its input and output while the caller waits for
/// anything else. A command whose output is not read waits once the queue is full.
pub struct Process {
    client: Client,
    control: (Sender, Receiver),
    has_terminal: bool,
    stdin: Input,
    stdout: Output,
    stderr: Option<Output>,
    watch: Watch,
}

/// The result of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Its exit code; 128 plus the number of the signal that killed it.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, unless that is part of the standard output.
    pub stderr: Vec<u8>,
    /// Whether there was more standard output than the limit.
    pub stdout_truncated: bool,
    /// Whether there was more standard error than the limit.
    pub stderr_truncated: bool,
}

/// A message on the control connection.
#[derive(Serialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
enum Command<'a> {
    Signal { signal: Signal<'a> },
    Resize { resize: TerminalSize },
}

#[derive(Serialize)]
struct Signal<'a> {
    name: &'a str,
}

impl Process {
    /// The most bytes that one handle buffers, beside [`Exec::input`].
    pub const CAPACITY: usize = CONNECTION + 3 * (QUEUE + STREAM);

    pub(super) fn new(client: Client, change: String, exec: &Exec, streams: Streams) -> Self {
        let watch = Watch::new(client.clone(), change, exec.timeout());
        let (sender, receiver) = streams.stdio;
        let silence = client.silence();
        let output = |receiver| Output::new(receiver, watch.ended(), silence);
        Process {
            control: streams.control,
            has_terminal: exec.terminal.is_some(),
            stdin: match &exec.input {
                Some(all) => Input::whole(all.clone(), sender, watch.ended()),
                None => Input::new(sender, watch.ended()),
            },
            stdout: output(receiver),
            stderr: streams.stderr.map(output),
            client,
            watch,
        }
    }

    /// Returns the id of the change that runs it.
    pub fn change_id(&self) -> &str {
        self.watch.change()
    }

    /// Adds as much to its input as there is room for, at least one byte, and
    /// returns how much. Waits until there is room. Returns [`Error::Closed`] if the
    /// input or the command has ended.
    pub async fn write_stdin(&self, chunk: &[u8]) -> Result<usize, Error> {
        self.stdin.write(chunk).await
    }

    /// Ends its input. Returns [`Error::Closed`] if that has ended.
    pub fn close_stdin(&self) -> Result<(), Error> {
        self.stdin.finish()
    }

    /// Returns the standard output that is there, at most `max` bytes of it; none at
    /// the end. Waits until there is some.
    pub async fn read_stdout(&self, max: usize) -> Result<Bytes, Error> {
        self.stdout.read(max).await
    }

    /// Returns the standard error that is there, as [`Process::read_stdout`]; always
    /// none if it is part of the standard output.
    pub async fn read_stderr(&self, max: usize) -> Result<Bytes, Error> {
        match &self.stderr {
            Some(output) => output.read(max).await,
            None => Ok(Bytes::new()),
        }
    }

    /// When [`Process::write_stdin`] would not wait.
    pub fn stdin_readiness(&self) -> Readiness {
        self.stdin.readiness()
    }

    /// When [`Process::read_stdout`] would not wait.
    pub fn stdout_readiness(&self) -> Readiness {
        self.stdout.readiness()
    }

    /// When [`Process::read_stderr`] would not wait.
    pub fn stderr_readiness(&self) -> Readiness {
        let readiness = self.stderr.as_ref().map(Output::readiness);
        readiness.unwrap_or_else(Readiness::always)
    }

    /// Sends it a signal, for example `SIGTERM`. Returns [`Error::Closed`] if it has
    /// exited.
    pub async fn send_signal(&mut self, signal: &str) -> Result<(), Error> {
        let doing = format!("send {signal} to a command");
        let signal = Signal { name: signal };
        self.command(&doing, &Command::Signal { signal }).await
    }

    /// Sets the size of its terminal. Returns [`Error::Invalid`] if it has none, and
    /// [`Error::Closed`] if it has exited.
    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), Error> {
        let doing = "set the size of a command's terminal";
        if !self.has_terminal {
            let detail = format!("cannot {doing}: it was started without a terminal");
            return Err(Error::Invalid(detail));
        }
        let resize = Command::Resize { resize: size };
        self.command(doing, &resize).await
    }

    /// Sends a message on the control connection, which the daemon never answers.
    async fn command(&mut self, doing: &str, command: &Command<'_>) -> Result<(), Error> {
        let exited = || Error::Closed(format!("cannot {doing}: it has ended"));
        match self.watch.ended().now() {
            Some(Ok(_)) => return Err(exited()),
            Some(Err(error)) => return Err(error),
            None => {}
        }
        let text = serde_json::to_string(command)
            .map_err(|error| Error::Invalid(format!("cannot {doing}: {error}")))?;
        let silence = self.client.silence();
        match timeout(silence, self.control.0.command(&text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) if self.watch.has_exited().await => Err(exited()),
            Ok(Err(error)) => Err(self.client.http().not_ready(error)),
            Err(_) => Err(silent(doing, Silence(silence))),
        }
    }

    /// Ends its input, discards the rest of its output, waits until it exits, and
    /// returns its exit code, also if it is called again.
    ///
    /// A command with a timeout is killed by Pebble, and waited for a second more
    /// (`pebble §11.3`).
    pub async fn wait(&mut self) -> Result<i32, Error> {
        self.finish_stdin();
        self.stdout.discard();
        if let Some(output) = &self.stderr {
            output.discard();
        }
        self.watch.exit_code().await
    }

    /// Ends its input, reads standard output and standard error to their ends,
    /// returns up to `max` bytes of each, which count against the budget meanwhile,
    /// and waits as [`Process::wait`] does.
    pub async fn collect(
        &mut self,
        max: usize,
        budget: &Arc<dyn Budget>,
    ) -> Result<Collected, Error> {
        self.finish_stdin();
        let (mut stdout, mut stderr) = (Captured::new(budget), Captured::new(budget));
        let errors = async {
            match &self.stderr {
                Some(output) => output.collect(max, &mut stderr).await,
                None => Ok(()),
            }
        };
        // A command that fills the queue of one stream waits for its reader.
        try_join(self.stdout.collect(max, &mut stdout), errors).await?;
        Ok(Collected {
            code: self.watch.exit_code().await?,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            stdout_truncated: stdout.truncated,
            stderr_truncated: stderr.truncated,
        })
    }

    /// Ends its input, unless that has ended.
    fn finish_stdin(&self) {
        let _ = self.stdin.finish();
    }
}
