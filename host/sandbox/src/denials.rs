//! Denied operations, each logged with the grant that would allow it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Denials that one session logs. A guest that tries everything does not
/// fill the log.
const MAX_LOGGED: usize = 20;
/// Length of a denied operation in the log, in characters.
const MAX_TEXT: usize = 400;

/// Denials that are not logged yet. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct DenialLog(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    seen: HashSet<String>,
    waiting: Vec<String>,
}

impl DenialLog {
    /// Adds a denial: the operation, for example `reading /etc/shadow`, and the
    /// entry of `charmhost.toml` that would allow it, if any does.
    pub fn add(&self, operation: &str, grant: Option<&str>) {
        let operation = shortened(operation);
        let remedy = match grant {
            Some(grant) => {
                let grant = shortened(grant);
                format!("to allow it, write {grant} under [grants] in charmhost.toml")
            }
            None => "this cannot be granted".to_owned(),
        };
        self.push(format!("Denied {operation}; {remedy}."));
    }

    /// Adds a line as it is.
    pub fn note(&self, line: &str) {
        self.push(shortened(line));
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.seen.len() < MAX_LOGGED && lines.seen.insert(line.clone()) {
            lines.waiting.push(line);
        }
    }

    /// Takes all lines that are not logged yet.
    pub fn take(&self) -> Vec<String> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut lines.waiting)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_denial_is_logged_once_and_their_number_is_limited() {
        let denials = DenialLog::default();
        denials.add("reading /etc/x", Some("read = [\"/etc/x\"]"));
        denials.add("reading /etc/x", Some("read = [\"/etc/x\"]"));
        denials.add("changing dispatch", None);
        assert_eq!(
            denials.take(),
            [
                "Denied reading /etc/x; to allow it, write read = [\"/etc/x\"] under [grants] in charmhost.toml.",
                "Denied changing dispatch; this cannot be granted."
            ]
        );
        for number in 0..100 {
            denials.add(&format!("reading {number}"), None);
        }
        assert_eq!(denials.take().len(), MAX_LOGGED - 2);
        assert!(denials.take().is_empty());
    }

    #[test]
    fn long_operations_are_shortened() {
        let denials = DenialLog::default();
        denials.add(&"x".repeat(100_000), None);
        assert!(denials.take().concat().len() < 500);
    }
}
