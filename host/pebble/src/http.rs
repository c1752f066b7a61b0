//! HTTP requests to the daemon's socket, and their responses (`pebble §1`).

use std::borrow::Cow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::connect::{Connect, HttpConnector};
use crate::error::innermost;
use crate::pace::{Pace, Silence, until};
use crate::queue::Queue;
use crate::{CHUNK, Error};

/// The largest JSON response, in bytes; lists of files may be larger.
pub const MAX_ANSWER: usize = 4 << 20;
/// The largest JSON response that lists files, in bytes: some 100,000 of them.
pub const MAX_LIST: usize = 32 << 20;
/// How much the buffer of a response grows at once, in bytes.
const GROWTH: usize = 1 << 20;
/// The largest head of a response, in bytes. hyper limits trailers to 16 KiB.
const MAX_HEAD: usize = 64 * 1024;
/// Size of the buffers of one connection, in bytes.
pub const CONNECTION: usize = 2 * MAX_HEAD + CHUNK;
/// How long after a request the loss of a reused connection may be noticed.
const REUSED: Duration = Duration::from_secs(1);
/// Characters that are not percent-encoded in a query, beside letters and digits.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Percent-encodes a value for a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// When the daemon last took a chunk of a request's body.
#[derive(Debug, Clone)]
pub struct Taken {
    start: Instant,
    /// Milliseconds since the start.
    last: Arc<AtomicU64>,
}

impl Taken {
    fn new() -> Self {
        Taken {
            start: Instant::now(),
            last: Arc::default(),
        }
    }

    fn now(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    pub fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// The sender dropped the body of a request before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of the request was aborted")]
pub struct BodyAborted;

enum Source {
    Whole(Bytes),
    /// Ends when the writer ends the queue: without that, half a file would pass
    /// for a complete one.
    Queue(Arc<Queue<Bytes>>),
}

/// The body of a request.
pub struct Outgoing {
    source: Source,
    taken: Taken,
}

impl Outgoing {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Outgoing {
            source: Source::Whole(bytes.into()),
            taken: Taken::new(),
        }
    }

    pub fn queue(queue: Arc<Queue<Bytes>>) -> Self {
        Outgoing {
            source: Source::Queue(queue),
            taken: Taken::new(),
        }
    }

    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        let chunk = match &mut self.source {
            Source::Whole(rest) => rest.split_to(rest.len().min(CHUNK)),
            Source::Queue(queue) => match ready!(queue.poll_read(cx, CHUNK)) {
                Ok(chunk) => chunk,
                Err(_) => return Poll::Ready(Some(Err(BodyAborted))),
            },
        };
        self.taken.now();
        Poll::Ready(match chunk.is_empty() {
            true => None,
            false => Some(Ok(Frame::data(chunk))),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.source, Source::Whole(rest) if rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(rest) => SizeHint::with_exact(rest.len() as u64),
            Source::Queue(_) => SizeHint::default(),
        }
    }
}

/// The envelope of every JSON response (`pebble §1`).
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    change: Option<String>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct ErrorResult {
    message: Option<String>,
    kind: Option<String>,
}

/// A JSON response without an error.
#[derive(Debug)]
pub struct Answer<T> {
    change: Option<String>,
    pub result: T,
}

impl<T: DeserializeOwned> Answer<T> {
    /// Parses a response. An absent result is `null`.
    pub fn parse(status: StatusCode, body: &[u8]) -> Result<Self, Error> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| {
            let start: String = String::from_utf8_lossy(body).chars().take(80).collect();
            Error::Protocol(format!(
                "its response ({status}) is not JSON: {error}: {start:?}"
            ))
        })?;
        let result = envelope.result.map_or("null", RawValue::get);
        if envelope.kind == "error" {
            let error: ErrorResult = serde_json::from_str(result).unwrap_or_default();
            return Err(Error::Api {
                status: status.as_u16(),
                kind: error.kind,
                message: error
                    .message
                    .unwrap_or_else(|| format!("Pebble responds with {status}")),
            });
        }
        Ok(Answer {
            change: envelope.change,
            result: serde_json::from_str(result).map_err(|error| {
                Error::Protocol(format!("its response has an unexpected form: {error}"))
            })?,
        })
    }
}

