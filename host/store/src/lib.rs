//! Local state of a charm, persisted between dispatches: deferred notices and
//! stored state (ops §5, design §4).
//!
//! A [`Backend`] is where the state is: ops's own SQLite file, so that a charm
//! can move from native Python to this host and back ([`SqliteBackend`]), Juju's
//! `state-get` and `state-set` ([`ControllerBackend`]), or memory
//! ([`MemoryBackend`]). A [`Transaction`] is what one dispatch does to it: it
//! buffers [`Changes`] and commits all of them at the end, or none.
//!
//! In atomic mode the changes are prepared first and committed or rolled back
//! by the next dispatch: a two-phase commit with Juju as the coordinator.

mod backend;
mod backend_choice;
mod changes;
pub mod controller;
mod deferred;
mod error;
mod event_counter;
mod json;
mod limits;
mod lock;
mod memory;
mod notice;
mod pickle;
mod sqlite;
mod transaction;
mod two_phase;
mod unreadable;

pub use backend::{Backend, Lookup, OpenOptions, WriteMode};
pub use backend_choice::{BackendKind, StateSettings};
pub use changes::Changes;
pub use controller::ControllerBackend;
pub use error::Error;
pub use limits::DEFAULT_LIMIT;
pub use memory::MemoryBackend;
pub use notice::Notice;
pub use sqlite::{SqliteBackend, StateFile};
pub use transaction::Transaction;
pub use two_phase::COMMIT_KEY;
pub use unreadable::Unreadable;

/// The name of the state file in the charm's directory.
pub const FILE_NAME: &str = ".unit-state.db";
