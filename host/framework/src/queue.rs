//! Deferred events, each for one observer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::Event;
use crate::equal::EqualIndex;

/// How much of a reason is saved, in bytes.
const MAX_REASON: usize = 4096;

/// A deferred event for one observer.
#[derive(Debug, Clone, PartialEq)]
pub struct DeferredNotice {
    /// `<source>/on/<name>[<counter>]`; the same for all observers of one
    /// emission.
    pub event_path: String,
    /// The path of the object that has the event.
    pub source: String,
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
    /// When it was first deferred: seconds since 1970-01-01 UTC; none if native
    /// ops deferred it.
    pub since: Option<f64>,
    /// How often it was deferred.
    pub count: u32,
    /// The reason that the charm gave the last time.
    pub reason: String,
}

impl DeferredNotice {
    /// Whether it is the same event, with the same data, for the same observer
    /// (ops §4.4).
    pub(crate) fn equals(&self, other: &DeferredNotice) -> bool {
        self.source == other.source
            && self.name == other.name
            && self.observer == other.observer
            && self.method == other.method
            && self.snapshot == other.snapshot
    }

    fn id(&self) -> NoticeId {
        NoticeId {
            event_path: self.event_path.clone(),
            observer: self.observer.clone(),
            method: self.method.clone(),
        }
    }

    pub(crate) fn deferral(&self, place: usize, queued: usize) -> Deferral {
        Deferral {
            since: self.since.unwrap_or_default(),
            count: self.count,
            reason: self.reason.clone(),
            place,
            queued,
        }
    }
}

/// What makes a notice one of its own. Several can share one if something else
/// than this host has made them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NoticeId {
    event_path: String,
    observer: String,
    method: String,
}

/// The earlier deferrals of an event that is delivered again.
#[derive(Debug, Clone, PartialEq)]
pub struct Deferral {
    /// When it was first deferred: seconds since 1970-01-01 UTC; 0 if native
    /// ops deferred it.
    pub since: f64,
    /// How often it was deferred.
    pub count: u32,
    /// The reason that the charm gave the last time.
    pub reason: String,
    /// Its place in the queue, from 1.
    pub place: usize,
    /// How many notices are in the queue.
    pub queued: usize,
}

/// A change of the queue in this dispatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<'a> {
    /// A notice from an earlier dispatch was handled or dropped.
    Drop(&'a DeferredNotice),
    /// A notice from an earlier dispatch was deferred again.
    Update(&'a DeferredNotice),
    /// An event of this dispatch was deferred. Notices are added behind all
    /// others, in the order of these changes.
    Add(&'a DeferredNotice),
}

/// Where a notice is in the queue: by the delivery that was deferred in this
/// dispatch, 0 for notices from earlier ones; then by age.
type Position = (u32, usize);

/// The queue of deferred events in its order, and what a dispatch has changed
/// in it.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    notices: BTreeMap<Position, DeferredNotice>,
    by_id: HashMap<NoticeId, Vec<Position>>,
    equal: EqualIndex<Position>,
    /// How many events were ever emitted.
    counter: u64,
    /// How many notices were ever in the queue.
    last: usize,
    dropped: Vec<DeferredNotice>,
    updated: BTreeSet<Position>,
}

impl Queue {
    /// The queue as earlier dispatches have left it.
    pub fn new(notices: Vec<DeferredNotice>, counter: u64) -> Self {
        let mut queue = Queue {
            counter,
            ..Queue::default()
        };
        for notice in notices {
            queue.insert(0, notice);
        }
        queue
    }

    fn insert(&mut self, delivery: u32, notice: DeferredNotice) {
        let position = (delivery, self.last);
        self.last += 1;
        self.by_id.entry(notice.id()).or_default().push(position);
        self.equal.insert(&notice, position);
        self.notices.insert(position, notice);
    }

    /// The notices, in their order.
    pub fn notices(&self) -> impl ExactSizeIterator<Item = &DeferredNotice> {
        self.notices.values()
    }

    /// How many events were ever emitted.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// What this dispatch has changed, in the order in which it is to be
    /// written.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let dropped = self.dropped.iter().map(Change::Drop);
        let updated = self
            .updated
            .iter()
            .filter_map(|position| self.notices.get(position).map(Change::Update));
        let added = self.notices.range((1, 0)..);
        dropped
            .chain(updated)
            .chain(added.map(|(_, notice)| Change::Add(notice)))
    }

    /// Counts an emission.
    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn has_equal(&self, notice: &DeferredNotice) -> bool {
        let mut candidates = self.equal.candidates(notice);
        candidates.any(|position| {
            let other = self.notices.get(position);
            other.is_some_and(|other| other.equals(notice))
        })
    }

    /// Drops a notice, if it is there.
    pub(crate) fn drop_notice(&mut self, notice: &DeferredNotice) {
        for position in self.by_id.remove(&notice.id()).unwrap_or_default() {
            let Some(dropped) = self.notices.remove(&position) else {
                continue;
            };
            self.equal.remove(&dropped, &position);
            self.updated.remove(&position);
            if position.0 == 0 {
                self.dropped.push(dropped);
            }
        }
    }

    /// Adds an event that was deferred, by the number of its delivery: nested
    /// events are settled before those in whose handlers they are emitted, and
    /// come after them.
    pub(crate) fn add(&mut self, delivery: u32, notice: DeferredNotice, reason: &str) {
        let notice = DeferredNotice {
            since: Some(now()),
            count: 1,
            reason: shortened(reason),
            ..notice
        };
        self.insert(delivery, notice);
    }

    pub(crate) fn deferred_again(&mut self, notice: &DeferredNotice, reason: &str) {
        let positions = self.by_id.get(&notice.id());
        let Some(position) = positions.and_then(|positions| positions.first()) else {
            return;
        };
        if let Some(notice) = self.notices.get_mut(position) {
            notice.count = notice.count.saturating_add(1);
            notice.reason = shortened(reason);
            notice.since.get_or_insert_with(now);
            self.updated.insert(*position);
        }
    }
}

fn shortened(reason: &str) -> String {
    let end = reason.floor_char_boundary(MAX_REASON);
    reason.get(..end).unwrap_or_default().to_owned()
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
