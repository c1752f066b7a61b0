//! Configuration of an isolated root.

use std::path::PathBuf;

use super::IsolatedRoot;

/// Configuration of an [`IsolatedRoot`].
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// Path of the `confine` program; see
    /// [`confine_beside_this_program`](crate::confine_beside_this_program).
    pub confine: PathBuf,
    /// Parent of a directory for written files, used where the kernel cannot
    /// keep them in memory (before Linux 6.6, for a user who is not root). That
    /// directory is removed when the isolated root stops.
    pub scratch: PathBuf,
    /// Files and directories of the machine to bind-mount, in this order.
    pub binds: Vec<Bind>,
    /// Host name inside.
    pub hostname: String,
    /// Network inside.
    pub network: Network<'a>,
}

/// A bind mount: a file or directory of the machine that is shared, so that
/// changes made inside are visible outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Path on the machine. It must exist.
    pub source: PathBuf,
    /// Path inside. It is created if it does not exist.
    pub target: PathBuf,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Network of an isolated root.
#[derive(Debug, Clone, Copy)]
pub enum Network<'a> {
    /// The machine's. Ports below 1024 cannot be listened on.
    Host,
    /// A new one with only a loopback interface.
    Private,
    /// That of another isolated root, together with its users: containers of
    /// one pod. It remains when the other one stops.
    Joined(&'a IsolatedRoot),
}
