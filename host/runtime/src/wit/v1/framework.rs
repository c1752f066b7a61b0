//! `charmhost:framework/framework`: observers, deliveries and emission (ops §4).

use charmhost_framework::{Delivery, Error as FrameworkError, Outcome};
use charmhost_juju::{Level, Scope, StatusName};

use super::bindings::framework::{self as wit, Host};
use super::bindings::status::SettableStatus;
use super::status::settable;
use super::{Error, error, events, full};
use crate::state::{ENTRY, Handler, ModelEffects, State};

/// Copies of an event's data in memory for one delivery: in the event, in the
/// notice as text and as a value, and in the delivery to the guest.
const COPIES: usize = 4;

impl Host for State {
    fn define(&mut self, event: wit::EventKey) -> Result<(), Error> {
        self.hold(&[&event.source, &event.name]).map_err(full)?;
        let framework = &mut self.charm.framework;
        framework
            .define(&event.source, &event.name)
            .map_err(rejected)
    }

    fn observe(&mut self, observer: wit::Observer) -> Result<(), Error> {
        let wit::Observer {
            event: wit::EventKey { source, name },
            path,
            method,
        } = observer;
        self.hold(&[&source, &name, &path, &method]).map_err(full)?;
        let framework = &mut self.charm.framework;
        framework
            .observe(&source, &name, &path, &method)
            .map_err(rejected)
    }

    fn next(&mut self) -> Result<Option<wit::Delivery>, Error> {
        let charm = &mut self.charm;
        if charm.without_deliveries {
            return Ok(None);
        }
        charm.handlers.clear();
        let next = charm
            .framework
            .next(&mut ModelEffects(&mut charm.model))
            .map_err(error)?;
        Ok(next.map(|delivery| self.delivered(delivery)))
    }

    fn emit(
        &mut self,
        event: wit::EventKey,
        snapshot: String,
    ) -> Result<Vec<wit::Delivery>, Error> {
        let wit::EventKey { source, name } = event;
        let copies = self.charm.framework.observer_count(&source, &name);
        let size = snapshot.len().saturating_mul(COPIES);
        let size = size.saturating_add(source.len() + name.len() + ENTRY);
        self.memory
            .hold(size.saturating_mul(copies))
            .map_err(full)?;
        let charm = &mut self.charm;
        charm.local.check_event(&snapshot).map_err(|reason| {
            Error::InvalidInput(format!(
                "cannot emit {name} of {source}: its data could not be read again if it were deferred: {reason}"
            ))
        })?;
        let effects = &mut ModelEffects(&mut charm.model);
        let deliveries = charm
            .framework
            .emit(&source, &name, &snapshot, effects)
            .map_err(rejected)?;
        self.memory
            .release(size.saturating_mul(copies.saturating_sub(deliveries.len())));
        self.emitted
            .extend(deliveries.iter().map(|delivery| (delivery.id, size)));
        let deliveries = deliveries.into_iter();
        Ok(deliveries
            .map(|delivery| self.delivered(delivery))
            .collect())
    }

    fn done(&mut self, id: u32, settlement: wit::Settlement) -> Result<(), Error> {
        let outcome = match settlement {
            wit::Settlement::Handled => Outcome::Handled,
            wit::Settlement::Deferred(reason) => Outcome::Deferred(reason),
            wit::Settlement::Undeliverable(reason) => Outcome::Undeliverable(reason),
        };
        let charm = &mut self.charm;
        let effects = &mut ModelEffects(&mut charm.model);
        let settled = charm.framework.settle(id, &outcome, effects);
        settled.map_err(rejected)?;
        charm.handlers.remove(&id);
        // A deferred event stays in memory, in the queue.
        if let (Some(size), Outcome::Handled) = (self.emitted.remove(&id), &outcome) {
            self.memory.release(size);
        }
        Ok(())
    }

    fn collect_status(&mut self, status: SettableStatus) -> Result<(), Error> {
        let status = settable(status);
        let (name, message) = (status.name.clone(), status.message.clone());
        let Some(Ok(collecting)) = self.charm.framework.collect(status) else {
            return Err(Error::InvalidInput(format!(
                "cannot add the status {name}: no status is being collected; set it, or add it in a handler of collect_unit_status or collect_app_status"
            )));
        };
        if name != StatusName::Active {
            let whose = match collecting.scope() {
                Scope::App => "app",
                Scope::Unit => "unit",
            };
            let line = format!("Adding {whose} status {name} {message:?}");
            self.charm.model.log(Level::Debug, &line);
        }
        Ok(())
    }
}

impl State {
    /// Records that the guest runs the handler of a delivery.
    fn delivered(&mut self, delivered: Delivery) -> wit::Delivery {
        let handler = Handler {
            name: format!("{}.{}", delivered.observer, delivered.method),
            event: delivered.event.name(),
        };
        self.charm.handlers.insert(delivered.id, handler);
        delivery(delivered)
    }
}

fn rejected(error: FrameworkError) -> Error {
    Error::InvalidInput(error.to_string())
}

fn delivery(delivery: Delivery) -> wit::Delivery {
    wit::Delivery {
        id: delivery.id,
        observer: wit::Observer {
            event: wit::EventKey {
                source: delivery.source.path().to_owned(),
                name: delivery.event.name(),
            },
            path: delivery.observer,
            method: delivery.method,
        },
        deferrable: delivery.event.is_deferrable(),
        event: events::event(delivery.event),
        deferred: delivery.deferred.map(|deferral| wit::Deferral {
            since: deferral.since,
            count: deferral.count,
            reason: deferral.reason,
        }),
    }
}
