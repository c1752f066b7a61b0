//! Errors of the back ends.

use std::path::PathBuf;

use charmhost_hook_tools::ToolError;

use crate::Unreadable;
use crate::limits::{LOCK_TIMEOUT, QUERY_TIME, size};

/// Why the local state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its directory cannot be opened or created.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file or the directory.
        path: PathBuf,
        /// The reason from the system.
        source: std::io::Error,
    },
    /// Another process has locked it.
    #[error("cannot open {}: it is locked by another process (waited {} s)", .0.display(), LOCK_TIMEOUT.as_secs())]
    Locked(PathBuf),
    /// Something else is at the path of the state file or of its journal.
    #[error(
        "cannot open {}: it is {kind}, not a regular file; remove it, or put the state file itself there",
        path.display()
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The database has a trigger, or something other than a table in place of
    /// a table.
    #[error(
        "cannot use {}: it contains the {kind} {name:?}, which neither charmhost nor ops creates; drop it with sqlite3",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// `trigger`, `view` or `virtual table`.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A query took too much processor time.
    #[error(
        "cannot use {}: a query took more than {} s of processor time; the file is damaged or far too large, restore it from a backup or move it away",
        .0.display(),
        QUERY_TIME.as_secs()
    )]
    Slow(PathBuf),
    /// The queue is too large.
    #[error(
        "cannot use {}: its deferred events take more than {} of memory; raise limits.host-buffer-mib in charmhost.toml, or delete rows of its table notice",
        path.display(),
        size(*limit)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: usize,
    },
    /// SQLite cannot read or write it.
    #[error("cannot use {}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The reason from SQLite; part of the message, as its own message
        /// contains its source.
        reason: rusqlite::Error,
    },
    /// The state cannot be used in a restricted hook, for this reason: the event
    /// is to be ignored, and the dispatch exits 0, as with ops (ops §2.5).
    #[error("cannot use the local state in a restricted hook: {0}")]
    Unavailable(&'static str),
    /// `state-get` failed, so that prepared changes can be neither committed nor
    /// rolled back.
    #[error(
        "cannot determine whether Juju committed the previous hook: {0}; without that its local state (state.mode = \"atomic\") can be neither used nor discarded"
    )]
    Undecided(ToolError),
    /// A hook tool for state that Juju stores failed.
    #[error("cannot use the state that Juju stores")]
    Juju(#[source] ToolError),
    /// Juju stores something else than what ops or this host writes.
    #[error("cannot use the state that Juju stores under {key:?}")]
    Unreadable {
        /// The key.
        key: String,
        /// Why it cannot be read.
        source: Unreadable,
    },
}
