//! The imports of a guest: each module translates between the generated types of
//! one interface and those of the domain, and decides nothing.

#![allow(
    clippy::result_large_err,
    reason = "the WIT decides the size of an error"
)]

mod actions;
pub(crate) mod bindings;
mod config;
mod context;
mod crash;
mod entry;
mod events;
mod framework;
mod hook_tools;
mod log;
mod metadata;
mod model;
mod network_bindings;
mod pebble;
mod pebble_errors;
mod pebble_socket;
mod pebble_streams;
mod pebble_values;
mod ports;
mod readiness;
mod relations;
mod resources;
mod secrets;
mod status;
mod storage;
mod store;
mod stored_state;
mod unit;

use charmhost_hook_tools::ToolError;
use charmhost_sandbox::HostMemoryExceeded;

use bindings::{errors, events as wit_events};

use crate::state::State;

pub(crate) use entry::GuestOutcome;
pub(crate) use errors::Error;

impl errors::Host for State {}
impl wit_events::Host for State {}

/// Codes of failures without a case of their own.
mod code {
    pub const HOOK_TOOL_FAILED: &str = "hook-tool-failed";
    pub const HOOK_TOOL_UNAVAILABLE: &str = "hook-tool-unavailable";
    pub const HOST_MEMORY: &str = "host-memory";
    pub const METADATA: &str = "metadata";
    pub const STATE: &str = "state";
    pub const UNEXPECTED_OUTPUT: &str = "unexpected-output";
}

fn failure(code: &str, message: impl Into<String>) -> errors::OtherFailure {
    errors::OtherFailure {
        code: code.to_owned(),
        message: message.into(),
    }
}

/// An error that has no case of its own.
fn other(code: &str, message: impl Into<String>) -> Error {
    Error::Other(failure(code, message))
}

/// The error of a guest for which the host holds too much.
fn full(error: HostMemoryExceeded) -> Error {
    other(code::HOST_MEMORY, error.to_string())
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
            grant: None,
        }),
        ToolError::UnexpectedOutput { .. } => other(code::UNEXPECTED_OUTPUT, text),
        ToolError::Unreachable { .. } => other(code::HOOK_TOOL_UNAVAILABLE, text),
        _ => other(code::HOOK_TOOL_FAILED, text),
    }
}
