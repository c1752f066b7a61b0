//! Events that a charm is run for.

mod resolver;

use charmhost_sim_model::HookKind;
use serde_json::{Map, Value};

pub use resolver::Resolver;

use crate::scenario::file::{Bag, Expect, RelationSpec};

/// A hook or action, with the changes of the model right before it.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// The changes before it, in this order.
    pub changes: Vec<Change>,
    /// What the charm is run for.
    pub kind: HookKind,
    /// Whether the controller rejects the changes of the hook.
    pub is_rejected: bool,
    /// What is expected afterwards.
    pub expect: Option<Expect>,
}

/// A change of the model or of a container that the charm did not make.
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

impl Event {
    /// A hook that needs nothing.
    pub fn hook(name: &str) -> Self {
        Event {
            kind: HookKind::unit(name),
            ..Event::default()
        }
    }

    /// The same event after a change.
    pub fn after(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// The event's name.
    pub fn name(&self) -> String {
        self.kind.event_name()
    }
}
