//! The event semantics of ops, once, for every guest language.
//!
//! The guest registers observers and pulls deliveries; this crate decides what
//! is delivered to whom and in which order: what was deferred before; the event
//! to each of its observers, in the order of registration; then the evaluation of statuses;
//! then `pre_commit` and `commit`. It knows nothing of WebAssembly.

mod deliveries;
mod equal;
mod error;
mod event;
mod queue;
mod status;

pub use deliveries::Framework;
pub use error::Error;
pub use event::{Delivery, Event, Settlement};
pub use queue::{Change, Deferral, DeferredNotice, Queue};
pub use status::{Collected, Collecting};

use charmhost_juju::{Scope, StatusValue};

/// What the framework does to the model by itself, outside of any handler.
pub trait Effects {
    /// What went wrong in the model.
    type Error;

    /// Whether this unit leads its application.
    fn is_leader(&mut self) -> Result<bool, Self::Error>;

    /// Sets the status that won the evaluation.
    fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), Self::Error>;

    /// Writes a line at DEBUG to the charm's log.
    fn debug(&mut self, message: &str);

    /// Writes a line at INFO to the charm's log.
    fn info(&mut self, message: &str);
}
