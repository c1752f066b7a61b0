//! `charmhost:stored-state/stored-state`: values under the names of ops (ops §6).

use charmhost_error_chain::ErrorChain;

use super::{Error, full};
use crate::bindings::stored_state::Host;
use crate::state::State;

impl Host for State {
    fn load(&mut self, name: String) -> Result<Option<String>, Error> {
        check(&name)?;
        match self.charm.local.value(&name) {
            Ok(None) => Ok(None),
            Ok(Some(Ok(value))) => Ok(Some(value.to_string())),
            Ok(Some(Err(error))) => Err(Error::Other(format!(
                "cannot load the state {name:?}: {error}"
            ))),
            Err(error) => Err(Error::Other(error.chain().to_string())),
        }
    }

    fn save(&mut self, name: String, value: String) -> Result<(), Error> {
        check(&name)?;
        let rejected =
            |reason| Error::InvalidInput(format!("cannot save the state {name:?}: {reason}"));
        let data = self.charm.local.encode(&value).map_err(rejected)?;
        self.hold_snapshot(&name, data.len()).map_err(full)?;
        self.charm.local.save_encoded(name, data);
        Ok(())
    }
}

/// Rejects names that are not those of stored states, as the store holds other
/// snapshots too.
fn check(name: &str) -> Result<(), Error> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let key = last
        .strip_prefix("StoredStateData[")
        .and_then(|rest| rest.strip_suffix(']'));
    let has_owner = name.contains('/');
    match key {
        Some(key) if has_owner && !key.is_empty() && !key.contains(['[', ']']) => Ok(()),
        _ => Err(Error::InvalidInput(format!(
            "{name:?} is not the name of a stored state, for example MyCharm/StoredStateData[_stored]"
        ))),
    }
}
