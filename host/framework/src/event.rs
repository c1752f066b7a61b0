//! Events on their way to observers (ops §3.1, ops §4.3).

use std::collections::BTreeMap;

use charmhost_juju::Event as JujuEvent;
use serde_json::{Value, json};

use crate::handle_paths::Source;

/// An event as observers get it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The event that Juju dispatched.
    Juju(JujuEvent),
    /// The application's status is being evaluated.
    CollectAppStatus,
    /// The unit's status is being evaluated.
    CollectUnitStatus,
    /// State is about to be saved.
    PreCommit,
    /// State is being saved.
    Commit,
    /// A hook that has no event of its own.
    Other {
        /// The hook's name with underscores.
        name: String,
        /// The variables of Juju that describe it.
        variables: BTreeMap<String, String>,
    },
    /// An event that the charm or a library emitted.
    Custom {
        /// The event's name.
        name: String,
        /// Its data, JSON text.
        snapshot: String,
    },
}

impl Event {
    /// The events that every charm has beside those of Juju (ops §3.1).
    pub(crate) const OF_LIFECYCLE: [&str; 2] = ["collect_app_status", "collect_unit_status"];
    /// The events of the framework itself (ops §3.1).
    pub(crate) const OF_FRAMEWORK: [&str; 2] = ["pre_commit", "commit"];

    /// The event of the charm under which hooks without an event of their own are
    /// observed.
    pub const OTHER: &str = "other";

    /// Returns the name with underscores under which it is observed.
    pub fn name(&self) -> String {
        let [collect_app, collect_unit] = Event::OF_LIFECYCLE;
        let [pre_commit, commit] = Event::OF_FRAMEWORK;
        match self {
            Event::Juju(event) => event.name(),
            Event::CollectAppStatus => collect_app.to_owned(),
            Event::CollectUnitStatus => collect_unit.to_owned(),
            Event::PreCommit => pre_commit.to_owned(),
            Event::Commit => commit.to_owned(),
            Event::Other { .. } => Event::OTHER.to_owned(),
            Event::Custom { name, .. } => name.clone(),
        }
    }

    /// Restores a hook without an event of its own from its snapshot.
    pub fn restore_other(snapshot: &Value) -> Option<Self> {
        let variables = snapshot.get("variables")?.as_object()?.iter();
        let variable =
            |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Some(Event::Other {
            name: snapshot.get("name")?.as_str()?.to_owned(),
            variables: variables.filter_map(variable).collect(),
        })
    }

    /// Returns what is saved while the event is deferred.
    pub(crate) fn snapshot(&self) -> Value {
        match self {
            Event::Juju(event) => event.snapshot(),
            Event::Other { name, variables } => json!({"name": name, "variables": variables}),
            // Only the object that emitted it reads it: it need not be JSON.
            Event::Custom { snapshot, .. } => {
                serde_json::from_str(snapshot).unwrap_or_else(|_| snapshot.as_str().into())
            }
            _ => Value::Object(serde_json::Map::new()),
        }
    }

    /// Whether a handler can defer the event.
    pub fn is_deferrable(&self) -> bool {
        match self {
            Event::Juju(event) => event.is_deferrable(),
            Event::Other { .. } | Event::Custom { .. } => true,
            _ => false,
        }
    }
}

/// An event for one observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The number by which the delivery is settled.
    pub id: u32,
    /// The path of the observer.
    pub observer: String,
    /// The observer's method.
    pub method: String,
    /// The object that has the event.
    pub source: Source,
    /// The event.
    pub event: Event,
    /// The earlier deferrals, if the event was deferred.
    pub deferred: Option<Deferral>,
}

/// The earlier deferrals of an event that is delivered again.
#[derive(Debug, Clone, PartialEq)]
pub struct Deferral {
    /// The time of the first deferral: seconds since 1970-01-01 UTC; 0 if native
    /// ops deferred the event.
    pub since: f64,
    /// How often the event was deferred.
    pub count: u32,
    /// The reason that the charm gave last.
    pub reason: String,
    /// The position in the queue, from 1.
    pub position: usize,
    /// The number of notices in the queue.
    pub queued: usize,
}

/// The outcome of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The event was handled.
    Handled,
    /// The event was deferred, for this reason.
    Deferred(String),
    /// The guest has no handler for the event, for this reason: it stays in the
    /// queue.
    Undeliverable(String),
}
