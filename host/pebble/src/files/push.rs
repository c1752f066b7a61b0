//! Writing a file (`pebble §10.2`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use hyper::Method;
use serde::Serialize;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::{FileOptions, MAX_RESULTS, NewPath, PathResults, check_path};
use crate::http::{Answer, CONNECTION, Http, Outgoing, Taken, silent};
use crate::multipart::{boundary, disposition};
use crate::{CHUNK, Client, Error, QUEUE};

#[derive(Serialize)]
struct Write<'a> {
    action: &'static str,
    files: [NewPath<'a>; 1],
}

/// A file that is being written. If it is dropped before [`Push::finish`], an
/// existing file does not change.
pub struct Push {
    doing: String,
    http: Http,
    boundary: String,
    /// Bytes that wait to be sent; none after the end of the file or an error.
    queue: Option<DuplexStream>,
    /// Whether the end of the queue is the end of the file.
    finished: Arc<AtomicBool>,
    taken: Taken,
    answer: JoinHandle<Result<Answer<PathResults>, Error>>,
}

impl Client {
    /// Opens a file to write it. Errors may come later, up to [`Push::finish`].
    pub async fn push(&self, path: &str, options: &FileOptions) -> Result<Push, Error> {
        let boundary = boundary();
        let file = NewPath {
            make_dirs: Some(options.make_parents),
            ..options.new_path(path)?
        };
        let request = Write {
            action: "write",
            files: [file],
        };
        let doing = format!("write {path}");
        let request = serde_json::to_string(&request)
            .map_err(|error| Error::Invalid(format!("cannot {doing}: {error}")))?;
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{request}\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n{}\r\n\r\n",
            disposition(path)
        );
        let (queue, unsent) = duplex(QUEUE);
        let finished = Arc::new(AtomicBool::new(false));
        let body = Outgoing::pipe(unsent, finished.clone());
        let taken = body.taken();
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        let headers = [
            ("Accept", "application/json"),
            ("Content-Type", kind.as_str()),
        ];
        let http = self.http().clone();
        let request = http.request(Method::POST, "/v1/files", &headers, body)?;
        let sender = http.clone();
        let reading = doing.clone();
        let answer = tokio::spawn(async move {
            let response = sender.send(request).await?;
            sender.answer(response, MAX_RESULTS, &reading).await
        });
        let mut push = Push {
            doing,
            http,
            boundary,
            queue: Some(queue),
            finished,
            taken,
            answer,
        };
        push.write(head).await?;
        Ok(push)
    }
}

impl Push {
    /// The most bytes that one handle buffers.
    pub const CAPACITY: usize = CONNECTION + QUEUE + 2 * CHUNK + MAX_RESULTS;

    /// Adds a chunk of any size. An error is final: nothing can be written
    /// afterwards, and an existing file does not change.
    pub async fn write(&mut self, chunk: impl Into<Bytes>) -> Result<(), Error> {
        // After an error, or if this future is dropped, there is no queue.
        let Some(mut queue) = self.queue.take() else {
            let detail = format!("cannot {}: it failed before", self.doing);
            return Err(Error::Invalid(detail));
        };
        let mut rest = chunk.into();
        while !rest.is_empty() {
            let written = Box::pin(queue.write(&rest));
            let work = select(written, &mut self.answer);
            match self
                .http
                .while_taken(&self.taken, Duration::ZERO, work)
                .await
            {
                Ok(Either::Left((Ok(count), _))) => {
                    rest = rest.split_off(count);
                }
                // The daemon has responded, or closed, before it read everything.
                Ok(Either::Left((Err(_), answer))) => {
                    let answered = self.http.while_taken(&self.taken, Duration::ZERO, answer);
                    let answer = answered
                        .await
                        .map_err(|silence| silent(&self.doing, silence))?;
                    return Err(self.early(answer));
                }
                Ok(Either::Right((answer, _))) => return Err(self.early(answer)),
                Err(silence) => return Err(silent(&self.doing, silence)),
            }
        }
        self.queue = Some(queue);
        Ok(())
    }

    /// Completes the file, which replaces an existing one.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.write(format!("\r\n--{}--\r\n", self.boundary)).await?;
        self.finished.store(true, Ordering::Release);
        self.queue = None;
        let answer = self
            .http
            .while_taken(&self.taken, Duration::ZERO, &mut self.answer);
        match answer.await {
            Ok(Ok(answer)) => check_path(answer?.result),
            Ok(Err(_)) => Err(self.stopped()),
            Err(silence) => Err(silent(&self.doing, silence)),
        }
    }

    /// The error of a response that came before the whole file was sent.
    fn early(
        &self,
        answer: Result<Result<Answer<PathResults>, Error>, tokio::task::JoinError>,
    ) -> Error {
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) => return self.stopped(),
        };
        match answer.and_then(|answer| check_path(answer.result)) {
            Ok(()) => Error::Protocol(format!(
                "cannot {}: Pebble accepted only a part of it",
                self.doing
            )),
            Err(error) => error,
        }
    }

    fn stopped(&self) -> Error {
        Error::Protocol(format!("cannot {}: the transfer was stopped", self.doing))
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.answer.abort();
    }
}
