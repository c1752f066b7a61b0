//! Requests and answers over the daemon's socket.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use hyperlocal::UnixConnector;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::Error;

/// How long an answer may be that is no file, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A body that was cut off by its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sender gave up")]
pub struct GivenUp;

/// What is sent: nothing, a text, or pieces as they come.
pub enum Outgoing {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Result<Bytes, GivenUp>>),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        match self.get_mut() {
            Outgoing::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Outgoing::Pieces(pieces) => pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(None))
    }
}

/// The daemon's answers are all wrapped alike.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    pub change: Option<String>,
    #[serde(default)]
    pub result: Value,
}

/// A connection that is made when it is needed and then kept.
#[derive(Clone)]
pub struct Transport {
    socket: PathBuf,
    http: HttpClient<UnixConnector, Outgoing>,
}

impl Transport {
    pub fn new(socket: PathBuf) -> Self {
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .build(UnixConnector);
        Transport { socket, http }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The daemon is not there.
    pub fn not_ready(&self, reason: impl ToString) -> Error {
        Error::NotReady {
            socket: self.socket.clone(),
            reason: reason.to_string(),
        }
    }

    /// A request for a path with its query, as `/v1/plan?format=yaml`.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Outgoing,
    ) -> Result<Request<Outgoing>, Error> {
        let uri: hyper::Uri = hyperlocal::Uri::new(&self.socket, path).into();
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header("Host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
            .body(body)
            .map_err(|error| Error::Invalid(format!("cannot ask Pebble for {path}: {error}")))
    }

    /// Sends a request and gives the head of its answer.
    pub async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, Error> {
        self.http
            .request(request)
            .await
            .map_err(|error| self.not_ready(innermost(&error)))
    }

    /// A call with JSON both ways, within a time.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Envelope, Error> {
        let mut headers = vec![("Accept", "application/json")];
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        let body = body.map(|body| Bytes::from(body.to_string()));
        let request = self.request(method, path, &headers, Outgoing::Whole(body))?;
        let answer = async {
            let response = self.send(request).await?;
            self.envelope(response).await
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout {
                doing: format!("waiting for Pebble's answer about {}", path_only(path)),
                after: within,
            }),
        }
    }

    /// Reads an answer to its end. An error that the daemon tells is an error.
    pub async fn envelope(&self, response: Response<Incoming>) -> Result<Envelope, Error> {
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Error::Protocol(format!("its answer is longer than {MAX_ANSWER} bytes")),
            false => self.not_ready(innermost(&*error)),
        })?;
        let body = body.to_bytes();
        let envelope: Envelope = serde_json::from_slice(&body).map_err(|error| {
            let start: String = String::from_utf8_lossy(&body).chars().take(80).collect();
            Error::Protocol(format!(
                "its answer ({status}) is not JSON: {error}: {start:?}"
            ))
        })?;
        if envelope.kind == "error" {
            return Err(refusal(status, &envelope.result));
        }
        Ok(envelope)
    }
}

/// What the daemon says in an answer that is an error.
pub fn refusal(status: StatusCode, result: &Value) -> Error {
    let text = |key: &str| result.get(key).and_then(Value::as_str).map(str::to_owned);
    Error::Api {
        status: status.as_u16(),
        kind: text("kind"),
        message: text("message").unwrap_or_else(|| format!("Pebble answers {status}")),
    }
}

fn path_only(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// The cause that tells the most.
pub fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// A value for a query: what is not plain is written as `%XX`.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_hold_any_text() {
        assert_eq!(encoded("/a b/ä%"), "%2Fa%20b%2F%C3%A4%25");
    }
}
