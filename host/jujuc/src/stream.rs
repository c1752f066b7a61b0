//! Reads gob values from a socket, with a time limit.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use crate::gob::{self, Malformed, Types, Value};
use crate::timer::{CallTimer, Expired};

/// A stream without a further value.
#[derive(Debug)]
pub(crate) enum StreamError {
    /// The other side closed between two values.
    End,
    /// The other side closed in the middle of a value.
    UnexpectedEof,
    Io(std::io::Error),
    Malformed(Malformed),
    /// The time limit of the call expired.
    Expired(Expired),
}

/// A socket that is read and written with a time limit.
///
/// It sets the timeouts of the socket. After the limit, reading and writing fail,
/// and [`TimedStream::expired`] returns the reason.
pub struct TimedStream<'a, 'b> {
    stream: &'a UnixStream,
    timer: &'a mut CallTimer<'b>,
    expired: Option<Expired>,
}

impl<'a, 'b> TimedStream<'a, 'b> {
    /// Creates a stream for one call.
    pub fn new(stream: &'a UnixStream, timer: &'a mut CallTimer<'b>) -> Self {
        TimedStream {
            stream,
            timer,
            expired: None,
        }
    }

    /// Whether reading or writing failed because the limit expired.
    pub fn expired(&self) -> Option<Expired> {
        self.expired
    }

    /// Returns the reason why reading or writing failed.
    pub(crate) fn stream_error(&self, error: std::io::Error) -> StreamError {
        match self.expired {
            Some(expired) => StreamError::Expired(expired),
            None => StreamError::Io(error),
        }
    }

    fn attempt(
        &mut self,
        set_timeout: impl Fn(&UnixStream, Option<std::time::Duration>) -> std::io::Result<()>,
        mut operate: impl FnMut(&UnixStream) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        loop {
            let wait = self.timer.wait().map_err(|expired| {
                self.expired = Some(expired);
                std::io::Error::from(ErrorKind::TimedOut)
            })?;
            set_timeout(self.stream, wait)?;
            match operate(self.stream) {
                // The socket's timeout: the timer decides what it means.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                other => return other,
            }
        }
    }
}

impl Read for TimedStream<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.attempt(UnixStream::set_read_timeout, |mut stream| {
            stream.read(buffer)
        })
    }
}

impl Write for TimedStream<'_, '_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.attempt(UnixStream::set_write_timeout, |mut stream| {
            stream.write(buffer)
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The size limit of a message that is read only to be skipped, in bytes.
const MAX_DROPPED: usize = 1 << 30;

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

    /// Returns the next value; stores the type definitions before it.
    pub fn next(&mut self, stream: &mut TimedStream) -> Result<Value, StreamError> {
        let mut clean = true;
        loop {
            if let Some(value) = self.message(stream, clean)? {
                return Ok(value);
            }
            clean = false;
        }
    }

    /// Returns the value of the next message; none if it defines a type.
    pub fn next_message(&mut self, stream: &mut TimedStream) -> Result<Option<Value>, StreamError> {
        self.message(stream, false)
    }

    /// [`Values::next_message`] where the other side may have closed if `clean`.
    fn message(
        &mut self,
        stream: &mut TimedStream,
        clean: bool,
    ) -> Result<Option<Value>, StreamError> {
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            match gob::split(rest).map_err(StreamError::Malformed)? {
                Some((message, size)) => {
                    let value = self.types.decode(message).map_err(StreamError::Malformed)?;
                    self.used += size;
                    return Ok(value);
                }
                None => {
                    let clean = clean && rest.is_empty();
                    self.fill(stream, clean)?;
                }
            }
        }
    }

    /// Skips the next message if it is longer than [`gob::MAX_MESSAGE`], and
    /// returns its length. A message of more than [`MAX_DROPPED`] bytes is not
    /// skipped.
    pub fn drop_too_long(
        &mut self,
        stream: &mut TimedStream,
    ) -> Result<Option<usize>, StreamError> {
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            match gob::lengths(rest).map_err(StreamError::Malformed)? {
                Some((header, length))
                    if (gob::MAX_MESSAGE + 1..=MAX_DROPPED).contains(&length) =>
                {
                    let mut missing = header + length;
                    loop {
                        let there = self.buffer.len() - self.used.min(self.buffer.len());
                        self.used += there.min(missing);
                        missing -= there.min(missing);
                        if missing == 0 {
                            return Ok(Some(length));
                        }
                        self.fill(stream, false)?;
                    }
                }
                Some(_) => return Ok(None),
                None => self.fill(stream, false)?,
            }
        }
    }

    fn fill(&mut self, stream: &mut TimedStream, clean: bool) -> Result<(), StreamError> {
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk) {
            Ok(0) if clean => Err(StreamError::End),
            Ok(0) => Err(StreamError::UnexpectedEof),
            Ok(count) => {
                self.buffer
                    .extend_from_slice(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                Err(StreamError::UnexpectedEof)
            }
            Err(error) => Err(stream.stream_error(error)),
        }
    }
}
