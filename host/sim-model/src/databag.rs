//! Databags of relations, and the leader's settings.

use std::collections::BTreeMap;

/// The content of a databag.
pub type Databag = BTreeMap<String, String>;

/// Sets keys of a databag; an empty value removes the key.
pub fn update(bag: &mut Databag, changes: impl IntoIterator<Item = (String, String)>) {
    for (key, value) in changes {
        match value.is_empty() {
            true => bag.remove(&key),
            false => bag.insert(key, value),
        };
    }
}
