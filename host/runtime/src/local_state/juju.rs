//! State that Juju stores (`state-get`, `state-set`, `state-delete`; ops §5.5).

use std::collections::BTreeMap;

use charmhost_juju::Model;
use charmhost_store::{Budget, COMMIT, Changes, Notice, Unreadable, juju};
use serde_json::Value;

use super::{Backend, Error};

pub(super) struct JujuBackend {
    /// What Juju had when the hook began, by key.
    state: BTreeMap<String, String>,
    limit: usize,
}

impl JujuBackend {
    pub fn open(model: &mut Model, limit: usize) -> Result<Self, Error> {
        let state = model.state_all().map_err(Error::Juju)?;
        Ok(JujuBackend { state, limit })
    }
}

impl Backend for JujuBackend {
    /// The value as a pickle, so that both backends have one form. What cannot
    /// be read is returned as it is, and reported when it is decoded.
    fn bytes(&self, handle: &str) -> Result<Option<Result<Vec<u8>, Unreadable>>, Error> {
        let text = self.state.get(handle);
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let value = juju::value(text);
        Ok(Some(value.map(|value| charmhost_store::encode(&value))))
    }

    fn handles(&self) -> Result<Vec<String>, Error> {
        let own = [juju::NOTICES, COMMIT];
        let handles = self.state.keys();
        let handles = handles.filter(|key| !own.contains(&key.as_str()));
        Ok(handles.cloned().collect())
    }

    fn notices(&self) -> Result<Vec<Notice>, Error> {
        let text = self.state.get(juju::NOTICES).map_or("", String::as_str);
        juju::notices(text).map_err(|source| unreadable(juju::NOTICES, source))
    }

    fn check(&self, value: &Value) -> Result<(), Unreadable> {
        charmhost_store::check(value, &mut Budget::new(self.limit))?;
        juju::check(value)
    }

    /// Juju stores text, so only pickles and JSON can be stored.
    fn check_bytes(&self, bytes: &[u8]) -> Result<(), Unreadable> {
        let value = charmhost_store::decode(bytes, &mut Budget::new(self.limit))?;
        juju::check(&value)
    }

    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let before = self.notices()?;
        let written = juju::write(changes, before, self.limit);
        let (input, deleted) = written.map_err(|source| unreadable("state-set", source))?;
        if !input.is_empty() {
            model.state_set(&input).map_err(Error::Juju)?;
        }
        for key in deleted {
            model.state_delete(key).map_err(Error::Juju)?;
        }
        Ok(())
    }
}

fn unreadable(key: &str, source: Unreadable) -> Error {
    let key = key.to_owned();
    Error::Unreadable { key, source }
}
