//! What every back end of local state can do.

use charmhost_juju::Model;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{Budget, check};
use crate::pickle;
use crate::{Changes, Error, Notice, Unreadable};

/// When the changes of a dispatch become durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// When they are written, at the end of the dispatch, as with ops.
    #[default]
    Immediate,
    /// If and only if Juju applies the buffered writes of the same hook:
    /// relation data, secrets, ports. State that Juju stores is always atomic.
    Atomic,
}

/// How the state is opened for one hook.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// Whether the hook is restricted: it cannot use `state-get` (ops §2.5).
    pub restricted: bool,
    /// When changes become durable.
    pub mode: WriteMode,
    /// The most memory that one value may take, and the data of all deferred
    /// events together, in bytes.
    pub limit: usize,
}

impl OpenOptions {
    /// The mode for this hook. A restricted hook writes immediately in atomic
    /// mode too: Juju buffers nothing there that the state could contradict.
    pub(crate) fn write_mode(&self) -> WriteMode {
        match self.restricted {
            true => WriteMode::Immediate,
            false => self.mode,
        }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            restricted: false,
            mode: WriteMode::Immediate,
            limit: crate::DEFAULT_LIMIT,
        }
    }
}

/// The result of reading a row: none if there is no such row. The outer error is
/// the back end's; the inner one is why this row cannot be read.
pub type Lookup<T> = Result<Option<Result<T, Unreadable>>, Error>;

/// A place that local state is persisted in: snapshots by handle, and notices
/// in their order. A [`Transaction`](crate::Transaction) opens it before
/// anything else and commits at most once.
pub trait Backend: Send {
    /// Locks the state and opens it for a hook. The lock is held until the back
    /// end is dropped: another dispatch of the unit must not begin before Juju
    /// has the outcome of this one.
    ///
    /// [`Error::Unavailable`] if the state cannot be used in a restricted hook.
    fn open(&mut self, options: OpenOptions, model: &mut Model) -> Result<(), Error>;

    /// Whether an earlier dispatch of the unit left state, even if it is empty.
    fn exists(&self) -> bool;

    /// The bytes under a handle.
    fn bytes(&self, handle: &str) -> Lookup<Vec<u8>>;

    /// The value under a handle; decoding may take up to `limit` bytes of memory.
    fn value(&self, handle: &str, limit: usize) -> Lookup<Value> {
        let bytes = self.bytes(handle)?;
        Ok(bytes.map(|bytes| pickle::decode(&bytes?, &mut Budget::new(limit))))
    }

    /// The handles that have a snapshot, sorted.
    fn handles(&self) -> Result<Vec<String>, Error>;

    /// The notices, in their order.
    fn notices(&self) -> Result<Vec<Notice>, Error>;

    /// Checks that a value can be read again once it is saved.
    fn check(&self, value: &Value, limit: usize) -> Result<(), Unreadable> {
        check(value, &mut Budget::new(limit))
    }

    /// Checks that bytes can be read again once they are saved. Only their
    /// number is bounded where bytes are stored as they are.
    fn check_bytes(&self, bytes: &[u8], limit: usize) -> Result<(), Unreadable> {
        Budget::new(limit).charge(bytes.len())
    }

    /// Makes changes durable: at once, or, in atomic mode, with Juju's commit of
    /// the hook.
    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error>;
}
