//! What one dispatch does to the local state: it is read before the guest runs
//! or on request, and written when the guest has succeeded, all of it or nothing
//! (ops §2.1, steps 8 and 12; ops §2.2; design §4).

use std::collections::BTreeSet;

use charmhost_framework::Queue;
use charmhost_juju::{Metadata, Model};
use serde_json::Value;

use crate::deferred;
use crate::event_counter;
use crate::limits::{Budget, MAX_NAME};
use crate::pickle;
use crate::{Backend, Changes, Error, Lookup, Notice, OpenOptions, Unreadable, json};

/// The local state during a dispatch. Reads see the changes that were made
/// before, and nothing is written before [`Transaction::commit`].
///
/// The state stays locked until the transaction is dropped. Drop it only when
/// Juju has the outcome of the hook: another dispatch must not begin earlier.
pub struct Transaction {
    backend: Box<dyn Backend>,
    changes: Changes,
    limit: usize,
    /// The event counter when the transaction began.
    counter: u64,
}

impl Transaction {
    /// Locks and opens the state, commits or rolls back prepared changes, and
    /// reads the queue. [`Error::Unavailable`] is no failure of the dispatch.
    pub fn begin(
        mut backend: Box<dyn Backend>,
        options: OpenOptions,
        metadata: &Metadata,
        model: &mut Model,
    ) -> Result<(Self, Queue), Error> {
        backend.open(options, model)?;
        let limit = options.limit;
        let notices = deferred::read(backend.as_ref(), limit, metadata, model)?;
        let counter = event_counter::read(backend.value(event_counter::HANDLE, limit)?);
        let transaction = Transaction {
            backend,
            changes: Changes::default(),
            limit,
            counter,
        };
        Ok((transaction, Queue::new(notices, counter)))
    }

    /// Whether an earlier dispatch of the unit left state, even if it is empty.
    pub fn exists(&self) -> bool {
        self.backend.exists()
    }

    /// The bytes under a handle.
    pub fn bytes(&self, handle: &str) -> Lookup<Vec<u8>> {
        match self.changes.snapshot(handle) {
            Some(bytes) => Ok(bytes.map(|bytes| Ok(bytes.to_vec()))),
            None => self.backend.bytes(handle),
        }
    }

    /// The value under a handle.
    pub fn value(&self, handle: &str) -> Lookup<Value> {
        let bytes = self.bytes(handle)?;
        Ok(bytes.map(|bytes| pickle::decode(&bytes?, &mut self.budget())))
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

    /// Encodes JSON text as ops saves values (ops §5.2). Rejects what could not
    /// be read again.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, Unreadable> {
        let value = json::parse(text.as_bytes(), &mut self.budget())?;
        self.backend.check(&value, self.limit)?;
        Ok(pickle::write(&value))
    }

    /// Saves the result of [`Transaction::encode`] under a handle.
    pub fn save_encoded(&mut self, handle: String, bytes: Vec<u8>) {
        self.changes.save(handle, bytes);
    }

    /// Saves bytes under a handle. Rejects what could not be read again.
    pub fn save_bytes(&mut self, handle: String, bytes: Vec<u8>) -> Result<(), String> {
        check_name("the path", &handle)?;
        let checked = self.backend.check_bytes(&bytes, self.limit);
        checked.map_err(|error| error.to_string())?;
        self.changes.save(handle, bytes);
        Ok(())
    }

    /// Checks that the data of a custom event could be read again if the event
    /// were deferred (ops §4.3, step 2).
    pub fn check_event(&self, snapshot: &str) -> Result<(), Unreadable> {
        json::check_text(snapshot, &mut self.budget())?;
        match serde_json::from_str(snapshot) {
            Ok(value) => self.backend.check(&value, self.limit),
            Err(_) => self.backend.check(&Value::from(snapshot), self.limit),
        }
    }

    /// Deletes the snapshot under a handle.
    pub fn delete(&mut self, handle: String) {
        self.changes.delete(handle);
    }

    /// Adds a notice at the end of the queue. Rejects one that could not be read
    /// again.
    pub fn add_notice(&mut self, notice: Notice) -> Result<(), String> {
        check_name("the event's path", &notice.event_path)?;
        check_name("the observer's path", &notice.observer_path)?;
        check_name("the method", &notice.method)?;
        self.changes.add_notice(notice);
        Ok(())
    }

    /// Drops every notice that is equal.
    pub fn drop_notice(&mut self, notice: Notice) {
        self.changes.drop_notice(notice);
    }

    /// Writes all changes, and those of the queue; once, as the last step of a
    /// dispatch. A dispatch that changed nothing writes nothing.
    pub fn commit(&mut self, queue: &Queue, model: &mut Model) -> Result<(), Error> {
        deferred::write(&mut self.changes, self.backend.as_ref(), self.limit, queue)?;
        // A guest that is its own framework saves its own counter.
        if !self.changes.is_empty() && queue.counter() != self.counter {
            let snapshot = self.value(event_counter::HANDLE)?;
            let snapshot = event_counter::write(snapshot, queue.counter());
            self.changes
                .save(event_counter::HANDLE.to_owned(), snapshot);
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
