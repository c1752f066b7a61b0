//! The model as one dispatch sees it: typed hook tools and their caches.

mod action;
mod config;
mod log;
mod port;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::error::is_relation_tool;
use crate::{Environment, Metadata, Role, ToolError, ToolOutput, Transport, TransportError};

pub use action::flatten_results;
pub use config::ConfigValue;
pub use log::Level;
pub use port::{Port, Protocol};
pub use status::{Scope, Status, StatusName};

/// For how long Juju vouches for what `is-leader` said.
const LEADERSHIP: Duration = Duration::from_secs(30);

/// Hook tools with typed arguments and results.
///
/// What does not change during a dispatch is asked for once, leadership every
/// 30 seconds. Failures are not remembered.
pub struct Model {
    transport: Box<dyn Transport>,
    charm_dir: PathBuf,
    app: String,
    peers: BTreeSet<String>,
    leader: Option<(Instant, bool)>,
    config: Option<BTreeMap<String, ConfigValue>>,
    unit_status: Option<Status>,
    app_status: Option<Status>,
    log_failed: bool,
}

impl Model {
    /// The model behind `transport`, in the dispatch of `environment`.
    pub fn new(
        transport: Box<dyn Transport>,
        environment: &Environment,
        metadata: &Metadata,
    ) -> Self {
        let endpoints = metadata.relations.iter();
        let peers = endpoints.filter(|(_, endpoint)| endpoint.role == Role::Peer);
        Model {
            transport,
            charm_dir: environment.charm_dir.clone(),
            app: environment.app_name.clone(),
            peers: peers.map(|(name, _)| name.clone()).collect(),
            leader: None,
            config: None,
            unit_status: None,
            app_status: None,
            log_failed: false,
        }
    }

    /// Runs any tool, as it is: nothing is cached or converted, and a tool
    /// that ran and failed is an output.
    pub fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, TransportError> {
        self.transport.run(tool, args, stdin)
    }

    /// Runs any tool; one that failed is an error. Gives what it printed.
    ///
    /// A relation tool that is refused means that the relation is gone, unless
    /// a follower touched its own application's data; to tell, `is-leader` may
    /// run.
    pub fn run_checked(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<Vec<u8>, ToolError> {
        let output = self
            .transport
            .run(tool, args, stdin)
            .map_err(|error| ToolError::from_transport(tool, error))?;
        if output.code == 0 {
            return Ok(output.stdout);
        }
        let gone = is_relation_tool(tool) && self.denied_is_gone(tool, args);
        Err(ToolError::from_output(tool, args, &output, gone))
    }

    /// Whether this unit leads its application. Kept for 30 seconds from
    /// before it was asked.
    pub fn is_leader(&mut self) -> Result<bool, ToolError> {
        if let Some((asked, leader)) = self.leader
            && asked.elapsed() < LEADERSHIP
        {
            return Ok(leader);
        }
        let asked = Instant::now();
        let leader = self.json("is-leader", &["--format=json"])?;
        self.leader = Some((asked, leader));
        Ok(leader)
    }

    /// What `is-leader` said last, without asking.
    pub fn known_leadership(&self) -> Option<bool> {
        self.leader.map(|(_, leader)| leader)
    }

    /// Sets the version of the workload that `juju status` shows, at once.
    pub fn set_workload_version(&mut self, version: &str) -> Result<(), ToolError> {
        self.call("application-version-set", &["--", version]).map(drop)
    }

    fn call(&mut self, tool: &str, args: &[&str]) -> Result<Vec<u8>, ToolError> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        self.run_checked(tool, &args, None)
    }

    fn json<T: DeserializeOwned>(&mut self, tool: &str, args: &[&str]) -> Result<T, ToolError> {
        let stdout = self.call(tool, args)?;
        serde_json::from_slice(&stdout).map_err(|error| {
            ToolError::other(tool, format!("cannot read what {tool} printed: {error}"))
        })
    }

    fn denied_is_gone(&mut self, tool: &str, args: &[String]) -> bool {
        let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
        let own = match tool {
            "relation-set" => has("--app"),
            "relation-get" => has("--app") && args.last() == Some(&self.app),
            _ => false,
        };
        if !own {
            return true;
        }
        let readable = tool == "relation-get" && self.is_peer(args);
        readable || self.is_leader().unwrap_or(false)
    }

    /// Whether `-r peers:7` names a peer relation.
    fn is_peer(&self, args: &[String]) -> bool {
        let relation = args.iter().skip_while(|arg| *arg != "-r").nth(1);
        let endpoint = relation.and_then(|relation| relation.split_once(':'));
        endpoint.is_some_and(|(endpoint, _)| self.peers.contains(endpoint))
    }
}

#[cfg(test)]
mod tests;
