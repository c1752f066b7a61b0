//! `charmhost:framework/framework`: observers, deliveries and emission (ops §4).

use charmhost_framework::{Delivery, Error as FrameworkError, Outcome};

use super::{Error, error, events, full};
use crate::bindings::framework::{self as wit, Host};
use crate::state::{ENTRY, ModelEffects, State};

/// Copies of an event's data in memory for one delivery: in the event, in the
/// notice as text and as a value, and in the delivery to the guest.
const COPIES: usize = 4;

impl Host for State {
    fn define(&mut self, source: String, event_name: String) -> Result<(), Error> {
        self.hold(&[&source, &event_name]).map_err(full)?;
        let framework = &mut self.charm.framework;
        framework.define(&source, &event_name).map_err(rejected)
    }

    fn observe(
        &mut self,
        source: String,
        event_name: String,
        observer: String,
        method: String,
    ) -> Result<(), Error> {
        self.hold(&[&source, &event_name, &observer, &method])
            .map_err(full)?;
        let framework = &mut self.charm.framework;
        framework
            .observe(&source, &event_name, &observer, &method)
            .map_err(rejected)
    }

    fn next(&mut self) -> Result<Option<wit::Delivery>, Error> {
        let charm = &mut self.charm;
        charm.handler = None;
        let next = charm
            .framework
            .next(&mut ModelEffects(&mut charm.model))
            .map_err(error)?;
        charm.handler = next.as_ref().map(|delivery| {
            (
                format!("{}.{}", delivery.observer, delivery.method),
                delivery.event.name(),
            )
        });
        Ok(next.map(delivery))
    }

    fn emit(
        &mut self,
        source: String,
        event_name: String,
        snapshot: String,
    ) -> Result<Vec<wit::Delivery>, Error> {
        let copies = self.charm.framework.observer_count(&source, &event_name);
        let size = snapshot.len().saturating_mul(COPIES);
        let size = size.saturating_add(source.len() + event_name.len() + ENTRY);
        self.memory
            .hold(size.saturating_mul(copies))
            .map_err(full)?;
        let charm = &mut self.charm;
        charm.local.check_event(&snapshot).map_err(|reason| {
            Error::InvalidInput(format!(
                "cannot emit {event_name} of {source}: its data could not be read again if it were deferred: {reason}"
            ))
        })?;
        let effects = &mut ModelEffects(&mut charm.model);
        let deliveries = charm
            .framework
            .emit(&source, &event_name, &snapshot, effects)
            .map_err(rejected)?;
        self.memory
            .release(size.saturating_mul(copies.saturating_sub(deliveries.len())));
        self.emitted
            .extend(deliveries.iter().map(|delivery| (delivery.id, size)));
        Ok(deliveries.into_iter().map(delivery).collect())
    }

    fn done(&mut self, id: u32, outcome: wit::Settlement) -> Result<(), Error> {
        let outcome = match outcome {
            wit::Settlement::Handled => Outcome::Handled,
            wit::Settlement::Deferred(reason) => Outcome::Deferred(reason),
        };
        let charm = &mut self.charm;
        let effects = &mut ModelEffects(&mut charm.model);
        let settled = charm.framework.settle(id, &outcome, effects);
        settled.map_err(rejected)?;
        // A deferred event stays in memory, in the queue.
        if let (Some(size), Outcome::Handled) = (self.emitted.remove(&id), &outcome) {
            self.memory.release(size);
        }
        Ok(())
    }
}

fn rejected(error: FrameworkError) -> Error {
    Error::InvalidInput(error.to_string())
}

fn delivery(delivery: Delivery) -> wit::Delivery {
    wit::Delivery {
        id: delivery.id,
        observer: delivery.observer,
        method: delivery.method,
        source: delivery.source.path().to_owned(),
        name: delivery.event.name(),
        event: events::event(delivery.event),
        deferred: delivery.deferred.map(|deferral| wit::Deferral {
            since: deferral.since,
            count: deferral.count,
            reason: deferral.reason,
        }),
    }
}
