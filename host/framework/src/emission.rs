//! From an event to its deliveries (ops §4.3).
//!
//! Every emission counts, also one that nobody observes. Each observer gets its
//! own copy of the event; one with an equal notice is skipped (ops §4.4).

use std::collections::HashSet;

use crate::deferred_notice::DeferredNotice;
use crate::duplicates::skipping;
use crate::error::Error;
use crate::event::{Delivery, Event};
use crate::handle_paths::Source;
use crate::in_flight::InFlight;
use crate::observers::Observer;
use crate::{Effects, Framework};

/// The object whose events are emitted by the host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emitter {
    Charm,
    Framework,
}

impl Emitter {
    fn has(self, source: &Source) -> bool {
        match source {
            Source::Charm(_) => self == Emitter::Charm,
            Source::Framework => self == Emitter::Framework,
            Source::Object(_) => false,
        }
    }
}

impl Framework {
    /// Emits an event of the charm or the framework: its deliveries become
    /// pending.
    pub(crate) fn emit_own<E: Effects>(&mut self, emitter: Emitter, event: Event, effects: &mut E) {
        let name = event.name();
        let counter = self.queue.count();
        let observers = self.observers.named(&name);
        let mut notified = HashSet::new();
        for observer in observers.filter(|observer| emitter.has(&observer.source)) {
            let notice = notice(observer, &event, counter);
            // An observer that is registered twice is called once (ops §4.2).
            if !notified.insert(observer) || self.queue.has_equal(&notice) {
                effects.info(&skipping(&notice));
                continue;
            }
            self.last_id += 1;
            let delivery = delivery(self.last_id, observer, event.clone());
            let in_flight = InFlight {
                id: self.last_id,
                event: event.clone(),
                notice,
                is_old: false,
            };
            self.pending.push_back((delivery, in_flight));
        }
    }

    /// Emits a custom event and returns its deliveries, which the guest runs at
    /// once. An observer that deferred an equal event, or is handling one, is
    /// skipped.
    ///
    /// # Errors
    ///
    /// If the object has no such event.
    pub fn emit<E: Effects>(
        &mut self,
        source: &str,
        name: &str,
        snapshot: &str,
        effects: &mut E,
    ) -> Result<Vec<Delivery>, Error> {
        if !self.observers.has_custom(source, name) {
            return Err(Error::undefined_event(source, name));
        }
        let event = Event::Custom {
            name: name.to_owned(),
            snapshot: snapshot.to_owned(),
        };
        let counter = self.queue.count();
        let mut deliveries = Vec::new();
        for observer in self.observers.of(&Source::new(source), name) {
            let notice = notice(observer, &event, counter);
            if self.in_flight.has_equal(&notice) || self.queue.has_equal(&notice) {
                effects.info(&skipping(&notice));
                continue;
            }
            self.last_id += 1;
            deliveries.push(delivery(self.last_id, observer, event.clone()));
            self.in_flight.insert(InFlight {
                id: self.last_id,
                event: event.clone(),
                notice,
                is_old: false,
            });
        }
        for (delivery, next) in deliveries.iter().zip(deliveries.iter().skip(1)) {
            self.following.insert(delivery.id, next.event.name());
        }
        if let Some(first) = deliveries.first() {
            log_custom(&first.event.name(), effects);
        }
        Ok(deliveries)
    }
}

/// Logs that a handler is about to get a custom event (ops §4.5).
pub(crate) fn log_custom(name: &str, effects: &mut impl Effects) {
    effects.debug(&format!("Emitting custom event {name}."));
}

/// Returns the notice that is queued if the observer defers the event.
fn notice(observer: &Observer, event: &Event, counter: u64) -> DeferredNotice {
    let name = event.name();
    DeferredNotice {
        event_path: observer.source.event_path(&name, counter),
        source: observer.source.clone(),
        name,
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        snapshot: event.snapshot(),
        event: Some(event.clone()),
        since: None,
        count: 0,
        reason: String::new(),
        undeliverable_to: None,
    }
}

fn delivery(id: u32, observer: &Observer, event: Event) -> Delivery {
    Delivery {
        deferred: None,
        id,
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        source: observer.source.clone(),
        event,
    }
}
