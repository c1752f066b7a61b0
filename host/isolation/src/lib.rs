//! Worlds: places on this machine in which a charm does as it likes, as root,
//! and which leave the machine unchanged.
//!
//! A [`World`] has its own users, mounts, processes and, if wanted, network.
//! Its root directory shows the machine's files; what is written, changed or
//! deleted there is kept in memory, and is gone when the world stops, together
//! with every process that was started in it.
//!
//! The work is done by `confine`, a program with one thread, because only such
//! a program may enter a user namespace. [`World::command`] gives an ordinary
//! [`Command`](std::process::Command) that runs a program inside.
//!
//! Two ways lead to a world, and the kernel decides which:
//!
//! - As **root**, the world has every user of the machine, and its root may
//!   change every file.
//! - As **any other user**, through unprivileged user namespaces: the user is
//!   the world's root. Other users exist in it only if `/etc/subuid` and
//!   `/etc/subgid` grant some and `newuidmap` is installed. Files of the
//!   machine's root can be replaced and deleted in `/etc` and near the top of
//!   the other directories; elsewhere they are read-only, and a directory
//!   directly under `/` can be emptied but not removed.
//!
//! A world guards against accidents. It is no sandbox for hostile programs.

mod error;
mod ids;
mod probe;
mod root;
mod spec;
#[doc(hidden)]
pub mod wire;
mod world;

pub use error::{Error, Refusal};
pub use probe::probe;
pub use root::Root;
pub use spec::{Bind, Network, Spec};
pub use world::{World, confine_beside_this_program};
