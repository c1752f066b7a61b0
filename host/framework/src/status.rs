//! The evaluation of statuses.

use charmhost_juju::{Scope, StatusName, StatusValue};

/// Which statuses are being collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collecting {
    /// The application's.
    App,
    /// The unit's.
    Unit,
}

impl Collecting {
    /// Whose status it is.
    pub fn scope(self) -> Scope {
        match self {
            Collecting::App => Scope::App,
            Collecting::Unit => Scope::Unit,
        }
    }
}

/// The statuses collected so far.
#[derive(Debug, Default)]
pub struct Collected {
    winner: Option<(u8, StatusValue)>,
}

impl Collected {
    /// Adds a status; gives it back when a charm cannot set such a one.
    ///
    /// The most pressing one wins; of equals, the first.
    pub fn add(&mut self, status: StatusValue) -> Result<(), StatusValue> {
        let Some(rank) = rank(&status.name) else {
            return Err(status);
        };
        if self.winner.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.winner = Some((rank, status));
        }
        Ok(())
    }

    /// The winner, if any status was added; forgets all of them.
    pub fn take(&mut self) -> Option<StatusValue> {
        self.winner.take().map(|(_, status)| status)
    }
}

fn rank(name: &StatusName) -> Option<u8> {
    match name {
        StatusName::Blocked => Some(4),
        StatusName::Maintenance => Some(3),
        StatusName::Waiting => Some(2),
        StatusName::Active => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: StatusName, message: &str) -> StatusValue {
        StatusValue {
            name,
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_most_pressing_status_wins_and_of_equals_the_first() {
        use StatusName::{Active, Blocked, Maintenance, Waiting};
        for (added, winner) in [
            (vec![(Active, "a")], "a"),
            (vec![(Active, "a"), (Waiting, "w")], "w"),
            (vec![(Waiting, "w"), (Maintenance, "m"), (Active, "a")], "m"),
            (
                vec![(Maintenance, "m"), (Blocked, "b1"), (Blocked, "b2")],
                "b1",
            ),
        ] {
            let mut collected = Collected::default();
            for (name, message) in added {
                collected.add(status(name, message)).unwrap();
            }
            assert_eq!(collected.take().unwrap().message, winner);
            assert_eq!(collected.take(), None);
        }
    }

    #[test]
    fn what_juju_sets_cannot_be_collected() {
        for name in [
            StatusName::Error,
            StatusName::Unknown,
            StatusName::Other("new".into()),
        ] {
            let mut collected = Collected::default();
            assert!(collected.add(status(name, "")).is_err());
            assert_eq!(collected.take(), None);
        }
    }
}
