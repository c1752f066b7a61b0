//! Root directories, namespaces and users in which a charm runs as root and
//! leaves this machine unchanged.
//!
//! An [`IsolatedRoot`] has its own users, mounts, processes and, if requested,
//! network. Its `/` is an overlay of the machine's files: writes, changes and
//! deletions go to an upper directory in memory, which is discarded when the
//! isolated root stops, together with every process that was started in it.
//!
//! The work is done by `confine`, a single-threaded program, because only such
//! a program may enter a user namespace. [`IsolatedRoot::command`] returns an
//! ordinary [`Command`](std::process::Command) that runs a program inside.
//!
//! The kernel decides which of two ways is possible:
//!
//! - As **root**: every user of the machine exists inside, and root inside may
//!   change every file.
//! - As **any other user**, through unprivileged user namespaces: that user is
//!   root inside. Other users exist inside only if `/etc/subuid` and
//!   `/etc/subgid` grant a range and `newuidmap` is installed. Files that root
//!   owns on the machine can be replaced and deleted in `/etc` and in the first
//!   levels of the other directories; elsewhere they are read-only, and a
//!   directory directly below `/` can be emptied but not removed.
//!
//! This protects from accidents. It is no sandbox for hostile programs.

mod advice;
mod error;
mod ids;
mod isolated_root;
mod root;
#[doc(hidden)]
pub mod wire;

pub use error::{Error, Refusal};
pub use isolated_root::{Bind, IsolatedRoot, Network, Spec, confine_beside_this_program};
pub use root::Root;
