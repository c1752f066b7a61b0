//! Messages between [`IsolatedRoot`](crate::IsolatedRoot) and `confine`: a
//! configuration on the command line, and one JSON document per line back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Configuration for `confine supervise`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// Host name inside.
    pub hostname: String,
    /// Network inside.
    pub network: Network,
    /// Bind mounts, in this order.
    pub binds: Vec<Bind>,
    /// Directory for written files; they stay in memory if there is none.
    pub scratch: Option<PathBuf>,
}

/// Network of an isolated root.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Network {
    /// The machine's.
    Host,
    /// A new one.
    Private,
    /// That of the isolated root whose first process has this id.
    Joined(u32),
}

/// A bind mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bind {
    /// Path on the machine.
    pub source: PathBuf,
    /// Path inside.
    pub target: PathBuf,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Progress that `confine supervise` reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// A process is in a new user namespace, and waits for a byte on its
    /// standard input that confirms that its ids are mapped.
    Unmapped {
        /// Its id in the machine's process namespace.
        pid: u32,
        /// Whether the machine's root created the namespace.
        root: bool,
    },
    /// The isolated root is ready.
    Ready {
        /// Id of its first process in the machine's process namespace.
        pid: u32,
    },
    /// It could not be set up.
    Failed(Failure),
}

/// A failed operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The step at which it failed.
    pub step: Step,
    /// The attempted operation: "cannot mount …".
    pub what: String,
    /// The kernel's error number.
    pub errno: i32,
}

/// Steps of the set-up that fail for different reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Entering new namespaces.
    Namespaces,
    /// Setting an overlay's extended attributes on files in memory.
    TmpfsXattrs,
    /// Mounting overlays of the machine's files.
    Overlay,
    /// Mounting a new `/proc`.
    Proc,
    /// Bind-mounting a file or directory of the machine.
    Bind,
    /// Anything else.
    Other,
}
