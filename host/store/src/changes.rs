//! Changes of a dispatch that are not committed yet.

use std::collections::{BTreeMap, BTreeSet};

use crate::Notice;

/// Changes to a state: snapshots that are saved or deleted, notices that are added
/// or dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    snapshots: BTreeMap<String, Option<Vec<u8>>>,
    dropped: BTreeSet<Notice>,
    /// By the order in which they were added.
    added: BTreeMap<usize, Notice>,
    /// Where equal notices are in `added`.
    positions: BTreeMap<Notice, Vec<usize>>,
    next: usize,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && !self.has_notices()
    }

    /// Saves bytes under a handle.
    pub fn save(&mut self, handle: String, bytes: Vec<u8>) {
        self.snapshots.insert(handle, Some(bytes));
    }

    /// Deletes the snapshot under a handle.
    pub fn delete(&mut self, handle: String) {
        self.snapshots.insert(handle, None);
    }

    /// The change of a handle: the new bytes, or the inner none if it is deleted;
    /// the outer none if it does not change.
    pub fn snapshot(&self, handle: &str) -> Option<Option<&[u8]>> {
        self.snapshots.get(handle).map(Option::as_deref)
    }

    /// The handles that change, with the new bytes; none if deleted.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let snapshots = self.snapshots.iter();
        snapshots.map(|(handle, bytes)| (handle.as_str(), bytes.as_deref()))
    }

    /// Adds a notice at the end of the queue.
    pub fn add_notice(&mut self, notice: Notice) {
        self.positions
            .entry(notice.clone())
            .or_default()
            .push(self.next);
        self.added.insert(self.next, notice);
        self.next += 1;
    }

    /// Drops every notice that is equal.
    pub fn drop_notice(&mut self, notice: Notice) {
        for position in self.positions.remove(&notice).unwrap_or_default() {
            self.added.remove(&position);
        }
        self.dropped.insert(notice);
    }

    /// The notices to drop, before others are added.
    pub fn dropped(&self) -> &BTreeSet<Notice> {
        &self.dropped
    }

    /// The notices to add, in their order.
    pub fn added(&self) -> impl Iterator<Item = &Notice> {
        self.added.values()
    }

    /// The notices after the changes, from those before.
    pub fn notices(&self, before: Vec<Notice>) -> Vec<Notice> {
        let remaining = before.into_iter().filter(|old| !self.dropped.contains(old));
        remaining.chain(self.added().cloned()).collect()
    }

    /// Whether any notice changes.
    pub fn has_notices(&self) -> bool {
        !self.dropped.is_empty() || !self.added.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_handle_wins() {
        let mut changes = Changes::default();
        assert!(changes.is_empty());
        changes.save("a".to_owned(), vec![1]);
        changes.save("b".to_owned(), vec![2]);
        changes.delete("a".to_owned());
        assert_eq!(changes.snapshot("a"), Some(None));
        assert_eq!(changes.snapshot("b"), Some(Some(&[2][..])));
        assert_eq!(changes.snapshot("c"), None);
        assert!(!changes.is_empty());
    }

    #[test]
    fn every_equal_notice_is_dropped_and_new_ones_are_at_the_end() {
        let mut changes = Changes::default();
        changes.add_notice(Notice::of_start("new"));
        changes.add_notice(Notice::of_start("twice"));
        changes.add_notice(Notice::of_start("twice"));
        changes.drop_notice(Notice::of_start("new"));
        changes.drop_notice(Notice::of_start("old"));
        changes.add_notice(Notice::of_start("old"));
        let before = ["old", "other", "old"].map(Notice::of_start).to_vec();
        let after = ["other", "twice", "twice", "old"].map(Notice::of_start);
        assert_eq!(changes.notices(before.clone()), after);
        changes.drop_notice(Notice::of_start("twice"));
        assert_eq!(
            changes.notices(before),
            ["other", "old"].map(Notice::of_start)
        );
    }
}
