//! Which notices are duplicates (ops §4.4), and how they are found without a
//! comparison of each with each.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use crate::deferred_notice::DeferredNotice;

/// Whether notices are of the same event with the same data for the same
/// observer.
pub(crate) fn are_equal(a: &DeferredNotice, b: &DeferredNotice) -> bool {
    a.source == b.source
        && a.name == b.name
        && a.observer == b.observer
        && a.method == b.method
        && a.snapshot == b.snapshot
}

/// Returns the log line for an observer that is skipped, because an equal notice
/// is queued or being handled (ops §20.4).
pub(crate) fn skipping(notice: &DeferredNotice) -> String {
    format!(
        "Skipping notice ({}/{}/{}) - already in the queue.",
        notice.event_path, notice.observer, notice.method
    )
}

/// The keys of notices by a digest of what makes notices equal.
#[derive(Debug, Clone)]
pub(crate) struct EqualIndex<K> {
    hasher: RandomState,
    keys: HashMap<u64, BTreeSet<K>>,
}

impl<K> Default for EqualIndex<K> {
    fn default() -> Self {
        EqualIndex {
            hasher: RandomState::default(),
            keys: HashMap::default(),
        }
    }
}

impl<K: Ord> EqualIndex<K> {
    fn digest(&self, notice: &DeferredNotice) -> u64 {
        let DeferredNotice {
            source,
            name,
            observer,
            method,
            snapshot,
            ..
        } = notice;
        self.hasher
            .hash_one((source, name, observer, method, snapshot))
    }

    pub fn insert(&mut self, notice: &DeferredNotice, key: K) {
        let digest = self.digest(notice);
        self.keys.entry(digest).or_default().insert(key);
    }

    pub fn remove(&mut self, notice: &DeferredNotice, key: &K) {
        let digest = self.digest(notice);
        if let Some(keys) = self.keys.get_mut(&digest) {
            keys.remove(key);
            if keys.is_empty() {
                self.keys.remove(&digest);
            }
        }
    }

    /// Returns the keys of equal notices, and of others with the same digest.
    pub fn candidates(&self, notice: &DeferredNotice) -> impl Iterator<Item = &K> {
        let keys = self.keys.get(&self.digest(notice));
        keys.into_iter().flatten()
    }
}
