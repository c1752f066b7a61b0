//! The charm's side of a connection (juju §2.1, juju §2.3).

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;

use crate::stream::{StreamError, TimedStream, Values};
use crate::timer::CallTimer;
use crate::wire::{self, Fields, METHOD, PROBE};
use crate::{Address, Call, Error, Malformed, Reply};

/// A connection to the agent, which runs tools one after the other.
pub struct Connection {
    stream: UnixStream,
    values: Values,
    buffer: Vec<u8>,
    seq: u64,
    /// Calls that were sent and not answered.
    open: Vec<u64>,
    /// Replies that were received before the expected one.
    early: Vec<(u64, Result<Reply, String>)>,
}

/// A call that was sent, and whose reply was not received.
#[derive(Debug)]
#[must_use = "its reply is to be received"]
pub struct Sent {
    seq: u64,
    tool: String,
}

impl Connection {
    /// Connects to the agent.
    pub fn connect(address: &Address) -> Result<Self, Error> {
        Connection::connect_within(address, &mut CallTimer::new(None))
    }

    /// Connects to the agent; waits while its queue of connections is full.
    pub fn connect_within(address: &Address, timer: &mut CallTimer) -> Result<Self, Error> {
        let stream = address.connect(timer).map_err(|error| match error {
            StreamError::Expired(expired) => Error::Timeout {
                tool: "a hook tool".to_owned(),
                expired,
                sent: false,
            },
            StreamError::Io(source) => Error::Connect {
                address: address.to_string(),
                source,
            },
            _ => Error::Connect {
                address: address.to_string(),
                source: ErrorKind::ConnectionReset.into(),
            },
        })?;
        Ok(Connection::over(stream))
    }

    /// Uses a socket that is connected.
    pub fn over(stream: UnixStream) -> Self {
        Connection {
            stream,
            values: Values::new(),
            buffer: Vec::with_capacity(1024),
            seq: 0,
            open: Vec::new(),
            early: Vec::new(),
        }
    }

    /// Runs a tool and waits for it. A tool that ran and failed is a reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, call: &Call<A>) -> Result<Reply, Error> {
        self.call_within(call, &mut CallTimer::new(None))
    }

    /// Runs a tool and waits for it as long as the timer allows. After any error
    /// other than [`Error::Rpc`] the connection cannot be used.
    pub fn call_within<A: AsRef<[u8]>>(
        &mut self,
        call: &Call<A>,
        timer: &mut CallTimer,
    ) -> Result<Reply, Error> {
        let sent = self.send(call, timer)?;
        self.receive(sent, timer)
    }

    /// Sends a call. Others may be sent before its reply is received, but the
    /// agent may run them in any order.
    pub fn send<A: AsRef<[u8]>>(
        &mut self,
        call: &Call<A>,
        timer: &mut CallTimer,
    ) -> Result<Sent, Error> {
        self.send_to(METHOD, call, timer)
    }

    /// Asks whether the agent speaks this protocol: calls a method that it does
    /// not have, so that nothing runs.
    ///
    /// # Errors
    ///
    /// Those of a call; any other than [`Error::Timeout`] means that it does not.
    pub fn probe(&mut self, timer: &mut CallTimer) -> Result<(), Error> {
        let nothing: Call<&[u8]> = Call {
            context_id: "",
            dir: "",
            tool: "a probe",
            args: &[],
            stdin: None,
        };
        let sent = self.send_to(PROBE, &nothing, timer)?;
        match self.receive(sent, timer) {
            Err(Error::Rpc { message, .. }) if message.starts_with("rpc: can't find method") => {
                Ok(())
            }
            Ok(_) => Err(Error::Malformed {
                tool: nothing.tool.to_owned(),
                reason: Malformed("it answers a method that does not exist".to_owned()),
            }),
            Err(error) => Err(error),
        }
    }

    fn send_to<A: AsRef<[u8]>>(
        &mut self,
        method: &str,
        call: &Call<A>,
        timer: &mut CallTimer,
    ) -> Result<Sent, Error> {
        self.buffer.clear();
        wire::write_call(&mut self.buffer, method, self.seq, call);
        let sent = Sent {
            seq: self.seq,
            tool: call.tool.to_owned(),
        };
        self.seq += 1;
        let mut stream = TimedStream::new(&self.stream, timer);
        match stream.write_all(&self.buffer) {
            Ok(()) => {
                self.open.push(sent.seq);
                Ok(sent)
            }
            Err(source) => {
                let error = match source.kind() {
                    ErrorKind::BrokenPipe => StreamError::UnexpectedEof,
                    _ => stream.stream_error(source),
                };
                Err(failed(sent.tool, error, false))
            }
        }
    }

    /// Waits for the reply to a call.
    pub fn receive(&mut self, sent: Sent, timer: &mut CallTimer) -> Result<Reply, Error> {
        let Sent { seq, tool } = sent;
        loop {
            if let Some(index) = self.early.iter().position(|(early, _)| *early == seq) {
                let (_, answer) = self.early.swap_remove(index);
                return answer.map_err(|message| Error::Rpc { tool, message });
            }
            let answer = self.next_answer(timer);
            let answer = answer.map_err(|error| failed(tool.clone(), error, true))?;
            self.early.push(answer);
        }
    }

    fn next_answer(
        &mut self,
        timer: &mut CallTimer,
    ) -> Result<(u64, Result<Reply, String>), StreamError> {
        let mut stream = TimedStream::new(&self.stream, timer);
        let mut header = Fields::of(self.values.next(&mut stream)?);
        let body = Fields::of(self.values.next(&mut stream)?);
        let seq = header.uint("Seq");
        let Some(index) = self.open.iter().position(|open| *open == seq) else {
            let text = format!("it answers call {seq}, which was not made");
            return Err(StreamError::Malformed(Malformed(text)));
        };
        self.open.swap_remove(index);
        let message = header.string("Error");
        Ok(match message.is_empty() {
            true => (seq, Ok(body.reply())),
            false => (seq, Err(message)),
        })
    }
}

fn failed(tool: String, error: StreamError, sent: bool) -> Error {
    match error {
        StreamError::End | StreamError::UnexpectedEof => Error::Closed { tool, sent },
        StreamError::Io(source) => Error::Io { tool, source, sent },
        StreamError::Malformed(reason) => Error::Malformed { tool, reason },
        StreamError::Expired(expired) => Error::Timeout {
            tool,
            expired,
            sent,
        },
    }
}
