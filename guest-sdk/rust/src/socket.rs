//! Byte streams to Pebble, for charms with a client of their own.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::bindings::pebble_socket as wit;
use crate::error::ModelResult;
use crate::{Container, Pollable, Result};

/// A direction of a [`Connection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From Pebble to the charm.
    Reading,
    /// From the charm to Pebble.
    Writing,
}

/// A byte stream to Pebble. It is closed when this is dropped.
///
/// As [`Read`] and [`Write`] it waits as long as it takes.
#[derive(Debug)]
pub struct Connection(wit::Connection);

impl Container {
    /// Connects to Pebble's socket. `timeout` is 5 seconds if there is none.
    #[track_caller]
    pub fn connect(&self, timeout: Option<Duration>) -> Result<Connection> {
        let timeout = timeout.map(|timeout| timeout.as_secs_f64());
        Ok(Connection(wit::connect(self.name(), timeout).model()?))
    }
}

impl Connection {
    /// Reads up to `max` bytes as soon as there are any; none at the end.
    #[track_caller]
    pub fn read_some(&self, max: u32, timeout: Option<Duration>) -> Result<Vec<u8>> {
        let timeout = timeout.map(|timeout| timeout.as_secs_f64());
        self.0.read(max, timeout).model()
    }

    /// Writes what fits, at least one byte; returns how much.
    #[track_caller]
    pub fn write_some(&self, data: &[u8], timeout: Option<Duration>) -> Result<usize> {
        let timeout = timeout.map(|timeout| timeout.as_secs_f64());
        Ok(self.0.write(data, timeout).model()? as usize)
    }

    /// Ends the writing side.
    #[track_caller]
    pub fn finish(&self) -> Result<()> {
        self.0.finish().model()
    }

    /// Becomes ready when reading or writing would not block.
    pub fn subscribe(&self, direction: Direction) -> Pollable {
        let direction = match direction {
            Direction::Reading => wit::Direction::Reading,
            Direction::Writing => wit::Direction::Writing,
        };
        Pollable::new(self.0.subscribe(direction))
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let chunk = self.read_some(max, None).map_err(io::Error::other)?;
        (&chunk[..]).read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_some(buffer, None).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
