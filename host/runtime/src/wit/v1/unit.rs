//! `charmhost:unit/unit`: leadership and the workload version (ops §10).

use super::bindings::unit::Host;
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn is_leader(&mut self) -> Result<bool, Error> {
        self.charm.model.is_leader().map_err(error)
    }

    fn set_workload_version(&mut self, version: String) -> Result<(), Error> {
        self.charm
            .model
            .set_workload_version(&version)
            .map_err(error)
    }
}
