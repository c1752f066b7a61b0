//! A deferred event for one observer: a row of the table `notice` of ops with
//! its snapshot (ops §5.3).

use serde_json::Value;

use crate::event::{Deferral, Event};
use crate::handle_paths::Source;

/// A deferred event for one observer.
#[derive(Debug, Clone, PartialEq)]
pub struct DeferredNotice {
    /// `<source>/on/<name>[<counter>]`: the same for all observers of one
    /// emission (ops §4.1).
    pub event_path: String,
    /// The object that has the event.
    pub source: Source,
    /// The event's name with underscores.
    pub name: String,
    /// The path of the observer.
    pub observer: String,
    /// The observer's method.
    pub method: String,
    /// The event's data.
    pub snapshot: Value,
    /// The event; none if its data cannot be read.
    pub event: Option<Event>,
    /// The time of the first deferral: seconds since 1970-01-01 UTC; none if
    /// native ops deferred the event.
    pub since: Option<f64>,
    /// How often the event was deferred.
    pub count: u32,
    /// The reason that the charm gave last.
    pub reason: String,
    /// The revision of the charm that has no handler for the event; none if the
    /// last one that got it had.
    pub undeliverable_to: Option<String>,
}

/// What identifies a notice in a state file. Notices of other programs may share
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NoticeId {
    event_path: String,
    observer: String,
    method: String,
}

impl DeferredNotice {
    pub(crate) fn id(&self) -> NoticeId {
        NoticeId {
            event_path: self.event_path.clone(),
            observer: self.observer.clone(),
            method: self.method.clone(),
        }
    }

    pub(crate) fn deferral(&self, position: usize, queued: usize) -> Deferral {
        Deferral {
            since: self.since.unwrap_or_default(),
            count: self.count,
            reason: self.reason.clone(),
            position,
            queued,
        }
    }
}
