//! The charm's local state between two dispatches: deferred events and what the
//! charm remembers, read before the guest runs or when it asks, and written
//! when it has succeeded, all of it or nothing.

mod base;
mod queue;

use charmhost_framework::{Kept, Queue};
use charmhost_juju::{Environment, Metadata, Model};
use charmhost_store::{Changes, Notice, Unreadable};
use serde_json::Value;

use crate::settings::StateSettings;
use base::Base;
pub(crate) use base::Error;

/// The local state of a dispatch.
pub(crate) struct Local {
    base: Base,
    before: Vec<Kept>,
    /// How many events were emitted before this dispatch.
    counted: u64,
    changes: Changes,
}

impl Local {
    /// Opens the state, and reads the queue.
    pub fn open(
        environment: &Environment,
        settings: &StateSettings,
        metadata: &Metadata,
        model: &mut Model,
    ) -> Result<(Self, Queue), Error> {
        let mut local = Local {
            base: Base::open(&environment.charm_dir, settings, model)?,
            before: Vec::new(),
            counted: 0,
            changes: Changes::default(),
        };
        let (kept, counter) = queue::read(&local, metadata, model)?;
        local.before = kept.clone();
        local.counted = counter;
        Ok((local, Queue::new(kept, counter)))
    }

    /// What is kept under a handle, as it is.
    pub fn bytes(&self, handle: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.changes.snapshot(handle) {
            Some(bytes) => Ok(bytes.map(<[u8]>::to_vec)),
            None => self.base.bytes(handle),
        }
    }

    /// The value under a handle; the inner error says why it cannot be read.
    pub fn value(&self, handle: &str) -> Result<Option<Result<Value, Unreadable>>, Error> {
        Ok(self
            .bytes(handle)?
            .map(|bytes| charmhost_store::decode(&bytes)))
    }

    /// The handles under which something is kept, sorted.
    pub fn handles(&self) -> Result<Vec<String>, Error> {
        let mut handles = self.base.handles()?;
        for (handle, bytes) in self.changes.snapshots() {
            handles.retain(|other| other != handle);
            if bytes.is_some() {
                handles.push(handle.to_owned());
            }
        }
        handles.sort();
        Ok(handles)
    }

    /// The events that are kept, in their order.
    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        Ok(self.changes.notices(self.base.notices()?))
    }

    /// Keeps a value under a handle, in the form of ops.
    pub fn save(&mut self, handle: String, value: &Value) {
        self.save_bytes(handle, charmhost_store::encode(value));
    }

    /// Keeps bytes under a handle.
    pub fn save_bytes(&mut self, handle: String, bytes: Vec<u8>) {
        self.changes.save(handle, bytes);
    }

    /// Forgets what is kept under a handle.
    pub fn forget(&mut self, handle: String) {
        self.changes.forget(handle);
    }

    /// Keeps an event, behind the others.
    pub fn add_notice(&mut self, notice: Notice) {
        self.changes.add_notice(notice);
    }

    /// Forgets an event.
    pub fn drop_notice(&mut self, notice: Notice) {
        self.changes.drop_notice(notice);
    }

    /// Writes what has changed, in one transaction. A dispatch that changed
    /// nothing writes nothing.
    pub fn write(mut self, queue: &Queue, model: &mut Model) -> Result<(), Error> {
        let is_queue_changed = queue.is_changed();
        if !is_queue_changed && self.changes.is_empty() {
            return Ok(());
        }
        if is_queue_changed {
            let before = std::mem::take(&mut self.before);
            queue::write(&mut self, &before, queue)?;
        }
        // A guest that is its own framework counts for itself.
        if queue.counter() != self.counted {
            queue::count(&mut self, queue)?;
        }
        self.base.write(&self.changes, model)
    }
}
