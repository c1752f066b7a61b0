//! The protocol between a charm and its Juju agent, over which hook tools run:
//! Go's `net/rpc` with gob, both sides of it.
//!
//! The agent opens a socket for each hook and closes it afterwards, and its
//! close waits until every connection is gone: drop a [`Connection`] before
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

/// What the agent answers when a tool reads its input and the call had none.
pub const REQUIRES_STDIN: &str = "hook tool requires stdin, none supplied";
