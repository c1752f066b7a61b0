//! A running command (`pebble §11`).

use std::future::pending;

use bytes::Bytes;
use futures_util::future::try_join;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::streams::{Captured, Input, Output, send_all};
use super::watch::{Watch, While};
use super::{Exec, Streams};
use crate::http::{CONNECTION, silent};
use crate::pace::Silence;
use crate::websocket::{Receiver, STREAM, Sender};
use crate::{Client, Error, QUEUE};

/// A running command. It is killed if this is dropped before the command has
/// exited.
///
/// A command whose output is not read waits once the queue is full.
pub struct Process {
    watch: Watch,
    control: (Sender, Receiver),
    input: Option<Input>,
    /// The task that sends the input.
    sender: JoinHandle<()>,
    /// Why some input did not reach the command.
    failed: Option<Error>,
    output: Output,
    error_output: Option<Output>,
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

#[derive(Serialize)]
struct Command<'a> {
    command: &'static str,
    signal: Signal<'a>,
}

#[derive(Serialize)]
struct Signal<'a> {
    name: &'a str,
}

impl Process {
    /// The most bytes that one handle buffers, beside [`Exec::input`].
    pub const CAPACITY: usize = CONNECTION + 3 * (QUEUE + STREAM);

    pub(super) fn new(client: Client, change: String, exec: &Exec, streams: Streams) -> Self {
        let (sender, receiver) = streams.stdio;
        let (input, sender) = match &exec.input {
            Some(all) => (None, tokio::spawn(send_all(all.clone(), sender))),
            None => {
                let (input, sender) = Input::new(sender);
                (Some(input), sender)
            }
        };
        Process {
            watch: Watch::new(client, change, exec.timeout()),
            control: streams.control,
            input,
            sender,
            failed: None,
            output: Output::new(receiver),
            error_output: streams.stderr.map(Output::new),
        }
    }

    /// Returns the id of the change that runs it.
    pub fn change_id(&self) -> &str {
        &self.watch.change
    }

    /// Adds a chunk of any size to its input. Returns once all of it is queued, or
    /// the command has exited.
    ///
    /// An error is final: a part of the chunk may have been sent, so nothing can be
    /// added afterwards, and waiting for the command returns the error too.
    pub async fn write_input(&mut self, chunk: impl AsRef<[u8]>) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(input) = &mut self.input else {
            let detail = "cannot write to a command whose input was closed";
            return Err(Error::Invalid(detail.to_owned()));
        };
        let written = write(&mut self.watch, input, chunk.as_ref()).await;
        if let Err(error) = &written {
            self.sender.abort();
            self.failed = Some(error.clone());
        }
        self.note_end();
        written
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Returns the next chunk of its standard output, of at most `max` bytes; an
    /// empty one at the end.
    pub async fn read_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let limit = self.watch.left();
        let read = self
            .watch
            .while_running(limit, self.output.read(max))
            .await?;
        match read {
            While::Finished(read) => read,
            While::Exited => {
                self.note_end();
                self.output.read(max).await
            }
        }
    }

    /// Returns the next chunk of its standard error; always an empty one if that is
    /// part of the standard output.
    pub async fn read_error_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let limit = self.watch.left();
        let Some(output) = &mut self.error_output else {
            return Ok(Bytes::new());
        };
        match self.watch.while_running(limit, output.read(max)).await? {
            While::Finished(read) => read,
            While::Exited => {
                output.command_has_exited(self.watch.client.silence());
                output.read(max).await
            }
        }
    }

    /// Sends it a signal, for example `SIGTERM`.
    pub async fn send_signal(&mut self, signal: &str) -> Result<(), Error> {
        let command = Command {
            command: "signal",
            signal: Signal { name: signal },
        };
        let text = serde_json::to_string(&command)
            .map_err(|error| Error::Invalid(format!("cannot send {signal}: {error}")))?;
        let silence = self.watch.client.silence();
        let doing = format!("send {signal} to a command");
        match timeout(silence, self.control.0.command(&text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) if self.watch.ask_for_exit().await => {
                Err(Error::Invalid(format!("cannot {doing} that has exited")))
            }
            Ok(Err(error)) => Err(self.watch.client.http().not_ready(error)),
            Err(_) => Err(silent(&doing, Silence(silence))),
        }
    }

    /// Ends its input, discards the rest of its output, waits until it exits, and
    /// returns its exit code.
    ///
    /// The limit is the timeout of the command and a second more, from this call
    /// on (`pebble §11.3`): Pebble itself kills the command after the timeout.
    pub async fn wait(mut self) -> Result<i32, Error> {
        self.finish_input()?;
        self.output.discard();
        if let Some(output) = &mut self.error_output {
            output.discard();
        }
        let limit = self.watch.whole();
        self.watch.end(limit).await
    }

    /// Reads standard output and standard error to their ends, returns up to `max`
    /// bytes of each, and waits as [`Process::wait`] does.
    pub async fn collect(mut self, max: usize) -> Result<Collected, Error> {
        self.finish_input()?;
        let started = Instant::now();
        let limit = self.watch.whole();
        let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
        let both = collect_both(
            &mut self.output,
            &mut self.error_output,
            max,
            &mut stdout,
            &mut stderr,
        );
        let collected = self.watch.while_running(limit, both).await?;
        match collected {
            While::Finished(read) => read?,
            While::Exited => {
                self.note_end();
                let (output, errors) = (&mut self.output, &mut self.error_output);
                collect_both(output, errors, max, &mut stdout, &mut stderr).await?;
            }
        }
        let left = limit.map(|limit| limit.saturating_sub(started.elapsed()));
        Ok(Collected {
            code: self.watch.end(left).await?,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            stdout_truncated: stdout.truncated,
            stderr_truncated: stderr.truncated,
        })
    }

    /// Ends its input; returns the error if a part of it could not be sent.
    fn finish_input(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => {
                self.input = None;
                Ok(())
            }
        }
    }

    /// Limits the time for the rest of its output if the command has exited.
    fn note_end(&mut self) {
        if !self.watch.has_exited() {
            return;
        }
        let silence = self.watch.client.silence();
        self.output.command_has_exited(silence);
        if let Some(output) = &mut self.error_output {
            output.command_has_exited(silence);
        }
    }
}

/// Queues all of a chunk.
async fn write(watch: &mut Watch, input: &mut Input, mut rest: &[u8]) -> Result<(), Error> {
    let limit = watch.left();
    while !rest.is_empty() {
        match watch.while_running(limit, input.write(rest)).await? {
            While::Finished(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
            // The stream is closed, which is no error if the command exits.
            While::Finished(Err(_)) => {
                watch.while_running(limit, pending::<()>()).await?;
                return Ok(());
            }
            While::Exited => return Ok(()),
        }
    }
    Ok(())
}

/// Reads both streams at the same time: a command that fills the queue of one
/// waits for its reader.
async fn collect_both(
    output: &mut Output,
    error_output: &mut Option<Output>,
    max: usize,
    stdout: &mut Captured,
    stderr: &mut Captured,
) -> Result<(), Error> {
    let errors = async {
        match error_output {
            Some(output) => output.collect(max, stderr).await,
            None => Ok(()),
        }
    };
    try_join(output.collect(max, stdout), errors).await?;
    Ok(())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.sender.abort();
        self.output.abort();
        if let Some(output) = &self.error_output {
            output.abort();
        }
    }
}
