//! Local state that Juju's controller stores: `state-get`, `state-set` and
//! `state-delete` (ops §5.5). Juju applies the writes when the hook succeeds, so
//! every write is atomic with the hook.

mod documents;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_juju::Model;
use serde_json::Value;

use crate::limits::{self, Budget};
use crate::lock::StateLock;
use crate::pickle;
use crate::two_phase::COMMIT_KEY;
use crate::{Backend, Changes, Error, Lookup, Notice, OpenOptions, Unreadable};
pub use documents::{NOTICES_KEY, parse_notices, parse_value};

/// Local state in Juju's controller.
pub struct ControllerBackend {
    charm_dir: PathBuf,
    /// All entries of `state-get` when the hook began, by key.
    entries: BTreeMap<String, String>,
    limit: usize,
    lock: Option<StateLock>,
}

impl ControllerBackend {
    /// The state of the unit whose charm is in a directory, which is locked;
    /// not opened yet.
    pub fn new(charm_dir: &Path) -> Self {
        ControllerBackend {
            charm_dir: charm_dir.to_path_buf(),
            entries: BTreeMap::new(),
            limit: 0,
            lock: None,
        }
    }
}

impl Backend for ControllerBackend {
    fn open(&mut self, options: OpenOptions, model: &mut Model) -> Result<(), Error> {
        self.limit = options.limit;
        self.lock = Some(StateLock::acquire(&self.charm_dir)?);
        if options.restricted {
            return Err(Error::Unavailable("Juju stores no state in its context"));
        }
        self.entries = model.state_all().map_err(Error::Juju)?;
        Ok(())
    }

    /// The number of prepared changes is not state of the charm.
    fn exists(&self) -> bool {
        self.entries.keys().any(|key| key != COMMIT_KEY)
    }

    /// The value as a pickle, so that all back ends return the same form.
    fn bytes(&self, handle: &str) -> Lookup<Vec<u8>> {
        let text = self.entries.get(handle);
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        Ok(Some(parse_value(text).map(|value| pickle::write(&value))))
    }

    fn handles(&self) -> Result<Vec<String>, Error> {
        let reserved = [NOTICES_KEY, COMMIT_KEY];
        let handles = self.entries.keys();
        let handles = handles.filter(|key| !reserved.contains(&key.as_str()));
        Ok(handles.cloned().collect())
    }

    fn notices(&self) -> Result<Vec<Notice>, Error> {
        let text = self.entries.get(NOTICES_KEY).map_or("", String::as_str);
        parse_notices(text).map_err(|source| unreadable(NOTICES_KEY, source))
    }

    fn check(&self, value: &Value, limit: usize) -> Result<(), Unreadable> {
        limits::check(value, &mut Budget::new(limit))?;
        documents::check(value)
    }

    /// Juju stores text, so only pickles and JSON can be stored.
    fn check_bytes(&self, bytes: &[u8], limit: usize) -> Result<(), Unreadable> {
        let value = pickle::decode(bytes, &mut Budget::new(limit))?;
        documents::check(&value)
    }

    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let before = self.notices()?;
        let written = documents::write(changes, before, self.limit);
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
