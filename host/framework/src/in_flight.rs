//! Deliveries that the guest got and did not settle (ops §4.4, ops §4.5).

use std::collections::BTreeMap;

use crate::deferred_notice::DeferredNotice;
use crate::duplicates::{EqualIndex, are_equal};
use crate::event::Event;

/// A delivery that is not settled.
pub(crate) struct InFlight {
    pub id: u32,
    pub event: Event,
    /// The notice that is queued if the event is deferred.
    pub notice: DeferredNotice,
    /// Whether the notice is from an earlier dispatch.
    pub is_old: bool,
}

/// The deliveries that are not settled, by their numbers.
#[derive(Default)]
pub(crate) struct InFlightDeliveries {
    deliveries: BTreeMap<u32, InFlight>,
    equal: EqualIndex<u32>,
}

impl InFlightDeliveries {
    pub fn insert(&mut self, in_flight: InFlight) {
        self.equal.insert(&in_flight.notice, in_flight.id);
        self.deliveries.insert(in_flight.id, in_flight);
    }

    pub fn get(&self, id: u32) -> Option<&InFlight> {
        self.deliveries.get(&id)
    }

    pub fn remove(&mut self, id: u32) -> Option<InFlight> {
        let in_flight = self.deliveries.remove(&id)?;
        self.equal.remove(&in_flight.notice, &id);
        Some(in_flight)
    }

    /// Removes all deliveries, in their order.
    pub fn take(&mut self) -> Vec<InFlight> {
        std::mem::take(self).deliveries.into_values().collect()
    }

    /// Whether an equal notice is being handled (ops §4.4).
    pub fn has_equal(&self, notice: &DeferredNotice) -> bool {
        let mut candidates = self.equal.candidates(notice);
        candidates.any(|id| {
            let other = self.deliveries.get(id);
            other.is_some_and(|other| are_equal(&other.notice, notice))
        })
    }
}
