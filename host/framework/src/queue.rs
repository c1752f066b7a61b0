//! The events that were deferred, each for one observer.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::Event;

/// An event that is kept for an observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// `<source>/on/<name>[<counter>]`; the same for all observers of one
    /// emission.
    pub event_path: String,
    /// The path of the object whose event it is.
    pub source: String,
    /// The event's name with underscores.
    pub name: String,
    /// The path of the observer.
    pub observer: String,
    /// The observer's method.
    pub method: String,
    /// The event's data.
    pub snapshot: Value,
    /// The event; none if its data does not make one.
    pub event: Option<Event>,
    /// Its place among the events of this dispatch, in the order of their
    /// emission; 0 if it was kept before.
    pub place: u32,
    /// When it was first deferred: seconds since 1970-01-01 UTC; 0 if this host
    /// does not know.
    pub since: f64,
    /// How often it was deferred.
    pub count: u32,
    /// What the charm said the last time.
    pub reason: String,
}

impl Kept {
    /// Whether something else than this host has kept it, as native ops.
    pub(crate) fn is_foreign(&self) -> bool {
        self.since == 0.0
    }

    /// Whether it is the same event, with the same data, for the same observer.
    pub(crate) fn equals(&self, other: &Kept) -> bool {
        self.source == other.source
            && self.name == other.name
            && self.observer == other.observer
            && self.method == other.method
            && self.snapshot == other.snapshot
    }

    /// Whether it is the very same entry.
    fn is(&self, other: &Kept) -> bool {
        self.event_path == other.event_path
            && self.observer == other.observer
            && self.method == other.method
    }

    pub(crate) fn deferral(&self, place: usize, queued: usize) -> Deferral {
        Deferral {
            since: self.since,
            count: self.count,
            reason: self.reason.clone(),
            place,
            queued,
        }
    }
}

/// What is known of an event that comes again.
#[derive(Debug, Clone, PartialEq)]
pub struct Deferral {
    /// When it was first deferred: seconds since 1970-01-01 UTC.
    pub since: f64,
    /// How often it was deferred.
    pub count: u32,
    /// What the charm said the last time.
    pub reason: String,
    /// Its place in the queue, from 1.
    pub place: usize,
    /// How many there are.
    pub queued: usize,
}

/// The events that are kept, in their order, and what a dispatch does to them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queue {
    kept: Vec<Kept>,
    /// How many events were ever emitted.
    counter: u64,
    changed: bool,
}

impl Queue {
    /// What was kept before this dispatch.
    pub fn new(kept: Vec<Kept>, counter: u64) -> Self {
        Queue {
            kept,
            counter,
            changed: false,
        }
    }

    /// What is kept now.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// How many events were ever emitted.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Whether it is another one than at the start.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Counts an emission.
    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn has_equal(&self, kept: &Kept) -> bool {
        self.kept.iter().any(|other| other.equals(kept))
    }

    pub(crate) fn handled(&mut self, kept: &Kept) {
        let before = self.kept.len();
        self.kept.retain(|other| !other.is(kept));
        self.changed |= self.kept.len() != before;
    }

    pub(crate) fn add(&mut self, mut kept: Kept, reason: &str) {
        kept.since = now();
        kept.count = 1;
        kept.reason = reason.to_owned();
        // Nested events are settled before those that they are emitted in.
        let later = self.kept.iter().position(|other| other.place > kept.place);
        self.kept.insert(later.unwrap_or(self.kept.len()), kept);
        self.changed = true;
    }

    pub(crate) fn deferred_again(&mut self, kept: &Kept, reason: &str) {
        if let Some(kept) = self.kept.iter_mut().find(|other| other.is(kept)) {
            kept.count += 1;
            kept.reason = reason.to_owned();
            if kept.since == 0.0 {
                kept.since = now();
            }
            self.changed = true;
        }
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
