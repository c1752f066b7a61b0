//! Errors of charms and of the model.

use std::fmt;
use std::panic::Location;

use crate::bindings::errors;

/// Result with an error of the SDK.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It does not exist.
    NotFound,
    /// Juju does not allow it.
    PermissionDenied,
    /// Only the leader may do it.
    NotLeader,
    /// The relation does not exist any more.
    RelationGone,
    /// The other side is not running yet.
    NotReady,
    /// It took too long.
    Timeout,
    /// The file or directory does not exist in the container.
    NoFile,
    /// A file or directory in the container cannot be used.
    Path,
    /// A change in a container failed, for example the start of a service.
    Change,
    /// An argument is invalid.
    InvalidInput,
    /// The sandbox denied it.
    Denied,
    /// Any other error, and every error of the charm itself.
    Other,
}

/// An error with its location in the charm. `?` converts any error to this type.
pub struct Error {
    repr: Repr,
    place: &'static Location<'static>,
}

enum Repr {
    Model(ErrorKind, String),
    Charm(Box<dyn std::error::Error>),
    Exit(u8, String),
    Abort,
}

impl Error {
    #[track_caller]
    fn new(repr: Repr) -> Self {
        Error {
            repr,
            place: Location::caller(),
        }
    }

    /// The line of the charm in which it occurred.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Creates an error with a message.
    #[track_caller]
    pub fn msg(message: impl Into<String>) -> Self {
        Error::new(Repr::Charm(message.into().into()))
    }

    /// Creates an error that ends the dispatch with an exit code, if a handler
    /// returns it. Local state is not saved.
    #[track_caller]
    pub fn exit(code: u8) -> Self {
        Error::new(Repr::Exit(code, String::new()))
    }

    /// Creates an error that ends the dispatch early and successfully, if a handler
    /// returns it. Juju applies changes; local state is not saved.
    #[track_caller]
    pub fn abort() -> Self {
        Error::new(Repr::Abort)
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        match &self.repr {
            Repr::Model(kind, _) => *kind,
            _ => ErrorKind::Other,
        }
    }

    /// Whether the error is that a path of a container does not exist.
    pub(crate) fn is_no_file(&self) -> bool {
        matches!(self.kind(), ErrorKind::NoFile | ErrorKind::NotFound)
    }

    #[track_caller]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(Repr::Model(ErrorKind::InvalidInput, message.into()))
    }

    pub(crate) fn ending(&self) -> Ending<'_> {
        match &self.repr {
            Repr::Exit(code, message) => Ending::Exit(*code, message),
            Repr::Abort => Ending::Abort,
            _ => Ending::Failure,
        }
    }
}

/// How an error ends the dispatch.
pub(crate) enum Ending<'a> {
    Failure,
    Exit(u8, &'a str),
    Abort,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Model(_, text) => f.write_str(text),
            Repr::Exit(code, _) => write!(f, "exit with {code}"),
            Repr::Abort => f.write_str("end the dispatch early"),
            Repr::Charm(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        Error::new(Repr::Charm(Box::new(error)))
    }
}

/// Converts results of the bindings to results of the SDK. Not a `From`: generated
/// errors implement `std::error::Error`, and would lose their case.
pub(crate) trait ModelResult<T> {
    #[track_caller]
    fn model(self) -> Result<T>;
}

impl<T> ModelResult<T> for std::result::Result<T, errors::Error> {
    #[track_caller]
    fn model(self) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(model(error)),
        }
    }
}

#[track_caller]
fn model(error: errors::Error) -> Error {
    let (kind, text) = match error {
        errors::Error::NotFound(text) => (ErrorKind::NotFound, text),
        errors::Error::PermissionDenied(text) => (ErrorKind::PermissionDenied, text),
        errors::Error::NotLeader(text) => (ErrorKind::NotLeader, text),
        errors::Error::RelationGone(text) => (ErrorKind::RelationGone, text),
        errors::Error::NotReady(text) => (ErrorKind::NotReady, text),
        errors::Error::Timeout(text) => (ErrorKind::Timeout, text),
        errors::Error::Path(failure) => (
            match failure.problem {
                errors::PathProblem::NotFound => ErrorKind::NoFile,
                _ => ErrorKind::Path,
            },
            failure.message,
        ),
        errors::Error::Change(failure) => (ErrorKind::Change, failure.message),
        errors::Error::InvalidInput(text) => (ErrorKind::InvalidInput, text),
        errors::Error::Denied(denial) => (
            ErrorKind::Denied,
            match denial.grant.as_str() {
                "" => denial.message,
                grant => format!(
                    "{}; to allow it, add `{grant}` to charmhost.toml",
                    denial.message
                ),
            },
        ),
        errors::Error::Other(text) => (ErrorKind::Other, text),
    };
    Error::new(Repr::Model(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_displayed_with_its_causes() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cannot read the port")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error: Error = "x".parse::<u16>().map_err(Outer).unwrap_err().into();
        assert_eq!(
            error.to_string(),
            "cannot read the port: invalid digit found in string"
        );
        assert_eq!(error.kind(), ErrorKind::Other);
    }

    #[test]
    fn a_denial_names_its_grant() {
        let denial = errors::Denial {
            message: "no network".into(),
            grant: "network = true".into(),
        };
        let error = model(errors::Error::Denied(denial));
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "no network; to allow it, add `network = true` to charmhost.toml"
        );
    }
}
