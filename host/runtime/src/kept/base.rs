//! Where the local state is kept: in a file of the unit, or by Juju.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use charmhost_hook_tools::ToolError;
use charmhost_juju::{Level, Model};
use charmhost_store::{COMMIT, Changes, Notice, Store, Unreadable, juju};

use crate::settings::{Mode, StateSettings, Storage};

/// What can go wrong with the local state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file.
    #[error(transparent)]
    File(#[from] charmhost_store::Error),
    /// Juju does not say whether the last dispatch counts.
    #[error("cannot tell whether Juju has kept what the last dispatch changed: {0}")]
    Undecided(ToolError),
    /// Juju does not keep the state.
    #[error("cannot use the state that Juju keeps: {0}")]
    Juju(ToolError),
    /// What is kept is not what was written.
    #[error("cannot use the state that Juju keeps under {key:?}: {source}")]
    Unreadable {
        /// Where.
        key: String,
        /// Why.
        source: Unreadable,
    },
}

/// Where the state is.
pub(super) enum Base {
    File {
        path: PathBuf,
        /// None while there is no file.
        store: Option<Store>,
        mode: Mode,
    },
    /// What Juju keeps, by key.
    Juju(BTreeMap<String, String>),
}

impl Base {
    /// Opens the file if there is one, or asks Juju.
    pub fn open(
        charm_dir: &Path,
        settings: &StateSettings,
        model: &mut Model,
    ) -> Result<Self, Error> {
        if settings.storage == Storage::Juju {
            return Ok(Base::Juju(model.state_all().map_err(Error::Juju)?));
        }
        let path = charm_dir.join(charmhost_store::FILE_NAME);
        let store = match path.exists() {
            true => Some(settle(Store::open(&path)?, &path, model)?),
            false => None,
        };
        Ok(Base::File {
            path,
            store,
            mode: settings.mode,
        })
    }

    pub fn bytes(&self, handle: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Base::File { store, .. } => match store {
                Some(store) => Ok(store.bytes(handle)?),
                None => Ok(None),
            },
            Base::Juju(state) => {
                let Some(text) = state.get(handle).filter(|text| !text.trim().is_empty()) else {
                    return Ok(None);
                };
                // One form for both: what cannot be read is told as such later.
                let bytes = match juju::value(text) {
                    Ok(value) => charmhost_store::encode(&value),
                    Err(_) => text.clone().into_bytes(),
                };
                Ok(Some(bytes))
            }
        }
    }

    pub fn handles(&self) -> Result<Vec<String>, Error> {
        match self {
            Base::File { store, .. } => match store {
                Some(store) => Ok(store.handles()?),
                None => Ok(Vec::new()),
            },
            Base::Juju(state) => {
                let own = [juju::NOTICES, COMMIT];
                let handles = state.keys().filter(|key| !own.contains(&key.as_str()));
                Ok(handles.cloned().collect())
            }
        }
    }

    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        match self {
            Base::File { store, .. } => match store {
                Some(store) => Ok(store.notices()?),
                None => Ok(Vec::new()),
            },
            Base::Juju(state) => {
                let text = state.get(juju::NOTICES).map_or("", String::as_str);
                juju::notices(text).map_err(|source| Error::Unreadable {
                    key: juju::NOTICES.to_owned(),
                    source,
                })
            }
        }
    }

    /// Makes changes durable: at once, or with everything else that Juju keeps
    /// when the hook has succeeded.
    pub fn write(self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        match self {
            Base::File { path, store, mode } => {
                let store = match store {
                    Some(store) => store,
                    None => Store::open(&path)?,
                };
                match mode {
                    Mode::Immediate => store.apply(changes)?,
                    Mode::Atomic => {
                        let number = number();
                        let state = format!("{}: \"{number}\"\n", serde_json::Value::from(COMMIT));
                        model.state_set(&state).map_err(Error::Juju)?;
                        store.hold(number, changes)?;
                    }
                }
                Ok(store.commit()?)
            }
            Base::Juju(_) => {
                let before = self.notices()?;
                let (input, deleted) =
                    juju::write(changes, before).map_err(|source| Error::Unreadable {
                        key: "what is to be saved".to_owned(),
                        source,
                    })?;
                if !input.is_empty() {
                    model.state_set(&input).map_err(Error::Juju)?;
                }
                for key in deleted {
                    model.state_delete(key).map_err(Error::Juju)?;
                }
                Ok(())
            }
        }
    }
}

/// Decides what becomes of the changes that the last dispatch held back: Juju
/// has kept their number if, and only if, it has kept everything else that the
/// dispatch did.
fn settle(store: Store, path: &Path, model: &mut Model) -> Result<Store, Error> {
    let Some(number) = store.held()? else {
        return Ok(store);
    };
    let kept = model.state(COMMIT).map_err(Error::Undecided)?;
    let keep = kept.trim() == number.to_string();
    store.settle(keep)?;
    store.commit()?;
    let what = match keep {
        true => "Keeping what the last dispatch changed, as Juju has.",
        false => "Forgetting what the last dispatch changed, as Juju has.",
    };
    model.log(Level::Debug, what);
    Ok(Store::open(path)?)
}

/// A number that was never used before, even if the file was lost since.
fn number() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
