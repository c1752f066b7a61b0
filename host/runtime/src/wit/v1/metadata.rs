//! `charmhost:metadata/metadata`: the charm's metadata as a document (ops §17).

use super::bindings::metadata::Host;
use super::{Error, code, other};
use crate::state::State;

impl Host for State {
    fn get(&mut self) -> Result<String, Error> {
        let version = &self.charm.environment.juju_version;
        let document = self.charm.metadata.document(version);
        match document {
            Ok(document) => Ok(document.to_string()),
            Err(error) => Err(other(code::METADATA, error.to_string())),
        }
    }
}
