//! Reading a file.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;

use crate::files::check_path;
use crate::multipart::{Parser, Token, boundary_of};
use crate::transport::{Envelope, Outgoing, Transport, encoded, innermost};
use crate::{Client, Error};

/// A file that is being read. What Pebble says about the whole file comes at
/// its end: a failure in the middle is an error of the last read.
pub struct Pull {
    path: String,
    transport: Transport,
    body: Incoming,
    parser: Parser,
    /// Read from the daemon, and not yet by the caller.
    data: Bytes,
    /// The whole file was read, and Pebble says that it is whole.
    ended: bool,
    deadline: std::time::Duration,
}

impl Client {
    /// Opens a file to read it.
    pub async fn pull(&self, path: &str) -> Result<Pull, Error> {
        let query = format!("/v1/files?action=read&path={}", encoded(path));
        let headers = [("Accept", "multipart/form-data")];
        let transport = self.transport();
        let request = transport.request(Method::GET, &query, &headers, Outgoing::Whole(None))?;
        let response = match tokio::time::timeout(self.deadline(), transport.send(request)).await {
            Ok(response) => response?,
            Err(_) => return Err(slow(path, self.deadline())),
        };
        let kind = response.headers().get("Content-Type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let Some(boundary) = boundary_of(kind) else {
            let kind = kind.to_owned();
            transport.envelope(response).await?;
            return Err(Error::Protocol(format!("a file comes as {kind:?}")));
        };
        let mut pull = Pull {
            path: path.to_owned(),
            transport: transport.clone(),
            body: response.into_body(),
            parser: Parser::new(&boundary),
            data: Bytes::new(),
            ended: false,
            deadline: self.deadline(),
        };
        // A file that cannot be opened has no part of its own.
        match pull.token().await? {
            Token::Part(name) if name == "files" => Ok(pull),
            Token::Part(name) if name == "response" => {
                pull.trailer().await?;
                Err(pull.broken("it has no content"))
            }
            _ => Err(pull.broken("it does not begin with a part")),
        }
    }
}

fn slow(path: &str, after: std::time::Duration) -> Error {
    Error::Timeout {
        doing: format!("reading {path}"),
        after,
    }
}

impl Pull {
    /// The next piece, of at most `max` bytes; an empty one at the end.
    pub async fn read(&mut self, max: usize) -> Result<Bytes, Error> {
        while self.data.is_empty() && !self.ended {
            match self.token().await? {
                Token::Data(data) => self.data = data.into(),
                Token::PartEnd => match self.token().await? {
                    Token::Part(name) if name == "response" => {
                        self.trailer().await?;
                        self.ended = true;
                    }
                    _ => return Err(self.broken("the part after the content is not Pebble's")),
                },
                _ => return Err(self.broken("it ends too early")),
            }
        }
        let count = self.data.len().min(max);
        Ok(self.data.split_to(count))
    }

    /// The next token of the body.
    async fn token(&mut self) -> Result<Token, Error> {
        loop {
            match self.parser.next() {
                Ok(Some(Token::End)) => return Err(self.broken("it ends too early")),
                Ok(Some(token)) => return Ok(token),
                Ok(None) => {}
                Err(detail) => return Err(self.broken(detail)),
            }
            let frame = tokio::time::timeout(self.deadline, self.body.frame());
            let Ok(frame) = frame.await else {
                return Err(slow(&self.path, self.deadline));
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Some(piece) = frame.data_ref() {
                        self.parser.feed(piece);
                    }
                }
                Some(Err(error)) => return Err(self.transport.not_ready(innermost(&error))),
                None => return Err(self.broken("it is cut off")),
            }
        }
    }

    /// What Pebble says about the whole.
    async fn trailer(&mut self) -> Result<(), Error> {
        let mut text = Vec::new();
        loop {
            match self.token().await? {
                Token::Data(data) => text.extend(data),
                Token::PartEnd => break,
                _ => return Err(self.broken("its end has another form")),
            }
        }
        let envelope: Envelope = serde_json::from_slice(&text)
            .map_err(|error| self.broken(&format!("its end is not JSON: {error}")))?;
        check_path(envelope.result)
    }

    fn broken(&self, detail: &str) -> Error {
        Error::Protocol(format!("the answer with {} is broken: {detail}", self.path))
    }
}
