//! Juju's hook tools.
//!
//! Every tool and flag is data ([`TOOLS`]), with one parser for arguments
//! ([`parse`]) that serves the policy for guests ([`Policy`]), the simulated
//! agent, and the list in `TOOLS.md`. Tools are called through a [`Transport`]:
//! over the agent's socket or as programs ([`AgentTransport`]), or in memory.

mod agent;
mod exec;
mod file_arguments;
mod flags;
mod frame;
mod limits;
mod log;
mod memory;
mod policy;
mod private_files;
mod relation_gone;
mod rpc;
mod secret_values;
mod spawn;
mod spawner;
mod stderr_writer;
mod table;
mod tool_error;
mod transport;
mod version;

pub use agent::{AgentOptions, AgentSocket, AgentTransport};
pub use charmhost_jujuc::CallTimer;
pub use exec::ExecTransport;
pub use file_arguments::{FileArgument, FileArgumentError, FileArguments};
pub use flags::{Flag, FlagKind, ParseError, Parsed, parse, parse_bool, unrecognized};
pub use limits::MAX_ARGUMENT;
pub use log::Level;
pub use memory::MemoryTransport;
pub use policy::{Denied, Policy, names_file};
pub use private_files::{PrivateFile, PrivateFiles};
pub use rpc::RpcTransport;
pub use secret_values::{is_secret_value, secret_value};
pub use spawn::{DirectSpawn, Spawn, SpawnError};
pub use spawner::ForkedSpawn;
pub use stderr_writer::Stderr;
pub use table::{Arguments, LOG_TOOL, Output, Subject, TOOLS, Tool, tool};
pub use tool_error::ToolError;
pub use transport::{ToolOutput, Transport, TransportError};
pub use version::Version;
