//! The functions that a guest imports: each module translates between one
//! interface's generated types and the domain's, and decides nothing.

mod actions;
mod config;
mod context;
mod events;
mod framework;
mod hook_tools;
mod log;
mod pebble;
mod ports;
mod relations;
mod status;
mod store;
mod stored_state;
mod unit;

use charmhost_hook_tools::ToolError;
use charmhost_sandbox::HostMemoryExceeded;

use crate::bindings::{errors, events as wit_events};
use crate::state::State;

pub(crate) use errors::Error;

impl errors::Host for State {}
impl wit_events::Host for State {}

/// The host holds as much as it may for the guest.
fn full(error: HostMemoryExceeded) -> Error {
    Error::Other(error.to_string())
}

/// The cases that a charm can act on.
fn error(error: ToolError) -> Error {
    let text = error.to_string();
    match error {
        ToolError::NotLeader { .. } => Error::NotLeader(text),
        ToolError::PermissionDenied { .. } => Error::PermissionDenied(text),
        ToolError::RelationGone { .. } => Error::RelationGone(text),
        ToolError::NotFound { .. } | ToolError::UnknownTool { .. } => Error::NotFound(text),
        ToolError::InvalidInput { .. } => Error::InvalidInput(text),
        ToolError::Timeout { .. } => Error::Timeout(text),
        ToolError::Denied { .. } => Error::Denied(errors::Denial {
            message: text,
            grant: String::new(),
        }),
        _ => Error::Other(text),
    }
}
