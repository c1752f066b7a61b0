//! Errors of calls to the SDK.

mod convert;
mod failure;
mod model;

use std::fmt;
use std::panic::Location;

use crate::Change;

pub(crate) use failure::{Ending, Failure};
pub(crate) use model::ModelResult;

/// Result with an error of the SDK.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Kinds of [`Error`]s.
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
    /// It took too long; [`Error::change_id`] is what goes on in the container.
    Timeout,
    /// An argument is invalid: an error in the charm.
    InvalidInput,
    /// The sandbox denied it; [`Error::grant`] would allow it.
    Denied,
    /// A value from outside (an option, a parameter, data of a relation, saved
    /// state) does not fit the charm's type.
    InvalidValue,
    /// The charm's metadata has no such container.
    UnknownContainer,
    /// Pebble is not running in the container yet.
    NotReady,
    /// Pebble refused a request, with this HTTP status.
    Api(u16),
    /// A file or directory of a container cannot be used.
    Path(PathErrorKind),
    /// A change in a container failed, for example the start of a service:
    /// [`Error::change`].
    Change,
    /// Pebble, or Juju, is too old.
    Unsupported,
    /// A command ended with this exit code.
    Command(i32),
    /// A handler of an emitted event failed: its error is the source.
    Handler,
    /// The charm ends the dispatch: [`Error::exit`], [`Error::abort`].
    Exit,
    /// Any other failure, by its [`Error::code`] if it is of the model, and every
    /// error that is not of the SDK.
    Other,
}

/// Why a file or directory of a container cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathErrorKind {
    /// It does not exist.
    NotFound,
    /// Pebble may not touch it.
    PermissionDenied,
    /// Any other error of a file system: not a directory, not empty, no space left.
    GenericFileError,
}

/// An error of a call to the SDK, with its line of the charm.
///
/// `?` converts text and the errors of `std` and `serde_json` to it;
/// [`Error::other`] converts all others. It is a `std::error::Error`, so handlers
/// may return `anyhow::Result` or an error derived with `thiserror` instead.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// let container = unit().container("web");
/// match container.replan() {
///     Ok(()) => {}
///     Err(error) if error.kind() == ErrorKind::NotReady => return Ok(()),
///     Err(error) => match error.change() {
///         Some(change) => log::warn!("{}", change.err.as_deref().unwrap_or_default()),
///         None => return Err(error),
///     },
/// }
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    location: &'static Location<'static>,
    detail: Detail,
}

/// What some errors have beside their kind and message.
enum Detail {
    None,
    Grant(String),
    Code(String),
    ChangeId(String),
    Change(Box<Change>),
    Handler(Failure),
    /// An error of another library.
    Foreign(Box<dyn std::error::Error + Send + Sync>),
    /// The exit code; `None` to end early.
    Exit(Option<u8>),
}

impl Error {
    #[track_caller]
    fn with(kind: ErrorKind, message: impl Into<String>, detail: Detail) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            location: Location::caller(),
            detail,
        }))
    }

    #[track_caller]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error::with(kind, message, Detail::None)
    }

    #[track_caller]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidInput, message)
    }

    /// An error with a code of `errors.other-failure`.
    #[track_caller]
    pub(crate) fn with_code(code: &str, message: impl Into<String>) -> Self {
        Error::with(ErrorKind::Other, message, Detail::Code(code.to_owned()))
    }

    /// The failure of a handler of an event that the charm emitted.
    #[track_caller]
    pub(crate) fn of_handler(event: &str, failure: Failure) -> Self {
        let place = failure.location();
        let message = format!("a handler of {event} failed");
        let error = Error::with(ErrorKind::Handler, message, Detail::Handler(failure));
        match place {
            Some(place) => error.at(place),
            None => error,
        }
    }

    /// Creates an error with a message.
    #[track_caller]
    pub fn msg(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Other, message)
    }

    /// Creates an error from one of another library.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// # fn decode(_: &str) -> Result<(), std::str::Utf8Error> { Ok(()) }
    /// # fn handler() -> Result<()> {
    /// decode("…").map_err(Error::other)?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = Detail::Foreign(error.into());
        Error::with(ErrorKind::Other, String::new(), detail)
    }

    /// Creates an error that ends the dispatch with an exit code, if a handler
    /// returns it. Juju takes any code but 0 for a failure. Local state is not
    /// saved.
    #[track_caller]
    pub fn exit(code: u8) -> Self {
        let message = format!("exit with {code}");
        Error::with(ErrorKind::Exit, message, Detail::Exit(Some(code)))
    }

    /// Creates an error that ends the dispatch early and successfully, if a handler
    /// returns it. Juju applies changes; local state is not saved.
    #[track_caller]
    pub fn abort() -> Self {
        let message = "end the dispatch early";
        Error::with(ErrorKind::Exit, message, Detail::Exit(None))
    }

    /// The same error, at another line of the charm.
    pub(crate) fn at(mut self, location: &'static Location<'static>) -> Self {
        self.0.location = location;
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The line of the charm that made the call.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The line for `charmhost.toml` that would allow what was denied, if one can.
    pub fn grant(&self) -> Option<&str> {
        match &self.0.detail {
            Detail::Grant(grant) => Some(grant),
            _ => None,
        }
    }

    /// The code of an error of kind [`ErrorKind::Other`] or [`ErrorKind::Api`], for
    /// example `hook-tool-failed` or `no-default-services`.
    pub fn code(&self) -> Option<&str> {
        match &self.0.detail {
            Detail::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The change that failed.
    pub fn change(&self) -> Option<&Change> {
        match &self.0.detail {
            Detail::Change(change) => Some(change),
            _ => None,
        }
    }

    /// The id of the change that failed, or that goes on after a time-out.
    pub fn change_id(&self) -> Option<&str> {
        match &self.0.detail {
            Detail::Change(change) => Some(&change.id),
            Detail::ChangeId(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the error is that a path of a container does not exist.
    pub(crate) fn is_no_file(&self) -> bool {
        self.kind() == ErrorKind::Path(PathErrorKind::NotFound)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.detail {
            Detail::Foreign(error) => write!(f, "{error}"),
            Detail::Grant(grant) => {
                let message = &self.0.message;
                write!(f, "{message}; to allow it, add `{grant}` to charmhost.toml")
            }
            _ => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self} ({})", self.kind(), self.location())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.detail {
            Detail::Handler(failure) => Some(failure.error()),
            Detail::Foreign(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
