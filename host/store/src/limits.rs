//! Limits of stored values, and times. The same limits hold for saving and for
//! loading: what could not be loaded again is rejected when it is saved.

use std::time::Duration;

use serde_json::Value;

use crate::Unreadable;

/// The deepest nesting of a value; the outermost value is at depth 0. The same as for
/// YAML documents.
pub(crate) const MAX_DEPTH: usize = 100;
/// Bytes charged for each value and each key, beside its text.
pub(crate) const VALUE_BYTES: usize = 64;
/// The longest handle, or part of a notice, in bytes.
pub const MAX_NAME: usize = 64 << 10;
/// The default for what one value may take in memory, in bytes.
pub const DEFAULT_LIMIT: usize = 64 << 20;

/// How long to wait for another process to release the state.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// The most processor time that one query of SQLite may take.
pub(crate) const QUERY_TIME: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// Bytes of memory that decoded values may still take.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: usize,
    left: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Self {
        Budget { limit, left: limit }
    }

    /// Bytes that were used.
    pub fn used(&self) -> usize {
        self.limit.saturating_sub(self.left)
    }

    /// A budget for the temporary data while a value is read: twice as much.
    pub(crate) fn scaffolding(&self) -> Self {
        Budget {
            limit: self.limit,
            left: self.left.saturating_mul(2),
        }
    }

    /// Uses so many bytes, if they are left.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Unreadable> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Unreadable::new(format!(
                    "it takes more than {} of memory",
                    size(self.limit)
                )))
            }
        }
    }

    /// Charges a value or a key at a depth, with `text` bytes of text.
    pub(crate) fn value(&mut self, depth: usize, text: usize) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::new(format!(
                "it nests more than {MAX_DEPTH} levels deep"
            )));
        }
        self.charge(text.saturating_add(VALUE_BYTES))
    }
}

/// Checks that a value can be loaded again once it is saved.
pub fn check(value: &Value, budget: &mut Budget) -> Result<(), Unreadable> {
    at_depth(value, 0, budget)
}

fn at_depth(value: &Value, depth: usize, budget: &mut Budget) -> Result<(), Unreadable> {
    match value {
        Value::String(text) => budget.value(depth, text.len()),
        Value::Array(items) => {
            budget.value(depth, 0)?;
            items
                .iter()
                .try_for_each(|item| at_depth(item, depth + 1, budget))
        }
        Value::Object(map) => {
            budget.value(depth, 0)?;
            map.iter().try_for_each(|(key, value)| {
                budget.value(depth + 1, key.len())?;
                at_depth(value, depth + 1, budget)
            })
        }
        _ => budget.value(depth, 0),
    }
}

/// Formats a number of bytes for a message.
pub(crate) fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        mib => format!("{mib} MiB"),
    }
}
