//! What a world is to be.

use std::path::PathBuf;

use crate::World;

/// What a [`World`] is to be.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// The `confine` program; see
    /// [`confine_beside_this_program`](crate::confine_beside_this_program).
    pub confine: PathBuf,
    /// A directory for what the world writes, where the kernel cannot keep it
    /// in memory (before Linux 6.6, for a user who is not root). What is written
    /// there is removed when the world stops.
    pub scratch: PathBuf,
    /// What of the machine the world shares, in the order in which it appears.
    pub binds: Vec<Bind>,
    /// The world's host name.
    pub hostname: String,
    /// The world's network.
    pub network: Network<'a>,
}

/// A file or directory of the machine that a world shares: changes made inside
/// are made outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The machine's path. It must exist.
    pub source: PathBuf,
    /// The world's path. It is made if it does not exist.
    pub target: PathBuf,
    /// Whether the world may only read it.
    pub read_only: bool,
}

/// Which network a world has.
#[derive(Debug, Clone, Copy)]
pub enum Network<'a> {
    /// The machine's. Ports below 1024 cannot be listened on.
    Host,
    /// Its own, with nothing but a loopback interface.
    Private,
    /// That of another world, together with its users: containers of one pod.
    /// It stays when the other world stops.
    Joined(&'a World),
}
