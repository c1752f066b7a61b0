//! The event semantics of ops, once for every guest language.
//!
//! The guest registers observers and pulls deliveries; this crate decides which
//! event is delivered to whom and in which order. It does not depend on
//! WebAssembly.
//!
//! | part | rules |
//! |---|---|
//! | `dispatch_order` | the order of one dispatch (ops §2.1) |
//! | `handle_paths` | paths of objects and names of events (ops §4.1, ops §4.2) |
//! | `observers` | registering observers and custom events (ops §4.2) |
//! | `emission` | from an event to its deliveries (ops §4.3) |
//! | `duplicates` | which notices are equal (ops §4.4) |
//! | `re_emission` | deferred events of earlier dispatches (ops §4.5, ops §5.4) |
//! | `deferral` | settling and deferring deliveries (ops §4.5) |
//! | `deferred_notice`, `deferred_queue` | the queue of deferred events (ops §5) |
//! | `status_evaluation` | the evaluation of statuses (ops §13.3) |

mod deferral;
mod deferred_notice;
mod deferred_queue;
mod dispatch_order;
mod duplicates;
mod emission;
mod error;
mod event;
mod handle_paths;
mod in_flight;
mod observers;
mod re_emission;
mod status_evaluation;

pub use deferred_notice::DeferredNotice;
pub use deferred_queue::{Change, Queue};
pub use error::Error;
pub use event::{Deferral, Delivery, Event, Outcome};
pub use handle_paths::{Source, stored_state_key, stored_state_path};
pub use observers::EventNames;
pub use status_evaluation::Collecting;

use std::cell::LazyCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use charmhost_juju::{Clock, Scope, StatusValue};

use dispatch_order::Stage;
use in_flight::{InFlight, InFlightDeliveries};
use observers::Observers;
use status_evaluation::StatusEvaluation;

/// What the framework does to the model by itself, outside of any handler.
pub trait Effects {
    /// The error of a call of the model.
    type Error;

    /// Returns whether this unit leads its application.
    fn is_leader(&mut self) -> Result<bool, Self::Error>;

    /// Sets the status that won the evaluation.
    fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), Self::Error>;

    /// Logs a line at DEBUG.
    fn debug(&mut self, message: &str);

    /// Logs a line at INFO.
    fn info(&mut self, message: &str);

    /// Logs a line at WARNING.
    fn warning(&mut self, message: &str);
}

/// The observers and deliveries of one dispatch.
pub struct Framework {
    /// The dispatched event, until it is emitted.
    event: Option<Event>,
    is_restricted: bool,
    observers: Observers,
    stage: Stage,
    /// Deliveries that the guest did not get yet.
    pending: VecDeque<(Delivery, InFlight)>,
    in_flight: InFlightDeliveries,
    /// By a delivery of a custom event: the name of the event, which the guest
    /// delivers to another observer next.
    following: HashMap<u32, String>,
    queue: Queue,
    clock: Arc<dyn Clock>,
    last_id: u32,
    evaluation: StatusEvaluation,
    /// The revision of the charm; none if it is not known.
    revision: LazyCell<Option<String>, Revision>,
}

/// Determines the revision of the charm, when it is first needed: a text that
/// changes when its code does.
pub type Revision = Box<dyn FnOnce() -> Option<String> + Send>;

impl Framework {
    /// Creates the framework for a dispatch of an event; of none when the charm
    /// does not have the event. `event_names` tells which events the charm has.
    /// `queue` holds the events that were deferred by earlier dispatches, and
    /// `clock` determines the time of new deferrals.
    ///
    /// In a restricted context deferred events are not delivered and statuses
    /// are not evaluated (ops §2.5).
    pub fn new(
        event: Option<Event>,
        is_restricted: bool,
        event_names: EventNames,
        queue: Queue,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Framework {
            event,
            is_restricted,
            observers: Observers::new(event_names),
            stage: Stage::first(is_restricted),
            pending: VecDeque::new(),
            in_flight: InFlightDeliveries::default(),
            following: HashMap::new(),
            queue,
            clock,
            last_id: 0,
            evaluation: StatusEvaluation::default(),
            revision: LazyCell::new(Box::new(|| None)),
        }
    }

    /// Sets the revision of the charm. A deferred event that a revision has no
    /// handler for is not delivered to it again; without a revision it comes in
    /// every dispatch.
    #[must_use]
    pub fn with_revision(self, revision: Revision) -> Self {
        let revision = LazyCell::new(revision);
        Framework { revision, ..self }
    }

    /// Registers a custom event that an object can then emit. A repeated
    /// registration has no effect.
    ///
    /// # Errors
    ///
    /// For a malformed path or name, and for the name of an event that the charm
    /// has from Juju.
    pub fn define(&mut self, source: &str, name: &str) -> Result<(), Error> {
        self.observers.define(source, name)
    }

    /// Registers an observer for events that are emitted from now on. An observer
    /// that is registered twice is called once (ops §4.2).
    ///
    /// # Errors
    ///
    /// For a malformed path or name, and for an event that `source` does not
    /// have.
    pub fn observe(
        &mut self,
        source: &str,
        event: &str,
        observer: &str,
        method: &str,
    ) -> Result<(), Error> {
        self.observers.observe(source, event, observer, method)
    }

    /// Returns the number of observers of an event.
    pub fn observer_count(&self, source: &str, name: &str) -> usize {
        self.observers.of(&Source::new(source), name).count()
    }

    /// Returns the deferred events.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }
}

#[cfg(test)]
mod tests;
