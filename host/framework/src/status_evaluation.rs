//! The evaluation of statuses after the event (ops §13.3): the application's, for
//! the leader, then the unit's.

use charmhost_juju::{Scope, StatusValue};

use crate::{Effects, Framework};

/// The status that is being evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collecting {
    /// That of the application.
    App,
    /// That of the unit.
    Unit,
}

impl Collecting {
    /// Returns the entity of the status.
    pub fn scope(self) -> Scope {
        match self {
            Collecting::App => Scope::App,
            Collecting::Unit => Scope::Unit,
        }
    }
}

/// The evaluation that runs, if any.
#[derive(Debug, Default)]
pub(crate) struct StatusEvaluation {
    pub collecting: Option<Collecting>,
    collected: Collected,
}

impl Framework {
    /// Adds a status to the running evaluation; returns the status if a charm
    /// cannot set it, and none if no evaluation runs.
    pub fn collect(&mut self, status: StatusValue) -> Option<Result<Collecting, StatusValue>> {
        let collecting = self.evaluation.collecting?;
        let added = self.evaluation.collected.add(status);
        Some(added.map(|()| collecting))
    }

    /// Ends the running evaluation: sets the status that won, if any was added.
    pub(crate) fn finish_evaluation<E: Effects>(
        &mut self,
        effects: &mut E,
    ) -> Result<(), E::Error> {
        if let Some(collecting) = self.evaluation.collecting.take()
            && let Some(status) = self.evaluation.collected.take()
        {
            effects.set_status(collecting.scope(), &status)?;
        }
        Ok(())
    }
}

/// The statuses that were added so far.
#[derive(Debug, Default)]
struct Collected {
    winner: Option<(usize, StatusValue)>,
}

impl Collected {
    /// Adds a status; returns it if a charm cannot set it. The status of the
    /// highest rank wins; of equal ranks, the first.
    fn add(&mut self, status: StatusValue) -> Result<(), StatusValue> {
        let Some(rank) = status.name.rank() else {
            return Err(status);
        };
        if self.winner.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.winner = Some((rank, status));
        }
        Ok(())
    }

    /// Returns the winner, if any status was added, and removes all.
    fn take(&mut self) -> Option<StatusValue> {
        self.winner.take().map(|(_, status)| status)
    }
}

#[cfg(test)]
mod tests {
    use charmhost_juju::StatusName;

    use super::*;

    fn status(name: StatusName, message: &str) -> StatusValue {
        StatusValue {
            name,
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_status_of_the_highest_rank_wins_and_of_equals_the_first() {
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
