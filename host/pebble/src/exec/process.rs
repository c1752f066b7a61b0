//! A command that runs.

use std::future::pending;

use bytes::Bytes;
use futures_util::future::try_join;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::streams::{Input, Kept, Output, send_all};
use super::watch::{Attended, Watch};
use super::{Exec, Streams};
use crate::http::{CONNECTION, silent};
use crate::pace::Silence;
use crate::websocket::{Receiver, STREAM, Sender};
use crate::{Client, Error, QUEUE};

/// A command that runs. Dropped before it has ended, it is killed.
///
/// A stream that is not read fills its queue, and the command then waits.
pub struct Process {
    watch: Watch,
    control: (Sender, Receiver),
    input: Option<Input>,
    /// What sends the input.
    sends: JoinHandle<()>,
    /// Why some input did not reach the command.
    failed: Option<Error>,
    output: Output,
    error_output: Option<Output>,
}

/// What a command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Its exit code: 128 and the signal's number for one that was killed.
    pub code: i32,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its error output, unless that came with the output.
    pub stderr: Vec<u8>,
    /// Whether there was more than was wanted.
    pub truncated: bool,
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
    /// Bytes that one holds at most, beside [`Exec::input`].
    pub const CAPACITY: usize = CONNECTION + 3 * (QUEUE + STREAM);

    pub(super) fn new(client: Client, change: String, exec: &Exec, streams: Streams) -> Self {
        let (sender, receiver) = streams.stdio;
        let (input, sends) = match &exec.input {
            Some(all) => (None, tokio::spawn(send_all(all.clone(), sender))),
            None => {
                let (input, sends) = Input::new(sender);
                (Some(input), sends)
            }
        };
        Process {
            watch: Watch::new(client, change, exec.timeout()),
            control: streams.control,
            input,
            sends,
            failed: None,
            output: Output::new(receiver),
            error_output: streams.stderr.map(Output::new),
        }
    }

    /// Adds a chunk of any size to its input: returns once all of it is queued,
    /// or the command is over and takes no more.
    ///
    /// An error is final: some of the chunk may have been sent, so nothing can
    /// be added afterwards, and waiting for the command returns the error too.
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
            self.sends.abort();
            self.failed = Some(error.clone());
        }
        self.note_end();
        written
    }

    /// Closes its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Returns the next chunk of its output, of at most `max` bytes; an empty
    /// one at the end.
    pub async fn read_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let limit = self.watch.left();
        let read = self.watch.attend(limit, self.output.read(max)).await?;
        match read {
            Attended::Done(read) => read,
            Attended::Over => {
                self.note_end();
                self.output.read(max).await
            }
        }
    }

    /// The same for its error output; always empty if that comes with the
    /// output.
    pub async fn read_error_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let limit = self.watch.left();
        let Some(output) = &mut self.error_output else {
            return Ok(Bytes::new());
        };
        match self.watch.attend(limit, output.read(max)).await? {
            Attended::Done(read) => read,
            Attended::Over => {
                output.command_is_over(self.watch.client.silence());
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
            Ok(Err(_)) if self.watch.has_ended().await => {
                Err(Error::Invalid(format!("cannot {doing} that is over")))
            }
            Ok(Err(error)) => Err(self.watch.client.http().not_ready(error)),
            Err(_) => Err(silent(&doing, Silence(silence))),
        }
    }

    /// Waits for its end and returns its exit code. Output that was not read by
    /// then is discarded; its input is closed.
    ///
    /// A timeout of the command is counted from this call, and a second more:
    /// Pebble kills it when its own count is over.
    pub async fn wait(mut self) -> Result<i32, Error> {
        self.finish_input()?;
        self.output.discard();
        if let Some(output) = &mut self.error_output {
            output.discard();
        }
        let limit = self.watch.whole();
        self.watch.end(limit).await
    }

    /// Reads both of its outputs to their ends, keeping so much of each, and
    /// waits for its end as [`Process::wait`] does.
    pub async fn collect(mut self, max: usize) -> Result<Collected, Error> {
        self.finish_input()?;
        let started = Instant::now();
        let limit = self.watch.whole();
        let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
        let both = collect_both(
            &mut self.output,
            &mut self.error_output,
            max,
            &mut stdout,
            &mut stderr,
        );
        let collected = self.watch.attend(limit, both).await?;
        match collected {
            Attended::Done(read) => read?,
            Attended::Over => {
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
            truncated: stdout.truncated || stderr.truncated,
        })
    }

    /// Closes its input, all of which must have been queued.
    fn finish_input(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => {
                self.input = None;
                Ok(())
            }
        }
    }

    /// Lets its output end soon if the command is over.
    fn note_end(&mut self) {
        if !self.watch.is_over() {
            return;
        }
        let silence = self.watch.client.silence();
        self.output.command_is_over(silence);
        if let Some(output) = &mut self.error_output {
            output.command_is_over(silence);
        }
    }
}

/// Queues all of a chunk.
async fn write(watch: &mut Watch, input: &mut Input, mut rest: &[u8]) -> Result<(), Error> {
    let limit = watch.left();
    while !rest.is_empty() {
        match watch.attend(limit, input.write(rest)).await? {
            Attended::Done(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
            // The stream is closed: right if the command is over.
            Attended::Done(Err(_)) => {
                watch.attend(limit, pending::<()>()).await?;
                return Ok(());
            }
            Attended::Over => return Ok(()),
        }
    }
    Ok(())
}

/// Collects both outputs at the same time: a command that writes much to one
/// waits for its reader.
async fn collect_both(
    output: &mut Output,
    error_output: &mut Option<Output>,
    max: usize,
    stdout: &mut Kept,
    stderr: &mut Kept,
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
        self.sends.abort();
        self.output.abort();
        if let Some(output) = &self.error_output {
            output.abort();
        }
    }
}
