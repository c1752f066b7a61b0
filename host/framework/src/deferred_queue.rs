//! The queue of deferred events (ops §5.3, ops §5.4).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::deferred_notice::{DeferredNotice, NoticeId};
use crate::duplicates::{EqualIndex, are_equal};

/// The longest part of a reason that is saved, in bytes.
const MAX_REASON: usize = 4096;

/// A change of the queue in this dispatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<'a> {
    /// A notice from an earlier dispatch was handled or dropped.
    Drop(&'a DeferredNotice),
    /// A notice from an earlier dispatch was deferred again.
    Update(&'a DeferredNotice),
    /// An event of this dispatch was deferred. Notices are added after all
    /// others, in the order of these changes.
    Add(&'a DeferredNotice),
}

/// Why an event comes again.
pub(crate) struct Requeued<'a> {
    /// The reason, for the next delivery.
    pub reason: &'a str,
    /// Now, in seconds since 1970-01-01 UTC.
    pub now: f64,
    /// The revision of the charm that has no handler for it.
    pub undeliverable_to: Option<String>,
}

/// The position of a notice in the queue: by the delivery that was deferred in
/// this dispatch, 0 for notices from earlier ones; then by age.
type Position = (u32, usize);

/// The queue of deferred events in its order, with the changes of a dispatch.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    notices: BTreeMap<Position, DeferredNotice>,
    by_id: HashMap<NoticeId, Vec<Position>>,
    equal: EqualIndex<Position>,
    /// The number of events that were ever emitted.
    counter: u64,
    /// The number of notices that were ever in this queue.
    last: usize,
    dropped: Vec<DeferredNotice>,
    updated: BTreeSet<Position>,
}

impl Queue {
    /// Creates the queue that earlier dispatches saved, with the number of events
    /// that were ever emitted.
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

    /// Returns the notices in their order.
    pub fn notices(&self) -> impl ExactSizeIterator<Item = &DeferredNotice> {
        self.notices.values()
    }

    /// Returns the number of events that were ever emitted.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Returns the changes of this dispatch, in the order in which they are to be
    /// saved.
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

    /// Counts an emission and returns its number (ops §4.3).
    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Whether an equal notice is in the queue (ops §4.4).
    pub(crate) fn has_equal(&self, notice: &DeferredNotice) -> bool {
        let mut candidates = self.equal.candidates(notice);
        candidates.any(|position| {
            let other = self.notices.get(position);
            other.is_some_and(|other| are_equal(other, notice))
        })
    }

    /// Drops a notice, if it is in the queue: every one with the same ID
    /// (ops §5.3).
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

    /// Adds an event that was deferred in this dispatch. Notices are ordered by
    /// the numbers of their deliveries, as in ops: a nested event is settled
    /// before the event in whose handler it was emitted, and comes after it.
    pub(crate) fn add(&mut self, delivery: u32, notice: DeferredNotice, settled: Requeued) {
        let notice = DeferredNotice {
            since: Some(settled.now),
            count: 1,
            reason: shortened(settled.reason),
            undeliverable_to: settled.undeliverable_to,
            ..notice
        };
        self.insert(delivery, notice);
    }

    /// Records that an event of an earlier dispatch was deferred again.
    pub(crate) fn deferred_again(&mut self, notice: &DeferredNotice, settled: Requeued) {
        let positions = self.by_id.get(&notice.id());
        let Some(position) = positions.and_then(|positions| positions.first()) else {
            return;
        };
        if let Some(notice) = self.notices.get_mut(position) {
            notice.count = notice.count.saturating_add(1);
            notice.reason = shortened(settled.reason);
            notice.since.get_or_insert(settled.now);
            notice.undeliverable_to = settled.undeliverable_to;
            self.updated.insert(*position);
        }
    }
}

fn shortened(reason: &str) -> String {
    let end = reason.floor_char_boundary(MAX_REASON);
    reason.get(..end).unwrap_or_default().to_owned()
}
