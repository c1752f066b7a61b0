//! The imports of a guest: each module translates between the generated types of
//! one interface and those of the domain, and decides nothing.

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

/// The error of a guest for which the host holds too much.
fn full(error: HostMemoryExceeded) -> Error {
    Error::Other(error.to_string())
}

/// Maps the error of a hook tool to the case that a charm can act on (ops §8).
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
