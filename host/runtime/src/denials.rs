//! What the sandbox has refused, and what would allow it.

use std::sync::{Arc, Mutex, PoisonError};

/// How many refusals are told; a guest that tries everything fills no log.
const MOST: usize = 20;

/// What was refused and is not told yet. Shared with what checks addresses,
/// which the guest's other state is out of reach for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Denials(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    all: Vec<String>,
    told: usize,
}

impl Denials {
    /// Notes a refusal: what was refused, and the line that would grant it.
    pub fn add(&self, what: &str, grant: Option<&str>) {
        let remedy = match grant {
            Some(grant) => format!("to allow it, write {grant} under [grants] in charmhost.toml"),
            None => "nothing can allow it".to_owned(),
        };
        let line = format!("Denied {what}; {remedy}.");
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.all.contains(&line) && told.all.len() < MOST {
            told.all.push(line);
        }
    }

    /// Those that were not told yet.
    pub fn take(&self) -> Vec<String> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = told.all.get(told.told..).unwrap_or_default().to_vec();
        told.told = told.all.len();
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_told_once_and_not_without_end() {
        let denials = Denials::default();
        denials.add("reading /etc/x", Some("read = [\"/etc/x\"]"));
        denials.add("reading /etc/x", Some("read = [\"/etc/x\"]"));
        denials.add("writing dispatch", None);
        assert_eq!(
            denials.take(),
            [
                "Denied reading /etc/x; to allow it, write read = [\"/etc/x\"] under [grants] in charmhost.toml.",
                "Denied writing dispatch; nothing can allow it."
            ]
        );
        for number in 0..100 {
            denials.add(&format!("reading {number}"), None);
        }
        assert_eq!(denials.take().len(), MOST - 2);
        assert!(denials.take().is_empty());
    }
}
