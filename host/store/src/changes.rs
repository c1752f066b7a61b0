//! What a dispatch changes, before it is written.

use std::collections::BTreeMap;

use crate::Notice;

/// Changes to a state: snapshots that are saved or forgotten, notices that are
/// added or dropped. Nothing is written before all of them are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    snapshots: BTreeMap<String, Option<Vec<u8>>>,
    dropped: Vec<Notice>,
    added: Vec<Notice>,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.dropped.is_empty() && self.added.is_empty()
    }

    /// Saves bytes under a handle.
    pub fn save(&mut self, handle: String, bytes: Vec<u8>) {
        self.snapshots.insert(handle, Some(bytes));
    }

    /// Forgets what is under a handle.
    pub fn forget(&mut self, handle: String) {
        self.snapshots.insert(handle, None);
    }

    /// What becomes of a handle: its bytes, or none if it is forgotten; the
    /// outer none if it does not change.
    pub fn snapshot(&self, handle: &str) -> Option<Option<&[u8]>> {
        self.snapshots.get(handle).map(Option::as_deref)
    }

    /// The handles that change, with their bytes, or none if they are
    /// forgotten.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let snapshots = self.snapshots.iter();
        snapshots.map(|(handle, bytes)| (handle.as_str(), bytes.as_deref()))
    }

    /// Adds a notice behind all others.
    pub fn add_notice(&mut self, notice: Notice) {
        self.added.push(notice);
    }

    /// Drops every notice that is equal.
    pub fn drop_notice(&mut self, notice: Notice) {
        self.added.retain(|other| *other != notice);
        if !self.dropped.contains(&notice) {
            self.dropped.push(notice);
        }
    }

    /// The notices that are dropped; those that are added come after.
    pub fn dropped(&self) -> &[Notice] {
        &self.dropped
    }

    /// The notices that are added, in their order.
    pub fn added(&self) -> &[Notice] {
        &self.added
    }

    /// The notices that there are with the changes, from those that there were.
    pub fn notices(&self, before: Vec<Notice>) -> Vec<Notice> {
        let kept = before.into_iter().filter(|old| !self.dropped.contains(old));
        kept.chain(self.added.iter().cloned()).collect()
    }

    /// Whether any notice changes.
    pub fn has_notices(&self) -> bool {
        !self.dropped.is_empty() || !self.added.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(method: &str) -> Notice {
        Notice {
            event_path: "Charm/on/start[1]".to_owned(),
            observer_path: "Charm".to_owned(),
            method: method.to_owned(),
        }
    }

    #[test]
    fn the_last_change_of_a_handle_counts() {
        let mut changes = Changes::default();
        assert!(changes.is_empty());
        changes.save("a".to_owned(), vec![1]);
        changes.save("b".to_owned(), vec![2]);
        changes.forget("a".to_owned());
        assert_eq!(changes.snapshot("a"), Some(None));
        assert_eq!(changes.snapshot("b"), Some(Some(&[2][..])));
        assert_eq!(changes.snapshot("c"), None);
        assert!(!changes.is_empty());
    }

    #[test]
    fn notices_are_dropped_wherever_they_are_and_added_behind() {
        let mut changes = Changes::default();
        changes.add_notice(notice("new"));
        changes.drop_notice(notice("new"));
        changes.drop_notice(notice("old"));
        changes.add_notice(notice("old"));
        let before = ["old", "other", "old"].map(notice).to_vec();
        assert_eq!(changes.notices(before), ["other", "old"].map(notice));
    }
}
