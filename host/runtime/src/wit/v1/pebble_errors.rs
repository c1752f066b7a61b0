//! `charmhost:pebble-errors/pebble-errors`: errors of Pebble (ops §18.2).

use charmhost_pebble::{self as pebble, Error};
use charmhost_sandbox::HostMemoryExceeded;
use wasmtime::component::ResourceTableError;

use super::bindings::pebble_errors::{self as wit, Host, PebbleError};
use super::{code, failure};
use crate::state::State;

impl Host for State {}

const CLOSED: &str = "closed";
pub(super) const PROTOCOL: &str = "protocol";

pub(super) fn error(error: Error) -> PebbleError {
    let text = error.to_string();
    match error {
        Error::NotReady { .. } => PebbleError::NotReady(format!(
            "{text}; do this when pebble-ready is handled, or ask can-connect first"
        )),
        Error::Api {
            status,
            kind,
            message,
        } => PebbleError::Api(wit::ApiFailure {
            status,
            kind,
            message,
        }),
        Error::Path(failure) => PebbleError::Path(path_failure(failure)),
        Error::Change(change) => PebbleError::Change(change_info(*change)),
        Error::Timeout { change, .. } | Error::Silent { change, .. } => {
            PebbleError::Timeout(wit::TimeoutFailure {
                message: text,
                change_id: change,
            })
        }
        Error::Unsupported {
            message,
            needed,
            found,
        } => PebbleError::Unsupported(wit::VersionMismatch {
            message,
            needed,
            found,
        }),
        Error::Invalid(_) => PebbleError::InvalidInput(text),
        Error::Closed(_) => closed(&text),
        Error::Memory(_) => PebbleError::Other(failure(code::HOST_MEMORY, text)),
        _ => PebbleError::Other(failure(PROTOCOL, text)),
    }
}

impl From<Error> for PebbleError {
    fn from(error: Error) -> Self {
        self::error(error)
    }
}

pub(super) fn path_failure(failure: pebble::PathFailure) -> wit::PathFailure {
    wit::PathFailure {
        kind: match failure.problem {
            pebble::PathProblem::NotFound => wit::PathErrorKind::NotFound,
            pebble::PathProblem::PermissionDenied => wit::PathErrorKind::PermissionDenied,
            pebble::PathProblem::Generic => wit::PathErrorKind::GenericFileError,
        },
        message: failure.message,
    }
}

/// Converts a change with its tasks.
pub(super) fn change_info(change: pebble::Change) -> wit::ChangeInfo {
    wit::ChangeInfo {
        id: change.id,
        kind: change.kind,
        summary: change.summary,
        status: change.status,
        ready: change.ready,
        err: change.err,
        spawn_time: change.spawn_time.seconds(),
        ready_time: change.ready_time.map(pebble::Timestamp::seconds),
        tasks: change.tasks.into_iter().map(task_info).collect(),
        data: serde_json::Value::Object(change.data).to_string(),
    }
}

fn task_info(task: pebble::Task) -> wit::TaskInfo {
    let exit_code = task.exit_code();
    wit::TaskInfo {
        id: task.id,
        kind: task.kind,
        summary: task.summary,
        status: task.status,
        log: task.log,
        progress: wit::TaskProgress {
            label: task.progress.label,
            done: task.progress.done,
            total: task.progress.total,
        },
        spawn_time: task.spawn_time.seconds(),
        ready_time: task.ready_time.map(pebble::Timestamp::seconds),
        exit_code,
    }
}

/// The error of a guest for which the host holds too much.
pub(super) fn full(error: HostMemoryExceeded) -> PebbleError {
    PebbleError::Other(failure(code::HOST_MEMORY, error.to_string()))
}

/// The error of something that was closed before.
pub(super) fn closed(message: &str) -> PebbleError {
    PebbleError::Other(failure(CLOSED, message))
}

pub(super) fn table_error(error: ResourceTableError) -> PebbleError {
    closed(&format!("cannot use the handle: {error}"))
}
