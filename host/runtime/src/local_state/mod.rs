//! Local state persisted between dispatches: deferred notices and stored state,
//! read before the guest runs or when it asks, and written when it has
//! succeeded, all of it or nothing (design §4).

mod file;
mod juju;
mod queue;

use std::collections::BTreeSet;

use charmhost_framework::Queue;
use charmhost_hook_tools::ToolError;
use charmhost_juju::{Environment, Metadata, Model};
use charmhost_store::{Budget, Changes, MAX_NAME, Notice, StateLock, Unreadable};
use serde_json::Value;

use crate::settings::{StateSettings, Storage};

/// Why the local state cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The state file or its lock.
    #[error(transparent)]
    File(#[from] charmhost_store::Error),
    /// Juju does not say whether the previous hook counts.
    #[error(
        "cannot determine whether Juju committed the previous hook: {0}; without that its local state (state.mode = \"atomic\") can be neither used nor discarded"
    )]
    Undecided(ToolError),
    /// A hook tool for state that Juju stores.
    #[error("cannot use the state that Juju stores")]
    Juju(#[source] ToolError),
    /// Juju stores something else than what ops or this host writes.
    #[error("cannot use the state that Juju stores under {key:?}")]
    Unreadable {
        /// The key.
        key: String,
        /// Why.
        source: Unreadable,
    },
}

/// A place that local state is persisted in.
trait Backend: Send {
    /// The bytes under a handle; the inner error says why they cannot be read.
    fn bytes(&self, handle: &str) -> Result<Option<Result<Vec<u8>, Unreadable>>, Error>;

    /// The handles that have a snapshot.
    fn handles(&self) -> Result<Vec<String>, Error>;

    /// The notices, in their order.
    fn notices(&self) -> Result<Vec<Notice>, Error>;

    /// Checks that a value could be read again.
    fn check(&self, value: &Value) -> Result<(), Unreadable>;

    /// Checks that bytes could be read again.
    fn check_bytes(&self, bytes: &[u8]) -> Result<(), Unreadable>;

    /// Makes changes durable: at once, or with everything else that Juju
    /// commits when the hook has succeeded. Called once.
    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error>;
}

/// The local state when a dispatch begins.
pub(crate) enum Opened {
    /// It can be read and written.
    Ready(Box<(LocalState, Queue)>),
    /// It cannot be used in this context, for this reason; the event is to be
    /// ignored, as ops ignores it (ops §2.5).
    Unavailable(&'static str),
}

/// The local state of a dispatch.
pub(crate) struct LocalState {
    backend: Box<dyn Backend>,
    /// How many events were emitted before this dispatch.
    counter: u64,
    changes: Changes,
    /// How much memory one value may take, in bytes.
    limit: usize,
    /// Held until the process ends: a second dispatch must not begin before
    /// Juju has the outcome of this one.
    _lock: StateLock,
}

impl LocalState {
    /// Locks and opens the state, and reads the queue. `limit` is how much
    /// memory one value may take, and the data of all deferred events, in
    /// bytes.
    pub fn open(
        environment: &Environment,
        settings: &StateSettings,
        metadata: &Metadata,
        model: &mut Model,
        limit: usize,
    ) -> Result<Opened, Error> {
        let restricted = environment.is_restricted();
        let charm_dir = &environment.charm_dir;
        let lock = StateLock::acquire(charm_dir)?;
        let backend: Box<dyn Backend> = match settings.storage {
            Storage::Juju if restricted => {
                return Ok(Opened::Unavailable("Juju stores no state in its context"));
            }
            Storage::Juju => Box::new(juju::JujuBackend::open(model, limit)?),
            Storage::File => {
                match file::FileBackend::open(charm_dir, settings.mode, restricted, model, limit)? {
                    Some(backend) => Box::new(backend),
                    None => {
                        return Ok(Opened::Unavailable(
                            "whether Juju committed the previous hook cannot be determined in its context, and its local state depends on that",
                        ));
                    }
                }
            }
        };
        let mut local = LocalState {
            backend,
            counter: 0,
            changes: Changes::default(),
            limit,
            _lock: lock,
        };
        let (notices, counter) = queue::read(&local, metadata, model)?;
        local.counter = counter;
        let queue = Queue::new(notices, counter);
        Ok(Opened::Ready(Box::new((local, queue))))
    }

