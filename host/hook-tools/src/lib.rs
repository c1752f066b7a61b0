//! Juju's hook tools.
//!
//! Every tool and flag is data ([`TOOLS`]), with one parser for arguments
//! ([`parse`]): for what a guest may pass ([`Policy`]), for the simulated agent,
//! and for the list in `TOOLS.md`. Tools are called through a [`Transport`]: the
//! agent's socket or programs ([`AgentTransport`]), or memory.

mod agent;
mod error;
mod exec;
mod flags;
mod frame;
mod memory;
mod policy;
mod rpc;
mod spawn;
mod spawner;
mod table;
mod transport;
mod version;

pub use agent::{AgentSocket, AgentTransport, Options};
pub use charmhost_jujuc::CallTimer;
pub use error::ToolError;
pub use exec::ExecTransport;
pub use flags::{Flag, Kind, ParseError, Parsed, parse, parse_bool, unrecognized};
pub use memory::MemoryTransport;
pub use policy::{Denied, Policy, names_file};
pub use rpc::RpcTransport;
pub use spawn::{DirectSpawn, Spawn, SpawnError};
pub use spawner::ForkedSpawn;
pub use table::{Arguments, Output, TOOLS, Tool, tool};
pub use transport::{MAX_ARGUMENT, ToolOutput, Transport, TransportError};
pub use version::Version;
