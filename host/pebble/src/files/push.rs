//! Writing a file (`pebble §10.2`).

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, select};
use hyper::{Method, Request};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{FileOptions, MAX_RESULTS, NewPath, check_path};
use crate::http::{CONNECTION, Http, Outgoing, Taken, silent};
use crate::multipart::{boundary, disposition};
use crate::pace::{Silence, until};
use crate::queue::Queue;
use crate::readiness::Readiness;
use crate::{CHUNK, Client, Error, QUEUE};

#[derive(Serialize)]
struct Write<'a> {
    action: &'static str,
    files: [NewPath<'a>; 1],
}

/// A file that is being written. If it is dropped before [`Push::finish`], an
/// existing file does not change.
///
/// A task of the runtime sends it while the caller waits for anything else.
pub struct Push {
    doing: String,
    boundary: String,
    queue: Arc<Queue<Bytes>>,
    task: JoinHandle<Result<(), Error>>,
}

impl Client {
    /// Opens a file to write it. Returns [`Error::Invalid`] for a path that is not
    /// absolute; other errors come later, up to [`Push::finish`].
    pub async fn push(&self, path: &str, options: &FileOptions) -> Result<Push, Error> {
        if !path.starts_with('/') {
            let detail = format!("cannot write {path:?}: the path is not absolute");
            return Err(Error::Invalid(detail));
        }
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
        let queue = Queue::new();
        queue.add(head.into());
        let body = Outgoing::queue(queue.clone());
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        let headers = [
            ("Accept", "application/json"),
            ("Content-Type", kind.as_str()),
        ];
        let http = self.http().clone();
        let taken = body.taken();
        let request = http.request(Method::POST, "/v1/files", &headers, body)?;
        let transfer = Transfer {
            doing: doing.clone(),
            http,
            queue: queue.clone(),
            taken,
        };
        let task = tokio::spawn(transfer.run(request));
        Ok(Push {
            doing,
            boundary,
            queue,
            task,
        })
    }
}

impl Push {
    /// The most bytes that one handle buffers.
    pub const CAPACITY: usize = CONNECTION + QUEUE + 2 * CHUNK + MAX_RESULTS;

    /// Adds as much of a chunk as there is room for, at least one byte, and returns
    /// how much. Waits until there is room. An error is final: nothing can be
    /// written afterwards, and an existing file does not change.
    pub async fn write(&self, chunk: &[u8]) -> Result<usize, Error> {
        self.queue.write(chunk).await
    }

    /// When [`Push::write`] would not wait.
    pub fn readiness(&self) -> Readiness {
        self.queue.writable()
    }

    /// Completes the file, which replaces an existing one. Returns
    /// [`Error::Closed`] if it was completed before.
    pub async fn finish(&mut self) -> Result<(), Error> {
        if self.queue.has_ended() {
            let detail = format!("cannot {}: the file was closed before", self.doing);
            return Err(Error::Closed(detail));
        }
        let end = format!("\r\n--{}--\r\n", self.boundary);
        self.queue.add(end.into());
        self.queue.end(Ok(()));
        match (&mut self.task).await {
            Ok(result) => result,
            Err(_) => Err(stopped(&self.doing)),
        }
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.end(Err(stopped(&self.doing)));
        self.queue.close(stopped(&self.doing));
    }
}

fn stopped(doing: &str) -> Error {
    Error::Protocol(format!("cannot {doing}: the transfer was stopped"))
}

/// Sends a file, and receives the result for it.
struct Transfer {
    doing: String,
    http: Http,
    queue: Arc<Queue<Bytes>>,
    taken: Taken,
}

impl Transfer {
    async fn run(self, request: Request<Outgoing>) -> Result<(), Error> {
        let answer = async {
            let response = self.http.send(request).await?;
            let answer = self.http.answer(response, MAX_RESULTS, &self.doing);
            check_path(answer.await?.result)
        };
        let mut result = self.while_fed(answer).await;
        if result.is_ok() && !self.queue.has_ended() {
            let detail = format!("cannot {}: Pebble accepted only a part of it", self.doing);
            result = Err(Error::Protocol(detail));
        }
        if let Err(error) = &result {
            self.queue.close(error.clone());
        }
        result
    }

    /// Waits for work as long as the daemon takes what the caller writes.
    async fn while_fed<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut work = pin!(work);
        let mut since = Instant::now();
        loop {
            if self.queue.is_idle() {
                // The time of the caller does not count.
                let fed = pin!(poll_fn(|cx| self.queue.poll_fed(cx)));
                if let Either::Left((done, _)) = select(work.as_mut(), fed).await {
                    return done;
                }
                since = Instant::now();
            }
            since = since.max(self.taken.last());
            let deadline = since + self.http.silence;
            match until(deadline, self.http.silence, work.as_mut()).await {
                Some(done) => return done,
                None if self.taken.last() > since || self.queue.is_idle() => {}
                None => return Err(silent(&self.doing, Silence(self.http.silence))),
            }
        }
    }
}
