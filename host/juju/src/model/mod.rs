//! The model of this unit: typed hook tools, and everything that is cached for
//! the time of one dispatch (ops §9).
//!
//! Each part is one area of ops with its hook tools, its rules and its cache:
//!
//! | part | area |
//! |---|---|
//! | `leadership` | `is_leader` (ops §9) |
//! | `config` | options (ops §15) |
//! | `status` | status of the unit and the application (ops §13) |
//! | `relations` | listing and looking up relations (ops §11.1, ops §11.2, ops §11.3, ops §11.7) |
//! | `databags` | relation data and who may access it (ops §11.4, ops §11.5) |
//! | `secrets` | secrets and access to them (ops §12) |
//! | `network` | networks of bindings (ops §16.3) |
//! | `goal_state` | the planned state of the model (ops §10) |
//! | `cloud_spec` | the cloud and its credential (ops §16.5) |
//! | `ports` | opened ports (ops §16.1) |
//! | `storage` | storage instances (ops §16.2) |
//! | `resources` | files of the charm's resources (ops §7) |
//! | `actions` | parameters, results, progress, failure (ops §14) |
//! | `workload_version` | the version of the workload (ops §10) |
//! | `reboot` | rebooting the machine (ops §16.6) |
//! | `state_tools` | calls for state saved by the controller |
//! | `log` | log lines (ops §20.1, ops §20.2) |
//! | `security_events` | security events (ops §20.3) |
//! | `time` | points in time in the output of hook tools (ops §12) |
//! | `tool_calls` | running hook tools and their failures (ops §7, ops §8) |

pub(crate) mod actions;
pub(crate) mod cloud_spec;
pub(crate) mod config;
pub(crate) mod databags;
pub(crate) mod goal_state;
mod leadership;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod ports;
pub(crate) mod reboot;
pub(crate) mod relations;
mod resources;
pub(crate) mod secrets;
mod security_events;
mod state_tools;
pub(crate) mod status;
pub(crate) mod storage;
mod time;
mod tool_calls;
mod workload_version;

use std::sync::Arc;
use std::time::Duration;

use charmhost_hook_tools::{PrivateFiles, Stderr, Transport};

use crate::clock::Clock;
use crate::environment::Environment;
use crate::metadata::Metadata;
use crate::version::JujuVersion;
use config::ConfigCache;
use databags::DatabagCache;
use leadership::LeadershipCache;
use log::LogOutput;
use network::NetworkCache;
use relations::RelationCache;
use resources::ResourceCache;
use secrets::SecretCache;
use security_events::Refusal;
use status::StatusCache;
use storage::StorageCache;

/// The model as this unit sees it and may change it, for one dispatch.
pub struct Model {
    transport: Box<dyn Transport>,
    private_files: PrivateFiles,
    unit: ThisUnit,
    metadata: Arc<Metadata>,
    clock: Arc<dyn Clock>,
    log: LogOutput,
    config: ConfigCache,
    databags: DatabagCache,
    leadership: LeadershipCache,
    networks: NetworkCache,
    relations: RelationCache,
    secrets: SecretCache,
    resources: ResourceCache,
    statuses: StatusCache,
    storage: StorageCache,
    /// The refusal of the last hook tool that failed, until it is logged.
    refusal: Option<Refusal>,
}

/// The names of this unit, its application and its model, and the version of its
/// agent.
#[derive(Debug, Clone)]
struct ThisUnit {
    name: String,
    app: String,
    model_name: String,
    model_uuid: String,
    juju_version: JujuVersion,
}

impl Model {
    /// Creates the model of the unit that the environment names. Hook tools are
    /// called through `transport`; no tool runs yet. Copies of log lines and
    /// warnings about the log itself go to `stderr`.
    pub fn new(
        transport: Box<dyn Transport>,
        environment: &Environment,
        metadata: Arc<Metadata>,
        clock: Arc<dyn Clock>,
        stderr: Stderr,
    ) -> Self {
        Model {
            transport,
            private_files: PrivateFiles::new(&environment.charm_dir),
            unit: ThisUnit {
                name: environment.unit_name.clone(),
                app: environment.app_name.clone(),
                model_name: environment.model_name.clone(),
                model_uuid: environment.model_uuid.clone(),
                juju_version: environment.juju_version.clone(),
            },
            metadata,
            clock,
            log: LogOutput::new(stderr),
            config: ConfigCache::default(),
            databags: DatabagCache::default(),
            leadership: LeadershipCache::default(),
            networks: NetworkCache::default(),
            relations: RelationCache::new(environment),
            secrets: SecretCache::default(),
            resources: ResourceCache::default(),
            statuses: StatusCache::default(),
            storage: StorageCache::default(),
            refusal: None,
        }
    }

    /// Sets the time limit of one hook-tool call; without one, calls wait for
    /// ever.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.transport.set_timeout(limit);
    }

    /// Returns the clock of this dispatch.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Prepares for a restriction of this process: see
    /// [`Transport::prepare_restriction`].
    pub fn prepare_restriction(&mut self) -> std::io::Result<()> {
        self.transport.prepare_restriction()
    }
}

#[cfg(test)]
mod tests;
