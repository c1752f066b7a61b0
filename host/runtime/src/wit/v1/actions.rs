//! `charmhost:actions/actions`: parameters, results and progress of an action (ops §14).

use charmhost_juju::flatten_results;

use super::bindings::actions::Host;
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn params(&mut self) -> Result<String, Error> {
        let params = self.charm.model.action_params().map_err(error)?;
        Ok(params.to_string())
    }

    fn set_results(&mut self, results: String) -> Result<(), Error> {
        let results: serde_json::Value = serde_json::from_str(&results).map_err(|error| {
            Error::InvalidInput(format!(
                "cannot set the action's results: they are not JSON: {error}"
            ))
        })?;
        let results = flatten_results(&results).map_err(error)?;
        self.charm.model.action_set(&results).map_err(error)
    }

    fn log(&mut self, message: String) -> Result<(), Error> {
        self.charm.model.action_log(&message).map_err(error)
    }

    fn fail(&mut self, message: String) -> Result<(), Error> {
        self.charm.model.action_fail(&message).map_err(error)
    }
}
