//! Writing a file.

use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::files::check_path;
use crate::multipart::{boundary, disposition};
use crate::transport::{Envelope, GivenUp, Outgoing};
use crate::{Client, Error, FileOptions};

/// How many pieces wait to be sent.
const WAITING: usize = 4;

/// A file that is being written. Dropped before it is finished, it leaves what
/// was there.
pub struct Push {
    path: String,
    boundary: String,
    pieces: mpsc::Sender<Result<Bytes, GivenUp>>,
    /// None once its answer was taken.
    answer: Option<JoinHandle<Result<Envelope, Error>>>,
    deadline: std::time::Duration,
}

impl Client {
    /// Opens a file to write it. Whether it can be written is told at the
    /// latest by [`Push::finish`].
    pub async fn push(&self, path: &str, options: &FileOptions) -> Result<Push, Error> {
        let boundary = boundary();
        let file = options.fields(path, "make-dirs")?;
        let request = json!({"action": "write", "files": [file]});
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{request}\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n{}\r\n\r\n",
            disposition(path)
        );
        let (pieces, body) = mpsc::channel(WAITING);
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        let headers = [
            ("Accept", "application/json"),
            ("Content-Type", kind.as_str()),
        ];
        let transport = self.transport().clone();
        let request =
            transport.request(Method::POST, "/v1/files", &headers, Outgoing::Pieces(body))?;
        let answer = tokio::spawn(async move {
            let response = transport.send(request).await?;
            transport.envelope(response).await
        });
        let mut push = Push {
            path: path.to_owned(),
            boundary,
            pieces,
            answer: Some(answer),
            deadline: self.deadline(),
        };
        push.send(head.into()).await?;
        Ok(push)
    }
}

impl Push {
    /// Adds a piece.
    pub async fn write(&mut self, piece: impl Into<Bytes>) -> Result<(), Error> {
        self.send(piece.into()).await
    }

    /// Puts the file in its place.
    pub async fn finish(mut self) -> Result<(), Error> {
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        self.send(tail.into()).await?;
        // The end of the channel is the end of the body; this one's own drop
        // would come too late.
        self.pieces = mpsc::channel(1).0;
        match self.answer().await {
            Ok(envelope) => check_path(envelope.result),
            Err(error) => Err(error),
        }
    }

    async fn send(&mut self, piece: Bytes) -> Result<(), Error> {
        match tokio::time::timeout(self.deadline, self.pieces.send(Ok(piece))).await {
            Ok(Ok(())) => Ok(()),
            // The daemon has answered before it has read all: with an error.
            Ok(Err(_)) => match self.answer().await {
                Ok(envelope) => {
                    check_path(envelope.result)?;
                    Err(Error::Protocol(format!(
                        "it accepts a part of {}",
                        self.path
                    )))
                }
                Err(error) => Err(error),
            },
            Err(_) => Err(self.slow()),
        }
    }

    async fn answer(&mut self) -> Result<Envelope, Error> {
        let Some(answer) = self.answer.take() else {
            return Err(Error::Invalid(format!("{} is written already", self.path)));
        };
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Protocol(format!(
                "the write of {} was stopped",
                self.path
            ))),
            Err(_) => Err(self.slow()),
        }
    }

    fn slow(&self) -> Error {
        Error::Timeout {
            doing: format!("writing {}", self.path),
            after: self.deadline,
        }
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        if let Some(answer) = &self.answer {
            // A body that only ended would be a file.
            if self.pieces.try_send(Err(GivenUp)).is_err() {
                answer.abort();
            }
        }
    }
}