impl<T> Answer<T> {
    /// The change that does the work.
    pub fn change(&self) -> Result<&str, Error> {
        let missing = || Error::Protocol("an answer about a change does not name it".to_owned());
        self.change.as_deref().ok_or_else(missing)
    }
}

/// One connection to the daemon, opened on demand and kept open.
#[derive(Clone)]
pub struct Http {
    connector: Arc<dyn Connect>,
    pool: HttpClient<HttpConnector, Outgoing>,
    /// How long the daemon may be silent.
    pub silence: Duration,
}

impl Http {
    pub fn new(connector: Arc<dyn Connect>, silence: Duration) -> Self {
        let pool = HttpClient::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .http1_max_buf_size(MAX_HEAD)
            .build(HttpConnector(connector.clone()));
        Http {
            connector,
            pool,
            silence,
        }
    }

    pub fn connector(&self) -> &dyn Connect {
        self.connector.as_ref()
    }

    /// The error of a daemon that cannot be reached.
    pub fn not_ready(&self, reason: impl ToString) -> Error {
        Error::NotReady {
            address: self.connector.address().to_path_buf(),
            reason: reason.to_string(),
        }
    }

    /// The error of a connection: the daemon closed it, or does not speak HTTP.
    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let hyper = error.downcast_ref::<hyper::Error>();
            let io = error.downcast_ref::<std::io::Error>();
            let garbled = std::io::ErrorKind::InvalidData;
            if hyper.is_some_and(hyper::Error::is_parse)
                || io.is_some_and(|io| io.kind() == garbled)
            {
                return Error::Protocol(format!("its response is not HTTP: {}", innermost(error)));
            }
            cause = error.source();
        }
        self.not_ready(innermost(error))
    }

    /// A request for a path with its query, for example
    /// `/v1/plan?format=yaml`.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Outgoing,
    ) -> Result<Request<Outgoing>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).map_err(|error| {
            Error::Invalid(format!(
                "cannot send a request for {path} to Pebble: {error}"
            ))
        })
    }

    /// Sends a request and returns the head of its response, without a time
    /// limit: see [`Http::while_taken`].
    pub async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, Error> {
        self.pool
            .request(request)
            .await
            .map_err(|error| self.failed(&error))
    }

    /// Waits as long as the daemon takes chunks of a request, and for a response
    /// that is not due before `due`. How much of a chunk the daemon has read is
    /// unknown: one that does not make room for the next chunk counts as silent,
    /// also above the minimum rate.
    pub async fn while_taken<T>(
        &self,
        taken: &Taken,
        due: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Silence> {
        let mut work = pin!(work);
        let start = Instant::now();
        loop {
            let since = taken.last().max(start);
            let deadline = since + due + self.silence;
            match until(deadline, self.silence, work.as_mut()).await {
                Some(done) => return Ok(done),
                None if taken.last() > since => {}
                None => return Err(Silence(self.silence)),
            }
        }
    }

    /// Sends a request with JSON and returns the response in JSON, which is not
    /// due before `due` and has at most `max` bytes.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        due: Duration,
        max: usize,
    ) -> Result<Answer<T>, Error> {
        let doing = doing(&method, path);
        let accepted = "application/json";
        let response = self.respond(method, path, accepted, body, due).await?;
        self.answer(response, max, &doing).await
    }

    /// Returns the text of a response that is not JSON if it has no error.
    pub async fn text(&self, path: &str, max: usize) -> Result<String, Error> {
        let response = self
            .respond(Method::GET, path, "*/*", None, Duration::ZERO)
            .await?;
        let status = response.status();
        let body = self.body(response, max, &doing(&Method::GET, path)).await?;
        if status.is_success() {
            let invalid = |_| Error::Protocol("its response is not UTF-8".to_owned());
            return String::from_utf8(body).map_err(invalid);
        }
        match Answer::<IgnoredAny>::parse(status, &body) {
            Err(error) => Err(error),
            Ok(_) => Err(Error::Protocol(format!("its response is {status}"))),
        }
    }

    /// Sends a request, once more if the connection was closed since the last one.
    async fn respond(
        &self,
        method: Method,
        path: &str,
        accepted: &str,
        body: Option<String>,
        due: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let mut headers = vec![("Accept", accepted)];
        headers.extend(body.as_ref().map(|_| ("Content-Type", "application/json")));
        let body = Bytes::from(body.unwrap_or_default());
        let start = Instant::now();
        let mut retried = method != Method::GET;
        loop {
            let body = Outgoing::whole(body.clone());
            let taken = body.taken();
            let request = self.request(method.clone(), path, &headers, body)?;
            let response = self.while_taken(&taken, due, self.send(request)).await;
            match response.map_err(|silence| silent(&doing(&method, path), silence))? {
                // The daemon may have closed the connection of the last call.
                Err(Error::NotReady { .. }) if !retried && start.elapsed() < REUSED => {
                    retried = true;
                }
                response => return response,
            }
        }
    }

    /// Reads a response in JSON of at most `max` bytes.
    pub async fn answer<T: DeserializeOwned>(
        &self,
        response: Response<Incoming>,
        max: usize,
        doing: &str,
    ) -> Result<Answer<T>, Error> {
        let status = response.status();
        Answer::parse(status, &self.body(response, max, doing).await?)
    }

    /// Reads a response of at most `max` bytes to its end.
    async fn body(
        &self,
        response: Response<Incoming>,
        max: usize,
        doing: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut body = response.into_body();
        let mut pace = Pace::new(self.silence);
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk(&mut body, &mut pace, doing).await? {
            if chunk.len() > max - text.len() {
                let detail = format!("its response is longer than {max} bytes");
                return Err(Error::Protocol(detail));
            }
            if text.capacity() - text.len() < chunk.len() {
                // Doubling would take twice the limit for a large list.
                text.reserve_exact(chunk.len().max(GROWTH));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }

    /// The next chunk of a body; none at its end.
    pub async fn chunk(
        &self,
        body: &mut Incoming,
        pace: &mut Pace,
        doing: &str,
    ) -> Result<Option<Bytes>, Error> {
        let frame = pace.wait(body.frame()).await;
        let Some(frame) = frame.map_err(|silence| silent(doing, silence))? else {
            return Ok(None);
        };
        let chunk = self.data(frame)?;
        pace.add(chunk.len());
        Ok(Some(chunk))
    }

    /// The data of a frame of a body.
    pub fn data(&self, frame: Result<Frame<Bytes>, hyper::Error>) -> Result<Bytes, Error> {
        let frame = frame.map_err(|error| self.failed(&error))?;
        Ok(frame.into_data().unwrap_or_default())
    }
}

/// What a request does, for messages.
fn doing(method: &Method, path: &str) -> String {
    let resource = path.split('?').next().unwrap_or(path);
    format!("get a response to {method} {resource}")
}

/// The error of a daemon that is silent.
pub fn silent(doing: &str, Silence(limit): Silence) -> Error {
    Error::Silent {
        doing: doing.to_owned(),
        limit,
        change: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Answer<Option<Vec<u32>>>, Error> {
        Answer::parse(StatusCode::OK, text.as_bytes())
    }

    #[test]
    fn every_text_can_be_part_of_a_query() {
        assert_eq!(encoded("/a b/ä%"), "%2Fa%20b%2F%C3%A4%25");
    }

    #[test]
    fn answers_are_unwrapped() {
        let answer = parse(r#"{"type":"sync","result":[1,2],"more":{}}"#).unwrap();
        assert_eq!(answer.result, Some(vec![1, 2]));
        assert!(answer.change().is_err());
        let answer = parse(r#"{"type":"async","change":"7","result":null}"#).unwrap();
        assert_eq!((answer.change(), &answer.result), (Ok("7"), &None));
        assert_eq!(parse(r#"{"type":"sync"}"#).unwrap().result, None);
    }

    #[test]
    fn error_responses_and_malformed_ones_are_different_errors() {
        let error = parse(r#"{"type":"error","result":{"message":"no","kind":"k"}}"#);
        let wanted = Error::Api {
            status: 200,
            kind: Some("k".to_owned()),
            message: "no".to_owned(),
        };
        assert_eq!(error.unwrap_err(), wanted);
        for garbage in ["", "<html>", "[]", r#"{"type":"sync","result":{}}"#] {
            let error = parse(garbage).unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{garbage}: {error:?}");
        }
    }
}
