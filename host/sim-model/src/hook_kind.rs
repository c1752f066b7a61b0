//! Hooks and actions: what a charm is run for.

use serde_json::{Map, Value};

use crate::action::Action;
use crate::hook_context::HookContext;

/// A hook or an action (juju §1.4).
#[derive(Debug, Clone, PartialEq)]
pub enum HookKind {
    /// A hook about the unit as a whole.
    Unit(String),
    /// A hook about a relation.
    Relation {
        /// `created`, `joined`, `changed`, `departed` or `broken`.
        what: String,
        /// The endpoint of the unit's charm.
        endpoint: String,
        /// The relation's id.
        id: u32,
        /// The application on the other side.
        app: Option<String>,
        /// The remote unit.
        unit: Option<String>,
        /// The unit that leaves the relation.
        departing_unit: Option<String>,
    },
    /// A hook about a storage instance.
    Storage {
        /// `attached` or `detaching`.
        what: String,
        /// The instance, for example `data/0`.
        id: String,
    },
    /// A hook about a workload container.
    Workload {
        /// The container.
        container: String,
        /// What happened in it.
        what: WorkloadEvent,
    },
    /// A hook about a secret.
    Secret {
        /// `changed`, `rotate`, `remove` or `expired`.
        what: String,
        /// The id without `secret:`.
        id: String,
        /// The unit's label of the secret; empty without one.
        label: String,
        /// The revision that expired or can be removed.
        revision: Option<u32>,
    },
    /// An action.
    Action {
        /// Its name.
        name: String,
        /// Its parameters, defaults included.
        params: Map<String, Value>,
    },
}

impl Default for HookKind {
    fn default() -> Self {
        HookKind::Unit(String::new())
    }
}

/// What happened in a workload container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadEvent {
    /// Its Pebble started.
    Ready,
    /// A custom notice was recorded.
    CustomNotice {
        /// Its key.
        key: String,
        /// The id that Pebble gave it.
        id: Option<String>,
    },
    /// A check failed.
    CheckFailed(String),
    /// A check succeeds again.
    CheckRecovered(String),
}

impl HookKind {
    /// A hook about the unit as a whole, for example `config-changed`.
    pub fn unit(name: &str) -> Self {
        HookKind::Unit(name.to_owned())
    }

    /// The event's name: that of the hook, or that of the action and `-action`.
    pub fn event_name(&self) -> String {
        match self {
            HookKind::Action { name, .. } => format!("{name}-action"),
            _ => self.hook_name(),
        }
    }

    /// The hook's name; empty for an action (juju §1.3).
    pub fn hook_name(&self) -> String {
        match self {
            HookKind::Unit(name) => name.clone(),
            HookKind::Relation { what, endpoint, .. } => format!("{endpoint}-relation-{what}"),
            HookKind::Storage { what, id } => {
                let name = id.split('/').next().unwrap_or_default();
                format!("{name}-storage-{what}")
            }
            HookKind::Workload { container, what } => {
                let what = match what {
                    WorkloadEvent::Ready => "ready",
                    WorkloadEvent::CustomNotice { .. } => "custom-notice",
                    WorkloadEvent::CheckFailed(_) => "check-failed",
                    WorkloadEvent::CheckRecovered(_) => "check-recovered",
                };
                format!("{container}-pebble-{what}")
            }
            HookKind::Secret { what, .. } => format!("secret-{what}"),
            HookKind::Action { .. } => String::new(),
        }
    }

    /// What the tools of the hook take as the default of some flags.
    pub fn context(&self) -> HookContext {
        match self {
            HookKind::Relation { id, app, unit, .. } => HookContext::Relation {
                id: *id,
                remote_app: app.clone(),
                remote_unit: unit.clone(),
            },
            HookKind::Storage { id, .. } => HookContext::Storage(id.clone()),
            HookKind::Action { name, params } => HookContext::Action(Action {
                name: name.clone(),
                params: params.clone(),
                ..Action::default()
            }),
            _ => HookContext::Plain,
        }
    }

    /// Whether it is an action.
    pub fn is_action(&self) -> bool {
        matches!(self, HookKind::Action { .. })
    }

    /// The path of the program in a charm without `dispatch` (juju §1.2).
    pub fn dispatch_path(&self) -> String {
        match self {
            HookKind::Action { name, .. } => format!("actions/{name}"),
            _ => format!("hooks/{}", self.hook_name()),
        }
    }
}
