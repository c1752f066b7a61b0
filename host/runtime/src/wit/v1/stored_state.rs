//! `charmhost:stored-state/stored-state`: values under the names of ops (ops §6).

use charmhost_error_chain::ErrorChain;
use charmhost_framework::{stored_state_key, stored_state_path};
use charmhost_store::Error as StateError;

use super::bindings::stored_state::Host;
use super::{Error, code, full, other};
use crate::state::State;

impl Host for State {
    fn load(&mut self, object: String, name: String) -> Result<Option<String>, Error> {
        let path = path(&object, &name)?;
        match self.charm.local.value(&path).map_err(unreadable)? {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.to_string())),
            Some(Err(error)) => Err(other(
                code::STATE,
                format!("cannot load the state {path:?}: {error}"),
            )),
        }
    }

    fn save(&mut self, object: String, name: String, value: String) -> Result<(), Error> {
        let path = path(&object, &name)?;
        let rejected =
            |reason| Error::InvalidInput(format!("cannot save the state {path:?}: {reason}"));
        let data = self.charm.local.encode(&value).map_err(rejected)?;
        self.hold_snapshot(&path, data.len()).map_err(full)?;
        self.charm.local.save_encoded(path, data);
        Ok(())
    }

    fn remove(&mut self, object: String, name: String) -> Result<(), Error> {
        let path = path(&object, &name)?;
        self.hold_snapshot(&path, 0).map_err(full)?;
        self.charm.local.delete(path);
        Ok(())
    }

    fn names(&mut self, object: String) -> Result<Vec<String>, Error> {
        // A path that no state can have is an error here too.
        path(&object, "_")?;
        let paths = self.charm.local.handles().map_err(unreadable)?;
        let keys = paths
            .iter()
            .filter_map(|path| stored_state_key(&object, path));
        Ok(keys.map(str::to_owned).collect())
    }
}

fn path(object: &str, name: &str) -> Result<String, Error> {
    stored_state_path(object, name).map_err(|error| Error::InvalidInput(error.to_string()))
}

fn unreadable(error: StateError) -> Error {
    other(code::STATE, error.chain().to_string())
}
