//! What a charm is run for.

mod names;
mod relation;
mod step;

use serde_json::{Map, Value};

pub use relation::REMOTE_APP;
pub use step::Resolver;

use crate::scenario::{Bag, Expect, RelationSpec};

/// A hook or action, with what happens in the world right before it.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// What happens first, in this order.
    pub changes: Vec<Change>,
    /// What the charm is run for.
    pub kind: Kind,
    /// Whether the controller refuses to apply what the hook did.
    pub is_refused: bool,
    /// What is expected afterwards.
    pub expect: Option<Expect>,
}

/// Something that happens in the world, not in the charm.
#[derive(Debug, Clone)]
pub enum Change {
    /// The operator resolves the error of a hook that failed.
    Resolved,
    /// The operator sets options.
    Config(Map<String, Value>),
    /// Leadership is won or lost.
    Leader(bool),
    /// A relation is made.
    NewRelation(Box<RelationSpec>),
    /// A remote unit enters a relation's scope, or writes its databag.
    RemoteUnit {
        relation: u32,
        unit: String,
        /// What it writes; none if it leaves its databag as it is.
        data: Option<Bag>,
    },
    /// The remote application writes its databag.
    RemoteApp { relation: u32, data: Bag },
    /// A remote unit leaves a relation's scope.
    RemoteUnitGone { relation: u32, unit: String },
    /// A relation is being broken.
    Breaking { relation: u32 },
    /// A storage instance is there.
    Storage { id: String },
    /// A remote secret gets a new revision.
    SecretRevision { secret: String, content: Bag },
    /// A container starts, if it does not run.
    StartContainer { name: String },
    /// A container starts anew.
    RestartContainer { name: String },
    /// Every container starts anew: the pod is another one.
    NewPod,
    /// Somebody notifies a container's Pebble.
    Notify {
        container: String,
        key: String,
        data: Bag,
    },
}

/// What the charm is run for.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A hook that is about the unit as a whole.
    Hook(String),
    /// A hook about a relation.
    Relation {
        /// `created`, `joined`, `changed`, `departed` or `broken`.
        what: String,
        endpoint: String,
        id: u32,
        app: Option<String>,
        unit: Option<String>,
        departing_unit: Option<String>,
    },
    /// A hook about a storage instance.
    Storage {
        /// `attached` or `detaching`.
        what: String,
        /// `data/0`.
        id: String,
    },
    /// A hook about a workload container.
    Workload { container: String, what: Workload },
    /// A hook about a secret.
    Secret {
        /// `changed`, `rotate`, `remove` or `expired`.
        what: String,
        /// As the charm knows it: its id, without `secret:`.
        id: String,
        label: String,
        revision: Option<u32>,
    },
    /// An action.
    Action {
        name: String,
        /// What it is given, defaults included.
        params: Map<String, Value>,
    },
}

impl Default for Kind {
    fn default() -> Self {
        Kind::Hook(String::new())
    }
}

/// What is the matter with a workload container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workload {
    /// Its Pebble started.
    Ready,
    /// There is a custom notice of this key; Pebble gives it its id.
    CustomNotice { key: String, id: Option<String> },
    /// A check failed.
    CheckFailed(String),
    /// A check succeeds again.
    CheckRecovered(String),
}

impl Event {
    /// A hook that needs nothing.
    pub fn hook(name: &str) -> Self {
        Event {
            kind: Kind::Hook(name.to_owned()),
            ..Event::default()
        }
    }

    /// The same event after a change.
    pub fn after(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Its name among the events: a hook's, or an action's and `-action`.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Action { name, .. } => format!("{name}-action"),
            _ => self.hook_name(),
        }
    }

    /// The hook's name; empty for an action.
    pub fn hook_name(&self) -> String {
        match &self.kind {
            Kind::Hook(name) => name.clone(),
            Kind::Relation { what, endpoint, .. } => format!("{endpoint}-relation-{what}"),
            Kind::Storage { what, id } => {
                let name = id.split('/').next().unwrap_or_default();
                format!("{name}-storage-{what}")
            }
            Kind::Workload { container, what } => {
                let what = match what {
                    Workload::Ready => "ready",
                    Workload::CustomNotice { .. } => "custom-notice",
                    Workload::CheckFailed(_) => "check-failed",
                    Workload::CheckRecovered(_) => "check-recovered",
                };
                format!("{container}-pebble-{what}")
            }
            Kind::Secret { what, .. } => format!("secret-{what}"),
            Kind::Action { .. } => String::new(),
        }
    }

    /// Whether it is an action.
    pub fn is_action(&self) -> bool {
        matches!(self.kind, Kind::Action { .. })
    }

    /// The program of a charm without `dispatch`.
    pub fn dispatch_path(&self) -> String {
        match &self.kind {
            Kind::Action { name, .. } => format!("actions/{name}"),
            _ => format!("hooks/{}", self.hook_name()),
        }
    }
}
