//! The charm's side of a connection.

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::stream::{Broken, Values};
use crate::wire::{self, Fields};
use crate::{Address, Call, Error, Reply};

/// A connection to the agent, on which tools run one after the other.
pub struct Connection {
    stream: UnixStream,
    values: Values,
    buffer: Vec<u8>,
    seq: u64,
}

impl Connection {
    /// Connects to the agent.
    pub fn connect(address: &Address) -> Result<Self, Error> {
        let stream = address.connect().map_err(|source| Error::Connect {
            address: address.to_string(),
            source,
        })?;
        Ok(Connection::over(stream))
    }

    /// Talks over a socket that is connected already.
    pub fn over(stream: UnixStream) -> Self {
        Connection {
            stream,
            values: Values::new(),
            buffer: Vec::with_capacity(1024),
            seq: 0,
        }
    }

    /// Runs a tool and waits for it. A tool that ran and failed is a reply.
    pub fn call(&mut self, call: &Call) -> Result<Reply, Error> {
        let tool = || call.tool.to_owned();
        self.buffer.clear();
        wire::write_call(&mut self.buffer, self.seq, call);
        let seq = self.seq;
        self.seq += 1;
        if let Err(source) = self.stream.write_all(&self.buffer) {
            return Err(match source.kind() {
                std::io::ErrorKind::BrokenPipe => Error::Closed { tool: tool() },
                _ => Error::Io {
                    tool: tool(),
                    source,
                    sent: false,
                },
            });
        }
        let broken = |broken| match broken {
            Broken::End | Broken::Cut => Error::Closed { tool: tool() },
            Broken::Io(source) => Error::Io {
                tool: tool(),
                source,
                sent: true,
            },
            Broken::Malformed(reason) => Error::Malformed {
                tool: tool(),
                reason,
            },
        };
        let mut header = Fields::of(self.values.next(&mut self.stream).map_err(broken)?);
        let body = Fields::of(self.values.next(&mut self.stream).map_err(broken)?);
        let answered = header.uint("Seq");
        if answered != seq {
            let text = format!("it answers call {answered}, and call {seq} was made");
            return Err(Error::Malformed {
                tool: tool(),
                reason: crate::Malformed(text),
            });
        }
        let message = header.string("Error");
        if !message.is_empty() {
            return Err(Error::Rpc {
                tool: tool(),
                message,
            });
        }
        Ok(body.reply())
    }
}
