//! What becomes of an event: handled, or deferred.

use std::time::SystemTime;

use crate::bindings::framework as wit;
use crate::{Result, time};

/// What became of an event: what a handler returns that can defer.
///
/// ```
/// # use charmhost::prelude::*;
/// # struct Shop;
/// # impl Shop {
/// fn on_start(&self, event: StartEvent) -> Result<Settlement> {
///     if relation("db")?.is_none() {
///         return event.defer("there is no database yet");
///     }
///     Ok(Settlement::Handled)
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the event is deferred only if the handler returns this"]
pub enum Settlement {
    /// It was handled.
    Handled,
    /// It comes again in the next dispatch: made by the `defer` of an event.
    Deferred(Deferred),
}

impl From<()> for Settlement {
    fn from((): ()) -> Self {
        Settlement::Handled
    }
}

/// The reason of a deferral, for `juju debug-log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    pub(crate) reason: String,
}

/// Settles an event as deferred.
pub(crate) fn defer<E>(reason: impl Into<String>) -> Result<Settlement, E> {
    let reason = reason.into();
    Ok(Settlement::Deferred(Deferred { reason }))
}

/// Earlier deferrals of an event by the same handler.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deferral {
    /// When the event was first deferred.
    pub since: SystemTime,
    /// How many times it has been deferred.
    pub count: u32,
    /// The reason given the last time; empty if there was none.
    pub reason: String,
}

pub(crate) fn to_wit(settlement: Settlement) -> wit::Settlement {
    match settlement {
        Settlement::Handled => wit::Settlement::Handled,
        Settlement::Deferred(Deferred { reason }) => wit::Settlement::Deferred(reason),
    }
}

pub(crate) fn from_wit(deferral: wit::Deferral) -> Deferral {
    Deferral {
        since: time::from_seconds(deferral.since),
        count: deferral.count,
        reason: deferral.reason,
    }
}
