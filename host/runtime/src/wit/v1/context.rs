//! `charmhost:context/context`: the environment of the dispatch (ops §1).

use super::bindings::context::{ContextInfo, Host};
use crate::state::State;

impl Host for State {
    fn get(&mut self) -> ContextInfo {
        let environment = &self.charm.environment;
        ContextInfo {
            unit_name: environment.unit_name.clone(),
            app_name: environment.app_name.clone(),
            charm_name: self.charm.metadata.name.clone(),
            model_name: environment.model_name.clone(),
            model_uuid: environment.model_uuid.clone(),
            juju_version: environment.juju_version.to_string(),
            charm_dir: environment.charm_dir.display().to_string(),
            dispatch_path: environment.dispatch_path.clone(),
            hook_name: Some(environment.hook_name.clone()).filter(|name| !name.is_empty()),
            machine_id: environment.machine_id.clone(),
            availability_zone: environment.availability_zone.clone(),
            principal_unit: environment.principal_unit.clone(),
            debug: environment.debug,
        }
    }
}
