//! Finding equal notices without comparing each with each.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use crate::DeferredNotice;

/// The keys of notices, by a digest of what makes notices equal.
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

    /// The keys of notices that are equal, unless their digests collide.
    pub fn candidates(&self, notice: &DeferredNotice) -> impl Iterator<Item = &K> {
        let keys = self.keys.get(&self.digest(notice));
        keys.into_iter().flatten()
    }
}
