//! What is planned for the application, the cloud, and models of other
//! applications.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use crate::bindings::{model as wit, relations};
use crate::error::ModelResult;
use crate::{App, Relation, Result, time};

/// A unit or an application in the goal state.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Goal {
    /// Its status as Juju has it, for example `active`, `waiting` or `dying`.
    pub status: String,
    /// Since when.
    pub since: Option<SystemTime>,
}

/// The state that the model will have when all operations have settled.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GoalState {
    /// The units of this application by name.
    pub units: BTreeMap<String, Goal>,
    /// By endpoint, the applications and units that it will be related to, by name.
    pub relations: BTreeMap<String, BTreeMap<String, Goal>>,
}

/// A cloud credential. `Debug` leaves its attributes out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudCredential {
    /// How the cloud authenticates, for example `userpass`.
    pub auth_type: String,
    /// The attributes by name. They are secret.
    pub attributes: BTreeMap<String, String>,
    /// Names of attributes that Juju withholds.
    pub redacted: Vec<String>,
}

/// The cloud that the model runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudSpec {
    /// The type of the cloud, for example `lxd`.
    pub kind: String,
    /// The cloud's name.
    pub name: String,
    /// The region.
    pub region: Option<String>,
    /// The URL of the cloud's API.
    pub endpoint: Option<String>,
    /// The URL of its identity service.
    pub identity_endpoint: Option<String>,
    /// The URL of its storage service.
    pub storage_endpoint: Option<String>,
    /// The credential.
    pub credential: Option<CloudCredential>,
    /// Certificates of authorities, PEM.
    pub ca_certificates: Vec<String>,
    /// Whether TLS certificates are not to be verified.
    pub skip_tls_verify: bool,
    /// Whether the controller runs in this cloud.
    pub is_controller_cloud: bool,
}

impl App {
    /// Returns how many units are planned, this one included: those of the goal
    /// state that are not dying.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// # fn handler(event: CollectStatusEvent) -> Result<()> {
    /// if app().planned_units()? < 3 {
    ///     event.add_status(Status::blocked("needs 3 units"))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn planned_units(self) -> Result<u32> {
        wit::planned_units().model()
    }

    /// Returns the goal state. It is read by every call.
    #[track_caller]
    pub fn goal_state(self) -> Result<GoalState> {
        let state = wit::get_goal_state().model()?;
        let relations = state.relations.into_iter();
        let relations = relations.map(|relation| (relation.endpoint, goals(relation.goals)));
        Ok(GoalState {
            units: goals(state.units),
            relations: relations.collect(),
        })
    }

    /// Returns the cloud with its credential, if the operator trusts the
    /// application (`juju trust`). It is read by every call.
    #[track_caller]
    pub fn cloud_spec(self) -> Result<CloudSpec> {
        let spec = wit::get_cloud_spec().model()?;
        Ok(CloudSpec {
            kind: spec.kind,
            name: spec.name,
            region: spec.region,
            endpoint: spec.endpoint,
            identity_endpoint: spec.identity_endpoint,
            storage_endpoint: spec.storage_endpoint,
            credential: spec.credential.map(credential),
            ca_certificates: spec.ca_certificates,
            skip_tls_verify: spec.skip_tls_verify,
            is_controller_cloud: spec.is_controller_cloud,
        })
    }
}

impl Relation {
    /// Returns the UUID of the model that the remote application is in (Juju from
    /// 3.6.1 on).
    #[track_caller]
    pub fn remote_model_uuid(&self) -> Result<String> {
        relations::model_uuid(self.endpoint(), self.id()).model()
    }
}

impl fmt::Debug for CloudCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.attributes.keys().collect();
        f.debug_struct("CloudCredential")
            .field("auth_type", &self.auth_type)
            .field("attributes", &names)
            .field("redacted", &self.redacted)
            .finish()
    }
}

fn goals(goals: Vec<wit::Goal>) -> BTreeMap<String, Goal> {
    let goal = |goal: wit::Goal| {
        let since = goal.since.map(time::from_seconds);
        let status = goal.status;
        (goal.name, Goal { status, since })
    };
    goals.into_iter().map(goal).collect()
}

fn credential(credential: wit::CloudCredential) -> CloudCredential {
    CloudCredential {
        auth_type: credential.auth_type,
        attributes: credential.attributes.into_iter().collect(),
        redacted: credential.redacted,
    }
}
