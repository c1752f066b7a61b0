//! What [`World`](crate::World) and `confine` say to each other: a
//! configuration on the command line, and one JSON document per line back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What `confine hold` makes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// The world's host name.
    pub hostname: String,
    /// The world's network.
    pub network: Network,
    /// What of the machine is shared with the world.
    pub binds: Vec<Bind>,
    /// Where written files are kept; in memory if none is given.
    pub scratch: Option<PathBuf>,
}

/// The world's network.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Network {
    /// The machine's.
    Host,
    /// A new one.
    Private,
    /// That of the world whose first process has this id.
    Joined(u32),
}

/// A file or directory of the machine that the world shares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bind {
    /// The machine's path.
    pub source: PathBuf,
    /// The world's path.
    pub target: PathBuf,
    /// Whether the world may only read it.
    pub read_only: bool,
}

/// What `confine hold` reports while it makes a world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// A process is in a new user namespace, and waits for a byte on its
    /// standard input that says that its ids are mapped.
    Unmapped {
        /// Its id outside of the world.
        pid: u32,
        /// Whether the machine's root has made it.
        root: bool,
    },
    /// The world is ready.
    Ready {
        /// The id of its first process outside of it.
        pid: u32,
    },
    /// There will be no world.
    Failed(Failure),
}

/// What could not be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The step at which it failed.
    pub step: Step,
    /// What was attempted: "cannot mount …".
    pub what: String,
    /// The kernel's error number.
    pub errno: i32,
}

/// The steps of making a world that are refused for different reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Entering new namespaces.
    Namespaces,
    /// Keeping an overlay's marks on files in memory.
    MarksInMemory,
    /// Showing the machine's files through overlays.
    Overlay,
    /// Showing the world's own processes at `/proc`.
    Proc,
    /// Sharing a file or directory of the machine.
    Bind,
    /// Anything else.
    Other,
}
