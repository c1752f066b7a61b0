//! Reads gob values from a socket.

use std::io::Read;
use std::os::unix::net::UnixStream;

use crate::gob::{self, Malformed, Types, Value};

/// Why there is no further value.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other side closed between two values.
    End,
    /// The other side closed in the middle of one.
    Cut,
    Io(std::io::Error),
    Malformed(Malformed),
}

/// One direction of a connection.
pub(crate) struct Values {
    types: Types,
    buffer: Vec<u8>,
    used: usize,
}

impl Values {
    pub fn new() -> Self {
        Values {
            types: Types::default(),
            buffer: Vec::with_capacity(1024),
            used: 0,
        }
    }

    /// The next value; types that are defined on the way are taken in.
    pub fn next(&mut self, stream: &mut UnixStream) -> Result<Value, Broken> {
        let mut defining = false;
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            match gob::split(rest).map_err(Broken::Malformed)? {
                Some((message, size)) => {
                    let value = self.types.decode(message).map_err(Broken::Malformed)?;
                    self.used += size;
                    if let Some(value) = value {
                        return Ok(value);
                    }
                    defining = true;
                }
                None => {
                    let clean = rest.is_empty() && !defining;
                    self.fill(stream, clean)?;
                }
            }
        }
    }

    fn fill(&mut self, stream: &mut UnixStream, clean: bool) -> Result<(), Broken> {
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        let mut chunk = [0; 8192];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) if clean => return Err(Broken::End),
                Ok(0) => return Err(Broken::Cut),
                Ok(count) => {
                    self.buffer
                        .extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Err(Broken::Cut);
                }
                Err(error) => return Err(Broken::Io(error)),
            }
        }
    }
}
