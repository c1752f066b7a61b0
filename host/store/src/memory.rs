//! Local state in memory, for sessions without a charm's directory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_juju::Model;

use crate::two_phase::{self, Decision, UNDECIDABLE};
use crate::{Backend, Changes, Error, Lookup, Notice, OpenOptions, WriteMode};

/// Local state of one unit in memory. Clones share it: a session gets a clone,
/// and the next session of the unit another. Unlike the other back ends it has no
/// lock: sessions of one unit must not overlap.
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
    options: OpenOptions,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Whether a dispatch has committed or prepared changes.
    exists: bool,
    snapshots: BTreeMap<String, Vec<u8>>,
    notices: Vec<Notice>,
    prepared: Option<(i64, Changes)>,
}

impl State {
    fn apply(&mut self, changes: &Changes) {
        for (handle, bytes) in changes.snapshots() {
            match bytes {
                Some(bytes) => self.snapshots.insert(handle.to_owned(), bytes.to_vec()),
                None => self.snapshots.remove(handle),
            };
        }
        self.notices = changes.notices(std::mem::take(&mut self.notices));
    }
}

impl MemoryBackend {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the guard can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for MemoryBackend {
    fn open(&mut self, options: OpenOptions, model: &mut Model) -> Result<(), Error> {
        self.options = options;
        let mut state = self.state();
        let Some((number, _)) = &state.prepared else {
            return Ok(());
        };
        if options.restricted {
            return Err(Error::Unavailable(UNDECIDABLE));
        }
        let decision = two_phase::decide(*number, model)?;
        if let Some((_, changes)) = state.prepared.take()
            && decision == Decision::Commit
        {
            state.apply(&changes);
        }
        Ok(())
    }

    fn exists(&self) -> bool {
        self.state().exists
    }

    fn bytes(&self, handle: &str) -> Lookup<Vec<u8>> {
        Ok(self.state().snapshots.get(handle).cloned().map(Ok))
    }

    fn handles(&self) -> Result<Vec<String>, Error> {
        Ok(self.state().snapshots.keys().cloned().collect())
    }

    fn notices(&self) -> Result<Vec<Notice>, Error> {
        Ok(self.state().notices.clone())
    }

    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        self.state().exists = true;
        match self.options.write_mode() {
            WriteMode::Immediate => self.state().apply(changes),
            WriteMode::Atomic => {
                let number = two_phase::announce(model)?;
                self.state().prepared = Some((number, changes.clone()));
            }
        }
        Ok(())
    }
}
