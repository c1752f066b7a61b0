//! The protocol between a charm and its Juju agent, over which hook tools run:
//! both sides of Go's `net/rpc` with gob (juju §2).
//!
//! The agent opens a socket for each hook and closes it afterwards, and its
//! closing waits until every connection is closed: drop a [`Connection`] before
//! the hook ends. Sockets are close-on-exec, so no child inherits one.

mod address;
mod client;
mod error;
mod gob;
mod server;
mod stream;
mod timer;
mod wire;

pub use address::Address;
pub use client::{Connection, Sent};
pub use error::Error;
pub use gob::{MAX_MESSAGE, Malformed};
pub use server::serve_connection;
pub use stream::TimedStream;
pub use timer::{CallTimer, Expired};
pub use wire::{Call, Reply, Request};

/// The agent's error message when a tool reads its standard input and the call
/// has none (juju §2.2).
pub const REQUIRES_STDIN: &str = "hook tool requires stdin, none supplied";
