//! `/v1/logs`: what services print (`pebble §13`).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use memchr::memchr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{each, with_query};
use crate::http::{CONNECTION, Http, MAX_ANSWER, Outgoing, silent};
use crate::pace::Pace;
use crate::queue::{Item, Queue, closed};
use crate::readiness::Readiness;
use crate::{CHUNK, Client, Error, QUEUE, Timestamp};

/// The longest line of the response, in bytes. The daemon cuts what services print
/// into pieces of 4 KiB.
const MAX_LINE: usize = CHUNK;
/// Memory that an entry takes beside its texts, in bytes.
const ENTRY: usize = 128;

/// A line that a service printed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEntry {
    /// When it was printed.
    pub time: Timestamp,
    /// The service.
    pub service: String,
    /// The line without its end.
    pub message: String,
}

impl Item for LogEntry {
    fn size(&self) -> usize {
        self.service.len() + self.message.len() + ENTRY
    }
}

/// The lines of services, as they come.
///
/// A task of the runtime receives them while the caller waits for anything else.
pub struct Logs {
    queue: Arc<Queue<LogEntry>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Reads the last `count` lines of services, or all that the daemon has; with
    /// `follow` also those to come. No services mean all.
    pub async fn logs(
        &self,
        services: &[String],
        count: Option<u32>,
        follow: bool,
    ) -> Result<Logs, Error> {
        let count = count.map_or_else(|| "-1".to_owned(), |count| count.to_string());
        let follows = if follow { "true" } else { "false" };
        let options = [("n", count.as_str()), ("follow", follows)];
        let parameters = options.into_iter().chain(each("services", services));
        let path = with_query("/v1/logs", parameters);
        let body = Outgoing::whole("");
        let taken = body.taken();
        let request = self.http().request(Method::GET, &path, &[], body)?;
        let mut transfer = Transfer {
            client: self.clone(),
            pace: Pace::new(self.silence()),
            lines: Lines::default(),
            follow,
        };
        let queue = Queue::new();
        let received = queue.clone();
        let task = if follow {
            // The daemon sends nothing before the first line.
            self.system_info().await?;
            tokio::spawn(async move {
                received.end(transfer.follow(request, &received).await);
            })
        } else {
            let sent = self.http().send(request);
            let response = self.http().while_taken(&taken, Duration::ZERO, sent);
            let response = response.await.map_err(|silence| silent(DOING, silence))??;
            let body = transfer.body(response).await?;
            tokio::spawn(async move {
                received.end(transfer.run(body, &received).await);
            })
        };
        Ok(Logs { queue, task })
    }
}

/// The operation, for errors.
const DOING: &str = "read the logs of services";

impl Logs {
    /// The most bytes that one reader buffers.
    pub const CAPACITY: usize = CONNECTION + QUEUE + 2 * CHUNK;

    /// Returns the lines that are there, at most `max`; none at the end. Waits until
    /// there are some.
    pub async fn read(&self, max: usize) -> Result<Vec<LogEntry>, Error> {
        let mut entries = Vec::new();
        entries.extend(self.queue.next().await?);
        while !entries.is_empty()
            && entries.len() < max
            && let Some(entry) = self.queue.try_next()
        {
            entries.push(entry);
        }
        Ok(entries)
    }

    /// When [`Logs::read`] would not wait.
    pub fn readiness(&self) -> Readiness {
        self.queue.readable()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.close(closed());
    }
}

/// Receives lines.
struct Transfer {
    client: Client,
    pace: Pace,
    lines: Lines,
    follow: bool,
}

impl Transfer {
    fn http(&self) -> &Http {
        self.client.http()
    }

    async fn follow(
        &mut self,
        request: Request<Outgoing>,
        queue: &Queue<LogEntry>,
    ) -> Result<(), Error> {
        let sent = self.http().send(request);
        let response = self.client.while_responding(sent).await??;
        let body = self.body(response).await?;
        self.run(body, queue).await
    }

    /// The body of a response with lines.
    async fn body(&self, response: Response<Incoming>) -> Result<Incoming, Error> {
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let answer = self
            .http()
            .answer::<IgnoredAny>(response, MAX_ANSWER, DOING);
        answer.await?;
        Err(Error::Protocol("its response has no lines".to_owned()))
    }

    async fn run(&mut self, mut body: Incoming, queue: &Queue<LogEntry>) -> Result<(), Error> {
        loop {
            while let Some(entry) = self.lines.next()? {
                queue.room().await?;
                queue.add(entry);
            }
            match self.chunk(&mut body).await? {
                Some(chunk) => self.lines.feed(&chunk),
                None => return self.lines.end(),
            }
        }
    }

    async fn chunk(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, Error> {
        let http = self.client.http();
        if !self.follow {
            return http.chunk(body, &mut self.pace, DOING).await;
        }
        // Services may print nothing for as long as they like.
        match self.client.while_responding(body.frame()).await? {
            Some(frame) => http.data(frame).map(Some),
            None => Ok(None),
        }
    }
}

impl Client {
    /// Waits for work that may take any time, as long as the daemon responds to
    /// another request.
    pub(crate) async fn while_responding<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            match timeout(self.silence(), work.as_mut()).await {
                Ok(done) => return Ok(done),
                Err(_) => self.system_info().await.map(drop)?,
            }
        }
    }
}

/// Splits a body into its lines, wherever its chunks end.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn feed(&mut self, chunk: &[u8]) {
        self.0.extend_from_slice(chunk);
    }

    /// Returns the next entry; none until there is more of the body.
    fn next(&mut self) -> Result<Option<LogEntry>, Error> {
        let Some(end) = memchr(b'\n', &self.0) else {
            return match self.0.len() > MAX_LINE {
                true => Err(malformed("a line is longer than 64 KiB")),
                false => Ok(None),
            };
        };
        let line = self.0.split_to(end + 1);
        let entry = serde_json::from_slice(&line);
        entry
            .map(Some)
            .map_err(|error| malformed(&error.to_string()))
    }

    /// The end of the body.
    fn end(&self) -> Result<(), Error> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(malformed("it ends within a line")),
        }
    }
}

fn malformed(detail: &str) -> Error {
    Error::Protocol(format!("cannot {DOING}: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "{\"time\":\"1970-01-01T00:00:00.25Z\",\"service\":\"a\",\"message\":\"<b>\"}\n";

    #[test]
    fn lines_may_be_cut_anywhere() {
        for cut in 0..=LINE.len() {
            let (start, rest) = LINE.split_at(cut);
            let mut lines = Lines::default();
            lines.feed(start.as_bytes());
            let early = lines.next().unwrap();
            assert_eq!(early.is_some(), rest.is_empty());
            assert_eq!(lines.end().is_ok(), start.is_empty() || rest.is_empty());
            lines.feed(rest.as_bytes());
            let entry = early.or_else(|| lines.next().unwrap()).unwrap();
            assert_eq!(
                (entry.service.as_str(), entry.message.as_str()),
                ("a", "<b>")
            );
            assert!(lines.end().is_ok());
        }
    }

    #[test]
    fn malformed_and_endless_lines_are_errors() {
        let mut lines = Lines::default();
        lines.feed(b"{}\n");
        assert!(matches!(lines.next(), Err(Error::Protocol(_))));
        lines.feed(&vec![b'x'; MAX_LINE + 1]);
        let error = lines.next().unwrap_err().to_string();
        assert!(error.contains("longer than 64 KiB"), "{error}");
    }
}
