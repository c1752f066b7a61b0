//! Units of the model, and what their agents have done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::hook_kind::HookKind;
use crate::network::Networks;
use crate::ports::Ports;
use crate::status::Status;
use crate::storage::Storage;

/// A unit that has an agent.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its application.
    pub app: String,
    /// Its workload status.
    pub status: Status,
    /// Whether the charm has set the status.
    pub status_was_set: bool,
    /// Its open ports.
    pub ports: Ports,
    /// The workload's version.
    pub workload_version: Option<String>,
    /// The charm's state in the controller (`state-set`).
    pub state: Map<String, Value>,
    /// Its storage instances by id, for example `data/0`.
    pub storages: BTreeMap<String, Storage>,
    /// The storage that the charm asked for: names and counts.
    pub storage_requests: Vec<(String, u32)>,
    /// The files of the charm's resources by name.
    pub resources: BTreeMap<String, String>,
    /// Its networks.
    pub networks: Networks,
    /// The principal's unit of a subordinate.
    pub principal: Option<String>,
    /// Whether the charm asked for a reboot.
    pub reboot: bool,
    /// What its agent has done.
    pub agent: AgentState,
}

/// What a unit's agent has done: the controller's state that it has seen, and
/// how far it is in the life of the unit (juju §1.4).
#[derive(Debug, Clone, Default)]
pub struct AgentState {
    /// The hook that failed, while the unit is in error for it.
    pub failed_hook: Option<HookKind>,
    /// Whether `install` succeeded.
    pub is_installed: bool,
    /// Whether `start` succeeded.
    pub is_started: bool,
    /// Whether the unit is being removed.
    pub is_dying: bool,
    /// Whether `stop` succeeded.
    pub is_stopped: bool,
    /// Whether `remove` succeeded: the unit is gone.
    pub is_removed: bool,
    /// The version of the configuration of its last `config-changed`.
    pub config_version: u64,
    /// Whether it led at its last hook about leadership.
    pub is_leader: Option<bool>,
    /// The version of the leader's settings that it has seen.
    pub leader_settings_version: u64,
    /// The storage instances that were attached.
    pub storages: BTreeSet<String>,
    /// The containers whose Pebble was reported ready.
    pub containers: BTreeSet<String>,
    /// The relations that were created, by id.
    pub relations: BTreeMap<u32, RelationProgress>,
}

/// What an agent has seen of a relation.
#[derive(Debug, Clone, Default)]
pub struct RelationProgress {
    /// The remote units that joined, with the version of the databag at the last
    /// `relation-changed` for it; none before the first.
    pub members: BTreeMap<String, Option<u64>>,
    /// The version of the remote application's databag at the last
    /// `relation-changed` for it.
    pub app_version: u64,
    /// Whether `relation-broken` runs or ran.
    pub is_broken: bool,
}

impl Unit {
    /// A unit of an application that is about to be installed.
    pub fn new(app: &str, networks: Networks) -> Self {
        Unit {
            app: app.to_owned(),
            status: Status::new("waiting", "agent initialising"),
            status_was_set: false,
            ports: Ports::default(),
            workload_version: None,
            state: Map::new(),
            storages: BTreeMap::new(),
            storage_requests: Vec::new(),
            resources: BTreeMap::new(),
            networks,
            principal: None,
            reboot: false,
            agent: AgentState::default(),
        }
    }

    /// The status that an operator sees: a failed hook hides what the charm set.
    pub fn shown_status(&self) -> Status {
        match &self.agent.failed_hook {
            Some(hook) => {
                let hook = hook.event_name();
                Status::new("error", format!("hook failed: {hook:?}"))
            }
            None => self.status.clone(),
        }
    }
}
