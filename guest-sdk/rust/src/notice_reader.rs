//! Notices of workload containers, as they occur.

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::notices::from_wit;
use crate::{Container, Notice, NoticeFilter, Pollable, Result};

/// Notices as they occur, from the time on at which it was opened.
#[derive(Debug)]
pub struct NoticeReader(wit::NoticeReader);

impl Container {
    /// Reads notices as they occur, from now on.
    #[track_caller]
    pub fn watch_notices(&self, filter: &NoticeFilter) -> Result<NoticeReader> {
        let reader = wit::watch_notices(self.name(), &filter.to_wit());
        Ok(NoticeReader(reader.model()?))
    }
}

impl NoticeReader {
    /// Returns the notices since the last call, in the order in which they were last
    /// repeated. Waits until there is one.
    #[track_caller]
    pub fn read(&self) -> Result<Vec<Notice>> {
        Ok(self.0.read().model()?.into_iter().map(from_wit).collect())
    }

    /// Becomes ready when [`NoticeReader::read`] would not block.
    pub fn subscribe(&self) -> Pollable {
        Pollable::new(self.0.subscribe())
    }
}
