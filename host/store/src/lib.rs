//! The local state of a charm, in the file, the tables and the values of ops,
//! so that a charm can move from native Python to this host and back.
//!
//! A [`StateLock`] keeps other dispatches of the unit out, from the first look
//! at the state on. A [`Store`] is one transaction of the state file:
//! everything since it was opened becomes durable with [`Store::commit`], or
//! nothing does. Changes can also be prepared, to be committed or rolled back
//! when Juju has decided, see [`Store::prepare`].

mod changes;
mod error;
pub mod json;
pub mod juju;
mod limits;
mod lock;
mod notice;
mod open;
mod pickle;
mod store;
mod two_phase;

pub use changes::Changes;
pub use error::Error;
pub use limits::{Budget, DEFAULT_LIMIT, MAX_NAME, check};
pub use lock::StateLock;
pub use notice::Notice;
pub use open::exists;
pub use pickle::{Unreadable, decode, write as encode};
pub use store::Store;

/// The key under which Juju stores the number of the last changes in atomic
/// mode that it has committed.
pub const COMMIT: &str = "charmhost-commit";

/// The file's name in the charm's directory.
pub const FILE_NAME: &str = ".unit-state.db";
