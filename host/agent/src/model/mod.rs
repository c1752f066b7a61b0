//! What Juju knows about the unit: its model.

mod action;
mod config;
mod hook;
mod ports;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

pub use action::{Action, Actions, insert};
pub use config::{Config, split_config};
pub use hook::{Hook, Level};
pub use ports::{PortRange, Ports};

/// A status of the unit or of its application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `active`, `blocked`, `maintenance`, `waiting`; by Juju itself also
    /// `error`, `terminated`, `unknown`.
    pub status: String,
    /// What it says to the operator.
    pub message: String,
}

impl Status {
    /// A status with its message.
    pub fn new(status: impl Into<String>, message: impl Into<String>) -> Self {
        Status {
            status: status.into(),
            message: message.into(),
        }
    }
}

/// A model with one application of one unit.
#[derive(Debug, Clone)]
pub struct Model {
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
    /// The version of what the charm runs.
    pub workload_version: Option<String>,
    /// What the charm keeps with the controller.
    pub state: Map<String, Value>,
}

impl Default for Model {
    fn default() -> Self {
        Model {
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
        }
    }
}

impl Model {
    /// The unit's status as an operator sees it: a failed hook hides what the
    /// charm set.
    pub fn shown_status(&self) -> Status {
        match &self.failed_hook {
            Some(hook) => Status::new("error", format!("hook failed: {hook:?}")),
            None => self.unit_status.clone(),
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
            None => self.shown_status(),
        }
    }
}
