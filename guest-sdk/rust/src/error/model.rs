//! Conversion of the errors of the WIT.

use super::{Detail, Error, ErrorKind, PathErrorKind, Result};
use crate::bindings::errors::{Error as ModelError, OtherFailure};
use crate::bindings::pebble_errors::{PathErrorKind as WitPathErrorKind, PebbleError};
use crate::bindings::pebble_socket::SocketError;
use crate::changes;

/// Converts results of the bindings to results of the SDK, with the line of the
/// charm.
pub(crate) trait ModelResult<T> {
    #[track_caller]
    fn model(self) -> Result<T>;
}

impl<T> ModelResult<T> for Result<T, ModelError> {
    #[track_caller]
    fn model(self) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(of_model(error)),
        }
    }
}

impl<T> ModelResult<T> for Result<T, PebbleError> {
    #[track_caller]
    fn model(self) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(of_pebble(error)),
        }
    }
}

impl<T> ModelResult<T> for Result<T, SocketError> {
    #[track_caller]
    fn model(self) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(of_socket(error)),
        }
    }
}

#[track_caller]
fn of_model(error: ModelError) -> Error {
    match error {
        ModelError::NotFound(message) => Error::new(ErrorKind::NotFound, message),
        ModelError::PermissionDenied(message) => Error::new(ErrorKind::PermissionDenied, message),
        ModelError::NotLeader(message) => Error::new(ErrorKind::NotLeader, message),
        ModelError::RelationGone(message) => Error::new(ErrorKind::RelationGone, message),
        ModelError::Timeout(message) => Error::new(ErrorKind::Timeout, message),
        ModelError::InvalidInput(message) => Error::invalid(message),
        ModelError::Denied(denial) => Error::with(
            ErrorKind::Denied,
            denial.message,
            denial.grant.map_or(Detail::None, Detail::Grant),
        ),
        ModelError::Other(failure) => of_other(failure),
    }
}

#[track_caller]
fn of_other(failure: OtherFailure) -> Error {
    match failure.code.as_str() {
        "unsupported" => Error::new(ErrorKind::Unsupported, failure.message),
        code => Error::with_code(code, failure.message),
    }
}

#[track_caller]
fn of_pebble(error: PebbleError) -> Error {
    match error {
        PebbleError::UnknownContainer(message) => Error::new(ErrorKind::UnknownContainer, message),
        PebbleError::NotReady(message) => Error::new(ErrorKind::NotReady, message),
        PebbleError::Api(failure) => Error::with(
            ErrorKind::Api(failure.status),
            failure.message,
            failure.kind.map_or(Detail::None, Detail::Code),
        ),
        PebbleError::Path(failure) => {
            let kind = match failure.kind {
                WitPathErrorKind::NotFound => PathErrorKind::NotFound,
                WitPathErrorKind::PermissionDenied => PathErrorKind::PermissionDenied,
                WitPathErrorKind::GenericFileError => PathErrorKind::GenericFileError,
            };
            Error::new(ErrorKind::Path(kind), failure.message)
        }
        PebbleError::Change(change) => {
            let change = changes::from_wit(change);
            let message = change.failure();
            Error::with(ErrorKind::Change, message, Detail::Change(Box::new(change)))
        }
        PebbleError::Timeout(failure) => Error::with(
            ErrorKind::Timeout,
            failure.message,
            failure.change_id.map_or(Detail::None, Detail::ChangeId),
        ),
        PebbleError::InvalidInput(message) => Error::invalid(message),
        PebbleError::Unsupported(mismatch) => Error::new(ErrorKind::Unsupported, mismatch.message),
        PebbleError::Other(failure) => of_other(failure),
    }
}

#[track_caller]
fn of_socket(error: SocketError) -> Error {
    match error {
        SocketError::UnknownContainer(message) => Error::new(ErrorKind::UnknownContainer, message),
        SocketError::NotReady(message) => Error::new(ErrorKind::NotReady, message),
        SocketError::Timeout(message) => Error::new(ErrorKind::Timeout, message),
        SocketError::Closed(message) => Error::with_code("closed", message),
        SocketError::Other(failure) => of_other(failure),
    }
}
