//! Applications of the model.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Config;
use crate::databag::Databag;
use crate::status::Status;

/// An application. One without a charm is made up: it has databags, and nothing
/// runs for its units.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Whether it runs on Kubernetes.
    pub kubernetes: bool,
    /// The endpoints of its charm.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Its configuration.
    pub config: Config,
    /// The number of the last change of the configuration, from 1 on.
    pub config_version: u64,
    /// Its status, once the leader set it.
    pub status: Option<Status>,
    /// The unit that leads it.
    pub leader: Option<String>,
    /// The leader's settings, to Juju 3.
    pub leader_settings: Databag,
    /// The number of the last change of the leader's settings.
    pub leader_settings_version: u64,
    /// The number of planned units where it is not the number of units.
    pub planned_units: Option<u32>,
    /// The cloud, for `credential-get`; none if the application is not trusted.
    pub cloud_spec: Option<Value>,
    /// The workload containers of each unit.
    pub containers: Vec<String>,
    /// The number of the next unit.
    pub next_unit: u32,
    /// Whether it is being removed.
    pub is_dying: bool,
}

/// An endpoint of a charm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its interface.
    pub interface: String,
    /// Its role.
    pub role: Role,
}

/// The role of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `provides`
    Provides,
    /// `requires`
    Requires,
    /// `peers`
    Peer,
}
