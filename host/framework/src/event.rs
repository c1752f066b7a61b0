//! Events on their way to observers.

use charmhost_juju::Event as JujuEvent;
use serde_json::Value;

use crate::Deferral;

/// An event as observers see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What Juju dispatched.
    Juju(JujuEvent),
    /// The application's status is being evaluated.
    CollectAppStatus,
    /// The unit's status is being evaluated.
    CollectUnitStatus,
    /// State is about to be saved.
    PreCommit,
    /// State is being saved.
    Commit,
    /// What the charm or a library emitted.
    Custom {
        /// The event's name.
        name: String,
        /// Its data, JSON text.
        snapshot: String,
    },
}

impl Event {
    /// The event's name with underscores.
    pub fn name(&self) -> String {
        match self {
            Event::Juju(event) => event.name(),
            Event::CollectAppStatus => "collect_app_status".to_owned(),
            Event::CollectUnitStatus => "collect_unit_status".to_owned(),
            Event::PreCommit => "pre_commit".to_owned(),
            Event::Commit => "commit".to_owned(),
            Event::Custom { name, .. } => name.clone(),
        }
    }

    /// What is kept of it while it is deferred.
    pub(crate) fn snapshot(&self) -> Value {
        match self {
            Event::Juju(event) => event.snapshot(),
            // Whoever emitted it reads it again, JSON or not.
            Event::Custom { snapshot, .. } => {
                serde_json::from_str(snapshot).unwrap_or_else(|_| snapshot.as_str().into())
            }
            _ => Value::Object(serde_json::Map::new()),
        }
    }

    pub(crate) fn is_deferrable(&self) -> bool {
        match self {
            Event::Juju(event) => event.is_deferrable(),
            Event::Custom { .. } => true,
            _ => false,
        }
    }
}

/// One event on its way to one observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names the delivery when it is settled.
    pub id: u32,
    /// The path of the observer.
    pub observer: String,
    /// The observer's method.
    pub method: String,
    /// The path of the object whose event it is.
    pub source: String,
    /// The event.
    pub event: Event,
    /// What is known of its deferral, if it was deferred.
    pub deferred: Option<Deferral>,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It was handled.
    Handled,
    /// It shall come again, for this reason.
    Deferred(String),
}
