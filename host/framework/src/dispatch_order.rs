//! The order of one dispatch (ops §2.1): deferred events, the dispatched event,
//! the evaluation of statuses, then `pre_commit` and `commit`. In a restricted
//! context there are no deferred events and no evaluation (ops §2.5).

use crate::emission::Emitter;
use crate::event::{Delivery, Event};
use crate::status_evaluation::Collecting;
use crate::{Effects, Framework};

/// The next step of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Deferred,
    Event,
    CollectApp,
    CollectUnit,
    PreCommit,
    Commit,
    End,
}

impl Stage {
    pub fn first(is_restricted: bool) -> Self {
        match is_restricted {
            true => Stage::Event,
            false => Stage::Deferred,
        }
    }
}

impl Framework {
    /// Returns the next delivery; none at the end of the dispatch.
    ///
    /// A delivery that is not settled by now was not handled to its end: it is
    /// requeued if it can be deferred. Effects between two deliveries, for
    /// example setting the status that won, happen here.
    ///
    /// # Errors
    ///
    /// Those of the effects.
    pub fn next<E: Effects>(&mut self, effects: &mut E) -> Result<Option<Delivery>, E::Error> {
        self.requeue_unsettled();
        loop {
            if let Some((delivery, in_flight)) = self.pending.pop_front() {
                Framework::log_re_emission(&delivery, effects);
                self.in_flight.insert(in_flight);
                return Ok(Some(delivery));
            }
            self.finish_evaluation(effects)?;
            if !self.advance(effects)? {
                return Ok(None);
            }
        }
    }

    /// Whether an event is emitted at all: ops does not emit, nor count, a hook
    /// that the charm does not define (ops §2.2).
    fn is_emitted(&self, event: &Event) -> bool {
        match event {
            Event::Other { .. } => self.observers.named(Event::OTHER).next().is_some(),
            _ => true,
        }
    }

    /// Emits the events of the next stage; returns false at the end.
    fn advance<E: Effects>(&mut self, effects: &mut E) -> Result<bool, E::Error> {
        match self.stage {
            Stage::Deferred => {
                self.stage = Stage::Event;
                self.re_emit_deferred(effects);
            }
            Stage::Event => {
                self.stage = match self.is_restricted {
                    true => Stage::PreCommit,
                    false => Stage::CollectApp,
                };
                let event = self.event.take();
                if let Some(event) = event.filter(|event| self.is_emitted(event)) {
                    if let Event::Juju(event) = &event {
                        effects.debug(&format!("Emitting Juju event {}.", event.name()));
                    }
                    self.emit_own(Emitter::Charm, event, effects);
                }
            }
            Stage::CollectApp => {
                self.stage = Stage::CollectUnit;
                if effects.is_leader()? {
                    self.evaluation.collecting = Some(Collecting::App);
                    self.emit_own(Emitter::Charm, Event::CollectAppStatus, effects);
                }
            }
            Stage::CollectUnit => {
                self.stage = Stage::PreCommit;
                self.evaluation.collecting = Some(Collecting::Unit);
                self.emit_own(Emitter::Charm, Event::CollectUnitStatus, effects);
            }
            Stage::PreCommit => {
                self.stage = Stage::Commit;
                self.emit_own(Emitter::Framework, Event::PreCommit, effects);
            }
            Stage::Commit => {
                self.stage = Stage::End;
                self.emit_own(Emitter::Framework, Event::Commit, effects);
            }
            Stage::End => return Ok(false),
        }
        Ok(true)
    }
}
