//! A charm's local state, in the file, the tables and the values of ops, so
//! that a charm can move from native Python to this host and back.
//!
//! A [`Store`] is one transaction: everything since it was opened becomes
//! durable with [`Store::commit`], or nothing does. While it is open, nobody
//! else can read or write the file. Changes can also be held back until
//! somebody else has decided, see [`Store::hold`].

mod changes;
pub mod juju;
mod pickle;
mod store;

pub use changes::Changes;
pub use pickle::{Unreadable, decode, write as encode};
pub use store::{Error, Notice, Store};

/// The key under which Juju keeps the number of the last changes in atomic mode
/// that it has seen to their end.
pub const COMMIT: &str = "charmhost-commit";

/// The file's name in the charm's directory.
pub const FILE_NAME: &str = ".unit-state.db";
