//! Streams of a command (`pebble §11.2`).
//!
//! There is no closing handshake: the daemon does not respond to one.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::connect::{self, Stream};
use crate::http::{Http, silent};
use crate::pace::Pace;
use crate::{CHUNK, Error};

/// The largest message, in bytes. The daemon's have at most 64 KiB.
const MAX_MESSAGE: usize = 4 * CHUNK;
/// The most messages of one stream that are neither data nor its end. Pebble sends
/// none.
const MAX_STRAY: u32 = 1000;
/// The most bytes that one stream buffers, in both directions.
pub const STREAM: usize = MAX_MESSAGE + 6 * CHUNK;

/// A connection that counts the received bytes.
struct Counted {
    stream: Stream,
    received: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        self.received.fetch_add(count, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The sending half of a stream.
pub struct Sender(SplitSink<WebSocketStream<Counted>, Message>);

/// The receiving half of a stream.
pub struct Receiver {
    stream: SplitStream<WebSocketStream<Counted>>,
    received: Arc<AtomicUsize>,
    http: Http,
    stray: u32,
}

/// Connects to a stream of a task, without a time limit.
pub async fn connect(http: &Http, task: &str, name: &str) -> Result<(Sender, Receiver), Error> {
    let stream = connect::connect(http.connector())
        .await
        .map_err(|error| http.not_ready(error))?;
    let received = Arc::new(AtomicUsize::new(0));
    let stream = Counted {
        stream,
        received: received.clone(),
    };
    let address = format!("ws://localhost/v1/tasks/{task}/websocket/{name}");
    let config = WebSocketConfig::default()
        .read_buffer_size(CHUNK)
        .write_buffer_size(CHUNK)
        .max_write_buffer_size(4 * CHUNK)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let connected = tokio_tungstenite::client_async_with_config(address, stream, Some(config));
    match connected.await {
        Ok((socket, _)) => {
            let (sink, stream) = socket.split();
            let receiver = Receiver {
                stream,
                received,
                http: http.clone(),
                stray: 0,
            };
            Ok((Sender(sink), receiver))
        }
        Err(WebSocketError::Io(error)) => Err(http.not_ready(error)),
        Err(error) => Err(Error::Protocol(format!(
            "it rejects the stream {name} of a command: {error}"
        ))),
    }
}

impl Sender {
    /// Sends bytes.
    pub async fn data(&mut self, chunk: Bytes) -> Result<(), WebSocketError> {
        self.0.send(Message::Binary(chunk)).await
    }

    /// Sends a command of the protocol, as JSON text.
    pub async fn command(&mut self, command: &str) -> Result<(), WebSocketError> {
        self.0.send(Message::Text(command.into())).await
    }
}

#[derive(Deserialize)]
struct Command {
    command: String,
}

enum Step {
    Message(Option<Result<Message, WebSocketError>>),
    /// A part of a message was received.
    Part,
}

impl Receiver {
    /// Returns the next data; none at the end of the stream. The daemon may be
    /// silent between messages, but not within one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.message().await? {
                Message::Binary(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                Message::Text(text) if is_end(&text) => return Ok(None),
                Message::Close(_) => return Err(self.unexpected_eof()),
                _ => self.stray += 1,
            }
            if self.stray > MAX_STRAY {
                let detail = format!("{MAX_STRAY} messages of a command's output have no output");
                return Err(Error::Protocol(detail));
            }
        }
    }

    async fn message(&mut self) -> Result<Message, Error> {
        let mut seen = self.received();
        let mut step = self.step(seen).await;
        let mut pace = Pace::new(self.http.silence);
        loop {
            match step {
                Step::Message(Some(Ok(message))) => return Ok(message),
                Step::Message(Some(Err(error))) => return Err(self.failed(error)),
                Step::Message(None) => return Err(self.unexpected_eof()),
                Step::Part => {}
            }
            let received = self.received();
            pace.add(received - seen);
            seen = received;
            let next = pace.wait(self.step(seen)).await;
            step = next.map_err(|silence| silent("read the output of a command", silence))?;
        }
    }

    fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits for a message, or for more bytes of it than `seen`.
    async fn step(&mut self, seen: usize) -> Step {
        poll_fn(|cx| match self.stream.poll_next_unpin(cx) {
            Poll::Ready(message) => Poll::Ready(Step::Message(message)),
            Poll::Pending if self.received.load(Ordering::Relaxed) > seen => {
                Poll::Ready(Step::Part)
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// The error of a stream whose connection was closed before its end: the data
    /// so far is not complete.
    fn unexpected_eof(&self) -> Error {
        self.http.not_ready("the output of a command was cut off")
    }

    fn failed(&self, error: WebSocketError) -> Error {
        match error {
            WebSocketError::Capacity(_) | WebSocketError::Utf8(_) => {
                Error::Protocol(format!("a message of a command's output: {error}"))
            }
            WebSocketError::Protocol(detail)
                if detail != ProtocolError::ResetWithoutClosingHandshake =>
            {
                Error::Protocol(format!("a message of a command's output: {detail}"))
            }
            _ => self.unexpected_eof(),
        }
    }
}

fn is_end(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|command: Command| command.command == "end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_command_ends_a_stream() {
        assert!(is_end(r#"{"command": "end"}"#));
        for other in ["", "end", r#"{"command":"resize"}"#, r#"{"end":1}"#, "[]"] {
            assert!(!is_end(other), "{other}");
        }
    }
}
