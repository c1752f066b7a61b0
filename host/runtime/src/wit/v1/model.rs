//! `charmhost:model/model`: planned units, the goal state and the cloud (ops §10,
//! ops §16.5).

use charmhost_juju::{CloudCredential, Goal};

use super::bindings::model::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn planned_units(&mut self) -> Result<u32, Error> {
        self.charm.model.planned_units().map_err(error)
    }

    fn get_goal_state(&mut self) -> Result<wit::GoalState, Error> {
        let state = self.charm.model.goal_state().map_err(error)?;
        let relation = |(endpoint, goals): (String, Vec<Goal>)| wit::GoalRelation {
            endpoint,
            goals: goals.into_iter().map(goal).collect(),
        };
        Ok(wit::GoalState {
            units: state.units.into_iter().map(goal).collect(),
            relations: state.relations.into_iter().map(relation).collect(),
        })
    }

    fn get_cloud_spec(&mut self) -> Result<wit::CloudSpec, Error> {
        let spec = self.charm.model.cloud_spec().map_err(error)?;
        let credential = |credential: CloudCredential| wit::CloudCredential {
            auth_type: credential.auth_type,
            attributes: credential.attributes,
            redacted: credential.redacted,
        };
        Ok(wit::CloudSpec {
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

fn goal(goal: Goal) -> wit::Goal {
    wit::Goal {
        name: goal.name,
        status: goal.status,
        since: goal.since,
    }
}
