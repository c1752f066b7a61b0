//! State in the unit's own file.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use charmhost_juju::{Level, Model};
use charmhost_store::{Budget, COMMIT, Changes, Notice, Store, Unreadable};
use serde_json::Value;

use super::{Backend, Error};
use crate::settings::Mode;

pub(super) struct FileBackend {
    path: PathBuf,
    /// None while there is no file.
    store: Option<Store>,
    mode: Mode,
    /// Whether the transaction of `store` has changed something already.
    settled: bool,
    limit: usize,
}

impl FileBackend {
    /// Opens the file if there is one, and decides about changes that the
    /// previous dispatch has prepared. They become durable, or are deleted,
    /// with the transaction of this dispatch: a dispatch that fails leaves
    /// the question to the next.
    ///
    /// None in a restricted context (ops §2.5) with prepared changes. Juju
    /// cannot be asked there whether it committed the previous hook, so the
    /// charm would see a state that is perhaps not the last, and what it saved
    /// would be lost or saved twice under the prepared changes. Without
    /// prepared changes a restricted context saves at once, in atomic mode
    /// too: Juju buffers nothing there that the state could contradict.
    pub fn open(
        charm_dir: &Path,
        mode: Mode,
        restricted: bool,
        model: &mut Model,
        limit: usize,
    ) -> Result<Option<Self>, Error> {
        let path = charm_dir.join(charmhost_store::FILE_NAME);
        let store = match charmhost_store::exists(&path)? {
            true => Some(Store::open(&path, limit)?),
            false => None,
        };
        let mut backend = FileBackend {
            path,
            store: None,
            mode: if restricted { Mode::Immediate } else { mode },
            settled: false,
            limit,
        };
        if let Some(store) = store {
            if let Some(number) = store.prepared()? {
                if restricted {
                    return Ok(None);
                }
                settle(&store, number, model)?;
                backend.settled = true;
            }
            backend.store = Some(store);
        }
        Ok(Some(backend))
    }
}

impl Backend for FileBackend {
    fn bytes(&self, handle: &str) -> Result<Option<Result<Vec<u8>, Unreadable>>, Error> {
        match &self.store {
            Some(store) => Ok(store.bytes(handle)?),
            None => Ok(None),
        }
    }

    fn handles(&self) -> Result<Vec<String>, Error> {
        match &self.store {
            Some(store) => Ok(store.handles()?),
            None => Ok(Vec::new()),
        }
    }

    fn notices(&self) -> Result<Vec<Notice>, Error> {
        match &self.store {
            Some(store) => Ok(store.notices()?),
            None => Ok(Vec::new()),
        }
    }

    fn check(&self, value: &Value) -> Result<(), Unreadable> {
        charmhost_store::check(value, &mut Budget::new(self.limit))
    }

    /// Any bytes: only their number is bounded.
    fn check_bytes(&self, bytes: &[u8]) -> Result<(), Unreadable> {
        Budget::new(self.limit).charge(bytes.len())
    }

    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        if changes.is_empty() && !self.settled {
            return Ok(());
        }
        let store = match self.store.take() {
            Some(store) => store,
            None => Store::open(&self.path, self.limit)?,
        };
        if !changes.is_empty() {
            match self.mode {
                Mode::Immediate => store.apply(changes)?,
                Mode::Atomic => {
                    let number = number();
                    let state = format!("{}: \"{number}\"\n", Value::from(COMMIT));
                    model.state_set(&state).map_err(Error::Juju)?;
                    store.prepare(number, changes)?;
                }
            }
        }
        Ok(store.commit()?)
    }
}

/// Commits or rolls back prepared changes: Juju has their number if, and only
/// if, it has everything else that the dispatch did.
fn settle(store: &Store, number: i64, model: &mut Model) -> Result<(), Error> {
    let committed = model.state(COMMIT).map_err(Error::Undecided)?;
    if committed.trim() == number.to_string() {
        model.log(
            Level::Debug,
            "Committing local state of the previous hook: Juju committed it.",
        );
        return Ok(store.commit_prepared()?);
    }
    model.log(
        Level::Debug,
        "Rolling back local state of the previous hook: Juju did not commit it.",
    );
    Ok(store.rollback_prepared()?)
}

/// A number that was never used before, even if the file was lost since.
fn number() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
