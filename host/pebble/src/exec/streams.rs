//! Input and output of a command, each with its own task (`pebble §11.2`).

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use crate::http::silent;
use crate::pace::Pace;
use crate::websocket::{Receiver, Sender};
use crate::{CHUNK, Error, QUEUE};

/// The most bytes of one stream that may come after the command has exited. They
/// were sent before, so they are in the buffers of the sockets.
const MAX_REST: usize = 16 << 20;
/// The message that ends input.
const END: &str = r#"{"command":"end"}"#;

/// Input of a command. It ends when this is dropped.
pub struct Input(DuplexStream);

impl Input {
    /// The task sends the input and its end. If it is aborted, it sends no end:
    /// half of the input must not pass for all of it.
    pub fn new(sender: Sender) -> (Self, JoinHandle<()>) {
        let (queue, unsent) = duplex(QUEUE);
        (Input(queue), tokio::spawn(send(unsent, sender)))
    }

    /// Queues some of the bytes and returns how many; an error when the stream
    /// is closed.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).await
    }
}

async fn send(mut unsent: DuplexStream, mut sender: Sender) {
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK);
        match unsent.read_buf(&mut (&mut chunk).limit(CHUNK)).await {
            Ok(1..) => {}
            // If the end does not arrive, the command has exited anyway.
            _ => return drop(sender.command(END).await),
        }
        if sender.data(chunk.split().freeze()).await.is_err() {
            return;
        }
    }
}

/// Sends all input of a command, and its end.
pub async fn send_all(mut input: Bytes, mut sender: Sender) {
    while !input.is_empty() {
        let chunk = input.split_to(input.len().min(CHUNK));
        if sender.data(chunk).await.is_err() {
            return;
        }
    }
    drop(sender.command(END).await);
}

/// Output of a command.
pub struct Output {
    queue: DuplexStream,
    task: JoinHandle<Result<(), Error>>,
    /// The result of the stream, once it has ended.
    ended: Option<Result<(), Error>>,
    /// Once the command has exited: the time for the rest, and the most bytes that
    /// it may have.
    rest: Option<(Pace, usize)>,
}

impl Output {
    pub fn new(receiver: Receiver) -> Self {
        let (unread, queue) = duplex(QUEUE);
        Output {
            queue,
            task: tokio::spawn(receive(receiver, Some(unread))),
            ended: None,
            rest: None,
        }
    }

    /// Stops receiving.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Limits the rest of the output, after the command has exited.
    pub fn command_has_exited(&mut self, silence: Duration) {
        self.rest
            .get_or_insert_with(|| (Pace::new(silence), MAX_REST));
    }

    /// Returns the next bytes, at most `max`; none at the end.
    pub async fn read(&mut self, max: usize) -> Result<Bytes, Error> {
        if max == 0 {
            return Ok(Bytes::new());
        }
        if let Some(ended) = &self.ended {
            return ended.clone().map(|()| Bytes::new());
        }
        let mut chunk = BytesMut::new();
        chunk.reserve(max.min(CHUNK));
        let mut limited = (&mut chunk).limit(max.min(CHUNK));
        let read = self.queue.read_buf(&mut limited);
        let read = match &mut self.rest {
            None => read.await,
            Some((pace, left)) => {
                let doing = "read the rest of a command's output";
                let read = pace.wait(read).await;
                let read = read.map_err(|silence| silent(doing, silence))?;
                let count = *read.as_ref().unwrap_or(&0);
                pace.add(count);
                *left = left.checked_sub(count).ok_or_else(endless)?;
                read
            }
        };
        if matches!(read, Ok(1..)) {
            return Ok(chunk.freeze());
        }
        let ended = match (&mut self.task).await {
            Ok(ended) => ended,
            Err(_) => Err(Error::Protocol("its output was stopped".to_owned())),
        };
        self.ended = Some(ended.clone());
        ended.map(|()| Bytes::new())
    }

    /// Reads to the end, and captures up to `max` bytes.
    pub async fn collect(&mut self, max: usize, captured: &mut Captured) -> Result<(), Error> {
        loop {
            let chunk = self.read(CHUNK).await?;
            if chunk.is_empty() {
                return Ok(());
            }
            let room = max.saturating_sub(captured.bytes.len());
            captured.truncated |= chunk.len() > room;
            let wanted = chunk.get(..room).unwrap_or(&chunk);
            captured.bytes.extend_from_slice(wanted);
        }
    }

    /// Discards all further output.
    pub fn discard(&mut self) {
        // The task sees that the other end of its queue is dropped.
        self.queue = duplex(1).0;
    }
}

fn endless() -> Error {
    Error::Protocol("the output of a command that has exited does not end".to_owned())
}

/// The captured output of a stream.
#[derive(Default)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// Receives a stream to its end. Discards the data once the reader is dropped, so
/// that the command does not block.
async fn receive(mut receiver: Receiver, mut unread: Option<DuplexStream>) -> Result<(), Error> {
    while let Some(chunk) = receiver.next().await? {
        if let Some(queue) = &mut unread
            && queue.write_all(&chunk).await.is_err()
        {
            unread = None;
        }
    }
    Ok(())
}
