//! Reads gob values from a socket, within a time.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use crate::gob::{self, Malformed, Types, Value};
use crate::timer::{CallTimer, Expired};

/// Why there is no further value.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other side closed between two values.
    End,
    /// The other side closed in the middle of one.
    Cut,
    Io(std::io::Error),
    Malformed(Malformed),
    /// The call has taken too long.
    Expired(Expired),
}

/// A socket that is read and written no longer than a timer allows.
///
/// It sets the timeouts of the socket. When the timer is over, reading and
/// writing fail, and [`TimedStream::expired`] gives the reason.
pub struct TimedStream<'a, 'b> {
    stream: &'a UnixStream,
    timer: &'a mut CallTimer<'b>,
    expired: Option<Expired>,
}

impl<'a, 'b> TimedStream<'a, 'b> {
    /// A stream for one call.
    pub fn new(stream: &'a UnixStream, timer: &'a mut CallTimer<'b>) -> Self {
        TimedStream {
            stream,
            timer,
            expired: None,
        }
    }

    /// Whether reading or writing failed because the time is over.
    pub fn expired(&self) -> Option<Expired> {
        self.expired
    }

    /// Why reading or writing failed.
    pub(crate) fn broken(&self, error: std::io::Error) -> Broken {
        match self.expired {
            Some(expired) => Broken::Expired(expired),
            None => Broken::Io(error),
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

/// How long a message may be that is read only to be dropped, in bytes.
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

    /// The next value; types that are defined on the way are taken in.
    pub fn next(&mut self, stream: &mut TimedStream) -> Result<Value, Broken> {
        let mut clean = true;
        loop {
            if let Some(value) = self.message(stream, clean)? {
                return Ok(value);
            }
            clean = false;
        }
    }

    /// The value of the next message; none if it defines a type.
    pub fn next_message(&mut self, stream: &mut TimedStream) -> Result<Option<Value>, Broken> {
        self.message(stream, false)
    }

    /// The same where the other side may have closed if `clean`.
    fn message(&mut self, stream: &mut TimedStream, clean: bool) -> Result<Option<Value>, Broken> {
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            match gob::split(rest).map_err(Broken::Malformed)? {
                Some((message, size)) => {
                    let value = self.types.decode(message).map_err(Broken::Malformed)?;
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

    /// Drops the next message if it is longer than [`gob::MAX_MESSAGE`], and
    /// returns its length. One of more than [`MAX_DROPPED`] bytes stays.
    pub fn drop_too_long(&mut self, stream: &mut TimedStream) -> Result<Option<usize>, Broken> {
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            match gob::lengths(rest).map_err(Broken::Malformed)? {
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

    fn fill(&mut self, stream: &mut TimedStream, clean: bool) -> Result<(), Broken> {
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk) {
            Ok(0) if clean => Err(Broken::End),
            Ok(0) => Err(Broken::Cut),
            Ok(count) => {
                self.buffer
                    .extend_from_slice(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Broken::Cut),
            Err(error) => Err(stream.broken(error)),
        }
    }
}