    /// The bytes under a handle, as they are; the inner error says why they
    /// cannot be read.
    pub fn bytes(&self, handle: &str) -> Result<Option<Result<Vec<u8>, Unreadable>>, Error> {
        match self.changes.snapshot(handle) {
            Some(bytes) => Ok(bytes.map(|bytes| Ok(bytes.to_vec()))),
            None => self.backend.bytes(handle),
        }
    }

    /// The value under a handle; the inner error says why it cannot be read.
    pub fn value(&self, handle: &str) -> Result<Option<Result<Value, Unreadable>>, Error> {
        let bytes = self.bytes(handle)?;
        Ok(bytes.map(|bytes| charmhost_store::decode(&bytes?, &mut self.budget())))
    }

    /// The handles that have a snapshot, sorted.
    pub fn handles(&self) -> Result<Vec<String>, Error> {
        let mut handles: BTreeSet<String> = self.backend.handles()?.into_iter().collect();
        for (handle, bytes) in self.changes.snapshots() {
            match bytes {
                Some(_) => handles.insert(handle.to_owned()),
                None => handles.remove(handle),
            };
        }
        Ok(handles.into_iter().collect())
    }

    /// The notices, in their order.
    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        Ok(self.changes.notices(self.backend.notices()?))
    }

    /// JSON text in the form in which ops saves it. What could not be read
    /// again is rejected.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, Unreadable> {
        let value = charmhost_store::json::parse(text.as_bytes(), &mut self.budget())?;
        self.backend.check(&value)?;
        Ok(charmhost_store::encode(&value))
    }

    /// Saves what was encoded under a handle.
    pub fn save_encoded(&mut self, handle: String, bytes: Vec<u8>) {
        self.changes.save(handle, bytes);
    }

    /// Saves bytes under a handle. What could not be read again is rejected.
    pub fn save_bytes(&mut self, handle: String, bytes: Vec<u8>) -> Result<(), String> {
        check_name("the path", &handle)?;
        let checked = self.backend.check_bytes(&bytes);
        checked.map_err(|error| error.to_string())?;
        self.changes.save(handle, bytes);
        Ok(())
    }

    /// Checks that the data of a custom event could be read again if the event
    /// were deferred.
    pub fn check_event(&self, snapshot: &str) -> Result<(), Unreadable> {
        charmhost_store::json::check_text(snapshot, &mut self.budget())?;
        match serde_json::from_str(snapshot) {
            Ok(value) => self.backend.check(&value),
            Err(_) => self.backend.check(&Value::from(snapshot)),
        }
    }

    /// Deletes the snapshot under a handle.
    pub fn delete(&mut self, handle: String) {
        self.changes.delete(handle);
    }

    /// Adds a notice behind the others. One that could not be read again is
    /// rejected.
    pub fn add_notice(&mut self, notice: Notice) -> Result<(), String> {
        check_name("the event's path", &notice.event_path)?;
        check_name("the observer's path", &notice.observer_path)?;
        check_name("the method", &notice.method)?;
        self.changes.add_notice(notice);
        Ok(())
    }

    /// Drops a notice.
    pub fn drop_notice(&mut self, notice: Notice) {
        self.changes.drop_notice(notice);
    }

    /// Writes what has changed, in one transaction; once, at the end of the
    /// dispatch. A dispatch that changed nothing writes nothing.
    pub fn commit(&mut self, queue: &Queue, model: &mut Model) -> Result<(), Error> {
        queue::write(self, queue)?;
        // A guest that is its own framework counts for itself.
        if !self.changes.is_empty() && queue.counter() != self.counter {
            queue::count(self, queue)?;
        }
        self.backend.commit(&self.changes, model)
    }

    fn budget(&self) -> Budget {
        Budget::new(self.limit)
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    match name.len() <= MAX_NAME {
        true => Ok(()),
        false => Err(format!("{what} has more than {} KiB", MAX_NAME >> 10)),
    }
}
