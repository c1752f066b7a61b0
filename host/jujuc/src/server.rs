//! The agent's side of a connection (juju §2.1, juju §2.3).

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::gob::{Value, too_long};
use crate::stream::{StreamError, TimedStream, Values};
use crate::timer::CallTimer;
use crate::wire::{Answers, Fields, METHOD, Request};
use crate::{Error, Reply};

/// Answers the calls on one connection until the other side closes it.
///
/// The handler returns the tool's reply, or the error message of a call that is
/// rejected.
pub fn serve_connection(
    mut stream: UnixStream,
    mut handler: impl FnMut(Request) -> Result<Reply, String>,
) -> Result<(), Error> {
    let mut values = Values::new();
    let mut answers = Answers::default();
    let mut buffer = Vec::with_capacity(1024);
    let mut timer = CallTimer::new(None);
    loop {
        let mut reading = TimedStream::new(&stream, &mut timer);
        let mut header = match values.next(&mut reading) {
            Ok(value) => Fields::of(value),
            Err(StreamError::End) => return Ok(()),
            Err(error) => return Err(stream_error("a call", error)),
        };
        let method = header.string("ServiceMethod");
        let seq = header.uint("Seq");
        let (tool, answer) = match next_body(&mut values, &mut reading)? {
            Ok(body) => {
                let request = Fields::of(body).request();
                let tool = request.tool.clone();
                let answer = if method == METHOD {
                    handler(request)
                } else {
                    Err(unknown_method(&method))
                };
                (tool, answer)
            }
            Err(refusal) => ("a call".to_owned(), Err(refusal)),
        };
        buffer.clear();
        answers.write(&mut buffer, &method, seq, &answer);
        stream.write_all(&buffer).map_err(|source| Error::Io {
            tool,
            source,
            sent: true,
        })?;
    }
}

/// Reads the body of a call, or the reason why the call is rejected; it is then
/// skipped. Type definitions precede the body, a message each.
fn next_body(
    values: &mut Values,
    reading: &mut TimedStream,
) -> Result<Result<Value, String>, Error> {
    let failed = |error| stream_error("a call", error);
    loop {
        if let Some(length) = values.drop_too_long(reading).map_err(failed)? {
            return Ok(Err(format!("bad request: {}", too_long(length))));
        }
        if let Some(value) = values.next_message(reading).map_err(failed)? {
            return Ok(Ok(value));
        }
    }
}

fn unknown_method(method: &str) -> String {
    match method.rsplit_once('.') {
        None => format!("rpc: service/method request ill-formed: {method}"),
        Some(("Jujuc", _)) => format!("rpc: can't find method {method}"),
        Some(_) => format!("rpc: can't find service {method}"),
    }
}

fn stream_error(tool: &str, error: StreamError) -> Error {
    let tool = tool.to_owned();
    match error {
        StreamError::End | StreamError::UnexpectedEof => Error::Closed { tool, sent: false },
        StreamError::Io(source) => Error::Io {
            tool,
            source,
            sent: false,
        },
        StreamError::Malformed(reason) => Error::Malformed { tool, reason },
        StreamError::Expired(expired) => Error::Timeout {
            tool,
            expired,
            sent: false,
        },
    }
}
