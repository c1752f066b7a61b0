//! Reading a file (`pebble §10.1`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use tokio::task::JoinHandle;

use super::{MAX_RESULTS, PathResults, check_path};
use crate::client::with_query;
use crate::http::{Answer, CONNECTION, Http, Outgoing, silent};
use crate::multipart::{MAX_HEADERS, Parser, Token, boundary_of};
use crate::pace::Pace;
use crate::queue::{Queue, closed};
use crate::readiness::Readiness;
use crate::{CHUNK, Client, Error, QUEUE};

/// A file that is being read. Pebble sends the result for the file at its end: a
/// failure in the middle is an error of the last read.
///
/// A task of the runtime receives it while the caller waits for anything else.
pub struct Pull {
    queue: Arc<Queue<Bytes>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Opens a file to read it.
    pub async fn pull(&self, path: &str) -> Result<Pull, Error> {
        let mut transfer = self.open(&[path], format!("read {path}")).await?;
        // A file that cannot be opened has no part.
        match transfer.token().await? {
            Token::Part(name) if name == "files" => Ok(Pull::new(transfer)),
            Token::Part(name) if name == "response" => {
                check_path(transfer.results(MAX_RESULTS).await?)?;
                Err(transfer.malformed("it has no content"))
            }
            _ => Err(transfer.malformed("it does not begin with a part")),
        }
    }

    /// Opens files, to read one after the other.
    pub(super) async fn open(&self, paths: &[&str], doing: String) -> Result<Transfer, Error> {
        let paths = paths.iter().map(|path| ("path", *path));
        let query = with_query("/v1/files", [("action", "read")].into_iter().chain(paths));
        let headers = [("Accept", "multipart/form-data")];
        let http = self.http();
        let body = Outgoing::whole("");
        let taken = body.taken();
        let request = http.request(Method::GET, &query, &headers, body)?;
        let response = http.while_taken(&taken, Duration::ZERO, http.send(request));
        let response = response
            .await
            .map_err(|silence| silent(&doing, silence))??;
        let kind = response.headers().get("Content-Type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let Some(boundary) = boundary_of(kind) else {
            let kind: String = kind.chars().take(80).collect();
            http.answer::<PathResults>(response, MAX_RESULTS, &doing)
                .await?;
            return Err(Error::Protocol(format!(
                "a file has the content type {kind:?}"
            )));
        };
        Ok(Transfer {
            doing,
            http: http.clone(),
            body: response.into_body(),
            parser: Parser::new(&boundary),
            pace: Pace::new(self.silence()),
        })
    }
}

impl Pull {
    /// The most bytes that one handle buffers.
    pub const CAPACITY: usize = CONNECTION + QUEUE + 2 * CHUNK + MAX_HEADERS + MAX_RESULTS;

    fn new(mut transfer: Transfer) -> Self {
        let queue = Queue::new();
        let received = queue.clone();
        let task = tokio::spawn(async move {
            let result = transfer.content(&received).await;
            received.end(result);
        });
        Pull { queue, task }
    }

    /// Returns the content that is there, at most `max` bytes of it; none at the end.
    /// Waits until there is some.
    pub async fn read(&self, max: usize) -> Result<Bytes, Error> {
        self.queue.read(max).await
    }

    /// When [`Pull::read`] would not wait.
    pub fn readiness(&self) -> Readiness {
        self.queue.readable()
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.close(closed());
    }
}

/// Receives files.
pub(super) struct Transfer {
    doing: String,
    http: Http,
    body: Incoming,
    parser: Parser,
    pace: Pace,
}

impl Transfer {
    /// Receives the content, and the result for the file.
    async fn content(&mut self, queue: &Queue<Bytes>) -> Result<(), Error> {
        loop {
            queue.room().await?;
            match self.token().await? {
                Token::Data(data) => queue.add(data),
                Token::PartEnd => break,
                _ => return Err(self.malformed("it ends early")),
            }
        }
        match self.token().await? {
            Token::Part(name) if name == "response" => check_path(self.results(MAX_RESULTS).await?),
            _ => Err(self.malformed("an unknown part comes after the content")),
        }
    }

    /// Returns the next token of the body; an error if the body ends before.
    pub(super) async fn token(&mut self) -> Result<Token, Error> {
        loop {
            match self.parser.next() {
                Ok(Some(token)) => return Ok(token),
                Ok(None) => {}
                Err(detail) => return Err(self.malformed(detail)),
            }
            let chunk = self
                .http
                .chunk(&mut self.body, &mut self.pace, &self.doing)
                .await?;
            match chunk {
                Some(chunk) => self.parser.feed(&chunk),
                None => return Err(self.malformed("it ends early")),
            }
        }
    }

    /// The file of the part that began last, as its header names it.
    pub(super) fn filename(&self) -> &str {
        self.parser.filename()
    }

    /// Reads the results for the files, of at most `max` bytes, and the end of the
    /// body.
    pub(super) async fn results(&mut self, max: usize) -> Result<PathResults, Error> {
        let mut text = Vec::new();
        loop {
            match self.token().await? {
                Token::Data(data) if data.len() > max - text.len() => {
                    return Err(self.malformed("its result is longer than expected"));
                }
                Token::Data(data) => text.extend(data),
                Token::PartEnd => break,
                _ => return Err(self.malformed("its result has an unexpected form")),
            }
        }
        if self.token().await? != Token::End {
            return Err(self.malformed("more data comes after its end"));
        }
        // With the body read to its end the connection can be used again.
        let _ = self.body.frame().now_or_never();
        Ok(Answer::<PathResults>::parse(StatusCode::OK, &text)?.result)
    }

    pub(super) fn malformed(&self, detail: &str) -> Error {
        Error::Protocol(format!("cannot {}: {detail}", self.doing))
    }
}
