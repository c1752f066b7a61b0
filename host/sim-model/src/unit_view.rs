//! What one unit knows of its model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::Config;
use crate::databag::Databag;
use crate::network::Networks;
use crate::ports::Ports;
use crate::relation_view::RelationView;
use crate::secret_view::SecretView;
use crate::status::Status;
use crate::storage::Storage;

/// What a unit's agent knows of the model at the start of a hook.
#[derive(Debug, Clone)]
pub struct UnitView {
    /// The model's name.
    pub name: String,
    /// The model's UUID.
    pub uuid: String,
    /// The agent's version of Juju.
    pub juju_version: String,
    /// The application, named as its charm.
    pub app: String,
    /// The unit, `<app>/0`.
    pub unit: String,
    /// Whether the model is a Kubernetes model.
    pub kubernetes: bool,
    /// Whether the unit leads its application.
    pub leader: bool,
    /// The endpoints of the charm.
    pub endpoints: BTreeSet<String>,
    /// The charm's configuration.
    pub config: Config,
    /// The unit's workload status.
    pub unit_status: Status,
    /// The application's status, once the leader set it.
    pub app_status: Option<Status>,
    /// Whether the charm has set the unit's status.
    pub status_was_set: bool,
    /// The hook that failed, while the unit is in error for it.
    pub failed_hook: Option<String>,
    /// The ports that are open.
    pub ports: Ports,
    /// The workload's version.
    pub workload_version: Option<String>,
    /// The charm's state in the controller.
    pub state: Map<String, Value>,
    /// The relations by their numbers.
    pub relations: BTreeMap<u32, RelationView>,
    /// The secrets by their ids.
    pub secrets: BTreeMap<String, SecretView>,
    /// How many ids of secrets were given out.
    pub secret_ids: u64,
    /// The storage instances by id, for example `data/0`.
    pub storages: BTreeMap<String, Storage>,
    /// The storage that the charm asked for: names and how many.
    pub storage_requests: Vec<(String, u32)>,
    /// The files of the charm's resources by name.
    pub resources: BTreeMap<String, String>,
    /// The unit's networks.
    pub networks: Networks,
    /// The units that the application shall have, in their order.
    pub planned: Vec<String>,
    /// The statuses of the application's other units.
    pub other_units: BTreeMap<String, Status>,
    /// What `credential-get` returns; none if the charm is not trusted.
    pub cloud_spec: Option<Value>,
    /// The leader's settings, until Juju 4.
    pub leader_settings: Databag,
    /// The principal's unit of a subordinate.
    pub principal: Option<String>,
    /// Whether the charm asked for a reboot.
    pub reboot: bool,
}

impl Default for UnitView {
    fn default() -> Self {
        UnitView {
            name: "sim".to_owned(),
            uuid: String::new(),
            juju_version: "3.6.28".to_owned(),
            app: String::new(),
            unit: String::new(),
            kubernetes: false,
            leader: true,
            endpoints: BTreeSet::new(),
            config: Config::default(),
            unit_status: Status::new("waiting", "agent initialising"),
            app_status: None,
            status_was_set: false,
            failed_hook: None,
            ports: Ports::default(),
            workload_version: None,
            state: Map::new(),
            relations: BTreeMap::new(),
            secrets: BTreeMap::new(),
            secret_ids: 0,
            storages: BTreeMap::new(),
            storage_requests: Vec::new(),
            resources: BTreeMap::new(),
            networks: Networks::default(),
            planned: Vec::new(),
            other_units: BTreeMap::new(),
            cloud_spec: None,
            leader_settings: Databag::new(),
            principal: None,
            reboot: false,
        }
    }
}

impl UnitView {
    /// The unit's status as an operator sees it: a failed hook hides what the
    /// charm set.
    pub fn shown_status(&self) -> Status {
        match &self.failed_hook {
            Some(hook) => Status::new("error", format!("hook failed: {hook:?}")),
            None => self.unit_status.clone(),
        }
    }

    /// The location of a storage instance; empty if it does not exist.
    pub fn storage_location(&self, id: &str) -> String {
        let storage = self.storages.get(id);
        storage
            .map(|storage| storage.location.clone())
            .unwrap_or_default()
    }

    /// What kind of storage an instance is.
    pub fn storage_kind(&self, id: &str) -> String {
        let storage = self.storages.get(id);
        storage
            .map(|storage| storage.kind.clone())
            .unwrap_or_default()
    }

    /// The relation of a name, `db:7` or `7`.
    pub fn relation_named(&self, name: &str) -> Result<u32, &'static str> {
        let number = name.rsplit_once(':').map_or(name, |(_, number)| number);
        let id: u32 = number.parse().map_err(|_| "invalid relation id")?;
        match self.relations.contains_key(&id) {
            true => Ok(id),
            false => Err("relation not found"),
        }
    }

    /// Whether the agent is one of Juju 3 or older.
    pub fn is_before_juju_4(&self) -> bool {
        let major = self.juju_version.split('.').next();
        major
            .and_then(|major| major.parse().ok())
            .is_some_and(|major: u32| major < 4)
    }

    /// The application's status: the unit's, until the leader sets one.
    pub fn shown_app_status(&self) -> Status {
        match &self.app_status {
            Some(status) => status.clone(),
            None => {
                let others = self.other_units.values().cloned();
                Status::derived(others.chain([self.shown_status()]))
            }
        }
    }
}
