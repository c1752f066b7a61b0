//! What services of workload containers print.

use std::time::SystemTime;

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::time::from_seconds;
use crate::{Container, Pollable, Result};

/// The most lines that one call returns, beside the caller's limit.
const LINES: u32 = 1000;

/// Which lines of services are read.
#[derive(Debug, Clone)]
pub struct Logs {
    container: String,
    services: Vec<String>,
    last: Option<u32>,
    follow: bool,
}

impl Container {
    /// Selects all lines of all services that Pebble has: those that were started.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// # fn handler() -> Result<()> {
    /// for line in unit().container("app").logs().service("web").last(10).read()? {
    ///     log::info!("{}: {}", line.service, line.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> Logs {
        Logs {
            container: self.name().to_owned(),
            services: Vec::new(),
            last: None,
            follow: false,
        }
    }
}

impl Logs {
    /// Adds a service. Without one all are read.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.services.push(name.into());
        self
    }

    /// Selects the last lines of all services together.
    pub fn last(mut self, count: u32) -> Self {
        self.last = Some(count);
        self
    }

    /// Selects also the lines to come.
    pub fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// Opens a reader.
    #[track_caller]
    pub fn open(self) -> Result<LogReader> {
        let reader = wit::logs(&self.container, &self.services, self.last, self.follow);
        Ok(LogReader(reader.model()?))
    }

    /// Reads to the end. With [`Logs::follow`] that is when Pebble stops.
    #[track_caller]
    pub fn read(self) -> Result<Vec<LogEntry>> {
        let reader = self.open()?;
        let mut all = Vec::new();
        loop {
            let lines = reader.read(LINES)?;
            if lines.is_empty() {
                return Ok(all);
            }
            all.extend(lines);
        }
    }
}

/// A line that a service printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// When it was printed.
    pub time: SystemTime,
    /// The service.
    pub service: String,
    /// The line without its end.
    pub message: String,
}

/// Lines of services, as they come.
#[derive(Debug)]
pub struct LogReader(wit::LogReader);

impl LogReader {
    /// Reads up to `max` lines as soon as there are any; none at the end.
    #[track_caller]
    pub fn read(&self, max: u32) -> Result<Vec<LogEntry>> {
        let entry = |entry: wit::LogEntry| LogEntry {
            time: from_seconds(entry.time),
            service: entry.service,
            message: entry.message,
        };
        Ok(self.0.read(max).model()?.into_iter().map(entry).collect())
    }

    /// Becomes ready when [`LogReader::read`] would not block.
    pub fn subscribe(&self) -> Pollable {
        Pollable::new(self.0.subscribe())
    }
}
