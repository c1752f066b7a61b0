//! Settling deliveries: an event that was handled leaves the queue, one that was
//! deferred stays or is added (ops §4.5).

use crate::deferred_notice::DeferredNotice;
use crate::deferred_queue::Requeued;
use crate::emission::log_custom;
use crate::error::Error;
use crate::event::Outcome;
use crate::in_flight::InFlight;
use crate::{Effects, Framework};

/// The reason of an event whose handler did not settle it.
const UNFINISHED: &str = "its handler did not finish";

impl Framework {
    /// Settles a delivery.
    ///
    /// # Errors
    ///
    /// If there is no such delivery, or if the event cannot be deferred
    /// (ops §3.1); the delivery is then not settled.
    pub fn settle<E: Effects>(
        &mut self,
        id: u32,
        outcome: &Outcome,
        effects: &mut E,
    ) -> Result<(), Error> {
        let Some(in_flight) = self.in_flight.get(id) else {
            return Err(Error::UnknownDelivery(id));
        };
        if matches!(outcome, Outcome::Deferred(_)) && !in_flight.event.is_deferrable() {
            return Err(Error::NotDeferrable(in_flight.event.name()));
        }
        let Some(in_flight) = self.in_flight.remove(id) else {
            return Err(Error::UnknownDelivery(id));
        };
        match outcome {
            Outcome::Handled => self.queue.drop_notice(&in_flight.notice),
            Outcome::Deferred(reason) => {
                effects.debug(&format!("Deferring {}: {reason}", in_flight.event.name()));
                self.defer(in_flight, reason, None);
            }
            Outcome::Undeliverable(reason) => {
                let DeferredNotice {
                    name,
                    observer,
                    method,
                    ..
                } = &in_flight.notice;
                let deferrable = in_flight.event.is_deferrable();
                let fate = match deferrable {
                    true => "keeping it in the queue for the next revision of the charm",
                    false => "dropping it",
                };
                effects.warning(&format!(
                    "Cannot deliver event {name} to {observer}.{method}: {reason}; {fate}."
                ));
                if deferrable {
                    let revision = self.revision.clone();
                    self.defer(in_flight, reason, revision);
                }
            }
        }
        if let Some(name) = self.following.remove(&id) {
            log_custom(&name, effects);
        }
        Ok(())
    }

    /// Requeues the deliveries of a guest that ended before it settled them, and
    /// those that it did not get; returns how many it did not settle.
    pub fn close(&mut self) -> usize {
        for (_, in_flight) in std::mem::take(&mut self.pending) {
            self.in_flight.insert(in_flight);
        }
        self.requeue_unsettled()
    }

    /// Requeues the deliveries that are not settled, if their events can be
    /// deferred; returns how many were not settled.
    pub(crate) fn requeue_unsettled(&mut self) -> usize {
        let unsettled = self.in_flight.take();
        let count = unsettled.len();
        for in_flight in unsettled {
            if in_flight.event.is_deferrable() {
                self.defer(in_flight, UNFINISHED, None);
            }
        }
        count
    }

    fn defer(&mut self, in_flight: InFlight, reason: &str, undeliverable_to: Option<String>) {
        let InFlight {
            id, notice, is_old, ..
        } = in_flight;
        let requeued = Requeued {
            reason,
            now: self.clock.wall().as_secs_f64(),
            undeliverable_to,
        };
        match is_old {
            true => self.queue.deferred_again(&notice, requeued),
            false => self.queue.add(id, notice, requeued),
        }
    }
}
