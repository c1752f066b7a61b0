//! `charmhost:resources/resources`: files of the charm's resources (ops §7).

use super::bindings::resources::Host;
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn fetch(&mut self, name: String) -> Result<String, Error> {
        let path = self.charm.model.resource(&name);
        path.map(str::to_owned).map_err(error)
    }
}
