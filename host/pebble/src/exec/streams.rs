//! Input and output of a command, each with its own task (`pebble §11.2`).

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use tokio::task::JoinHandle;

use super::watch::Ended;
use crate::budget::{Account, Budget};
use crate::http::silent;
use crate::pace::Pace;
use crate::queue::{Queue, closed};
use crate::readiness::Readiness;
use crate::websocket::{Receiver, Sender};
use crate::{CHUNK, Error};

/// The most bytes of one stream that may come after the command has exited. They
/// were sent before, so they are in the buffers of the sockets.
const MAX_REST: usize = 16 << 20;
/// The message that ends input.
const END: &str = r#"{"command":"end"}"#;

/// Input of a command.
pub struct Input {
    queue: Arc<Queue<Bytes>>,
    task: JoinHandle<()>,
}

impl Input {
    /// The task sends the input and its end. If it is aborted, it sends no end:
    /// half of the input must not pass for all of it.
    pub fn new(sender: Sender, ended: Ended) -> Self {
        let queue = Queue::new();
        let task = tokio::spawn(send(queue.clone(), sender, ended));
        Input { queue, task }
    }

    /// Input that is complete.
    pub fn whole(input: Bytes, sender: Sender, ended: Ended) -> Self {
        let stream = Input::new(sender, ended);
        if !input.is_empty() {
            stream.queue.add(input);
        }
        stream.queue.end(Ok(()));
        stream
    }

    /// Queues as many bytes as there is room for, at least one.
    pub async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        self.queue.write(bytes).await
    }

    /// Ends the input.
    pub fn finish(&self) -> Result<(), Error> {
        if self.queue.has_ended() {
            return Err(closed());
        }
        self.queue.end(Ok(()));
        Ok(())
    }

    pub fn readiness(&self) -> Readiness {
        self.queue.writable()
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.close(closed());
    }
}

async fn send(queue: Arc<Queue<Bytes>>, mut sender: Sender, mut ended: Ended) {
    let sending = async {
        // A command that takes no more input may still run.
        while let Ok(chunk) = queue.read(CHUNK).await {
            let sent = match chunk.is_empty() {
                true => sender.command(END).await,
                false => sender.data(chunk.clone()).await,
            };
            if chunk.is_empty() || sent.is_err() {
                break;
            }
        }
        pending::<()>().await;
    };
    let end = match select(pin!(sending), pin!(ended.wait())).await {
        Either::Left(_) => return,
        Either::Right((end, _)) => end,
    };
    queue.close(match end {
        Ok(_) => Error::Closed("cannot write to a command that has ended".to_owned()),
        Err(error) => error,
    });
}

/// Output of a command.
pub struct Output {
    queue: Arc<Queue<Bytes>>,
    task: JoinHandle<()>,
}

impl Output {
    /// `silence` limits how long the daemon may be silent once the command has
    /// exited.
    pub fn new(receiver: Receiver, ended: Ended, silence: Duration) -> Self {
        let queue = Queue::new();
        let received = queue.clone();
        let task = tokio::spawn(async move {
            let result = receive(receiver, &received, ended, silence).await;
            received.end(result);
        });
        Output { queue, task }
    }

    /// Returns the next bytes, at most `max`; none at the end.
    pub async fn read(&self, max: usize) -> Result<Bytes, Error> {
        self.queue.read(max).await
    }

    /// Reads to the end, and captures up to `max` bytes.
    pub async fn collect(&self, max: usize, captured: &mut Captured) -> Result<(), Error> {
        loop {
            let chunk = self.read(CHUNK).await?;
            if chunk.is_empty() {
                return Ok(());
            }
            let room = max.saturating_sub(captured.bytes.len());
            captured.truncated |= chunk.len() > room;
            let wanted = chunk.get(..room).unwrap_or(&chunk);
            captured.held.hold(wanted.len())?;
            captured.bytes.extend_from_slice(wanted);
        }
    }

    /// Discards all further output, so that the command does not wait.
    pub fn discard(&self) {
        self.queue.close(closed());
    }

    pub fn readiness(&self) -> Readiness {
        self.queue.readable()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.task.abort();
        self.discard();
    }
}

/// The captured output of a stream.
pub struct Captured {
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
    held: Account,
}

impl Captured {
    pub fn new(budget: &Arc<dyn Budget>) -> Self {
        Captured {
            bytes: Vec::new(),
            truncated: false,
            held: Account::new(budget.clone()),
        }
    }
}

/// Receives a stream to its end. Once the command has exited, the rest of it is
/// limited; if the command is given up, the stream is too.
async fn receive(
    mut receiver: Receiver,
    queue: &Queue<Bytes>,
    mut ended: Ended,
    silence: Duration,
) -> Result<(), Error> {
    let mut pace = Pace::new(silence);
    let mut rest = None;
    loop {
        if rest.is_none()
            && let Some(end) = ended.now()
        {
            end?;
            rest = Some(MAX_REST);
        }
        let chunk = match &mut rest {
            None => match select(pin!(receiver.next()), pin!(ended.wait())).await {
                Either::Left((chunk, _)) => chunk?,
                Either::Right(_) => continue,
            },
            Some(left) => {
                let chunk = pace.wait(receiver.next()).await;
                let doing = "read the rest of a command's output";
                let chunk = chunk.map_err(|silence| silent(doing, silence))??;
                let count = chunk.as_ref().map_or(0, Bytes::len);
                pace.add(count);
                *left = left.checked_sub(count).ok_or_else(endless)?;
                chunk
            }
        };
        let Some(chunk) = chunk else { return Ok(()) };
        // Without a reader the rest is discarded.
        if queue.room().await.is_ok() {
            queue.add(chunk);
        }
    }
}

fn endless() -> Error {
    Error::Protocol("the output of a command that has exited does not end".to_owned())
}
