//! Errors of the client.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Change;

/// What is wrong with a path, and Pebble's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFailure {
    /// What is wrong with it.
    pub problem: PathProblem,
    /// The error message from Pebble.
    pub message: String,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathProblem {
    /// The file or directory does not exist.
    NotFound,
    /// The daemon has no permission for it.
    PermissionDenied,
    /// Anything else.
    Generic,
}

impl PathProblem {
    /// The problem of a kind of error (`pebble §1`).
    pub(crate) fn of_kind(kind: Option<&str>) -> Self {
        match kind {
            Some("not-found") => PathProblem::NotFound,
            Some("permission-denied") => PathProblem::PermissionDenied,
            _ => PathProblem::Generic,
        }
    }
}

/// Why a request to Pebble failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon cannot be reached: its socket is missing, no process listens on
    /// it, or it closed the connection before the response was complete.
    #[error(
        "cannot connect to Pebble at {}: {reason}; the container has not started, or it is restarting",
        address.display()
    )]
    NotReady {
        /// The daemon's socket, or how it is reached otherwise.
        address: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// The daemon rejected a request.
    #[error("{message}")]
    Api {
        /// The status of the response, for example 400.
        status: u16,
        /// Pebble's kind of error, where it has one.
        kind: Option<String>,
        /// The error message from Pebble.
        message: String,
    },
    /// A file or directory cannot be used.
    #[error("{}", .0.message)]
    Path(PathFailure),
    /// A change ended with an error.
    #[error("{}", DisplayChange(.0))]
    Change(Box<Change>),
    /// The work took longer than the caller's limit. The daemon responds.
    #[error("cannot {doing} within its limit of {}", Seconds(*limit))]
    Timeout {
        /// The operation, for example `finish change 3`.
        doing: String,
        /// The caller's limit.
        limit: Duration,
        /// The change that goes on.
        change: Option<String>,
    },
    /// The daemon accepts connections, but sent or took nothing, or less than
    /// 1 KiB/s.
    #[error(
        "cannot {doing}: Pebble was silent for {}; check whether its container is paused or overloaded",
        Seconds(*limit)
    )]
    Silent {
        /// The operation, for example `read /etc/hosts`.
        doing: String,
        /// How long the daemon may be silent.
        limit: Duration,
        /// The change that was begun before.
        change: Option<String>,
    },
    /// The arguments are invalid; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// The daemon's version does not have the function.
    #[error("{message}")]
    Unsupported {
        /// What is missing, and what to do.
        message: String,
        /// The versions that have it, for example `v1.15 and later`.
        needed: String,
        /// The daemon's version, for example `v1.10.2`.
        found: String,
    },
    /// The stream was closed before, or the command has ended.
    #[error("{0}")]
    Closed(String),
    /// The caller's budget of memory is used up; the text names its limit.
    #[error("{0}")]
    Memory(String),
    /// The daemon's response is not Pebble's protocol, or exceeds its limits.
    #[error("cannot read the response from Pebble: {0}")]
    Protocol(String),
}

/// The error of a change with the logs of its tasks.
struct DisplayChange<'a>(&'a Change);

impl fmt::Display for DisplayChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.err.as_deref().unwrap_or("the change failed"))?;
        let mut logged = false;
        for (number, task) in self.0.tasks.iter().enumerate() {
            if task.log.is_empty() {
                continue;
            }
            logged = true;
            write!(f, "\n----- Logs from task {number} -----\n")?;
            f.write_str(&task.log.join("\n"))?;
        }
        match logged {
            true => f.write_str("\n-----"),
            false => Ok(()),
        }
    }
}

impl Error {
    /// Adds the change that was begun before to an error about time.
    pub(crate) fn with_change(mut self, id: &str) -> Self {
        if let Error::Timeout { change, .. } | Error::Silent { change, .. } = &mut self {
            *change = Some(id.to_owned());
        }
        self
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

/// The innermost cause of an error: that of the system or of the parser.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_name_the_limit() {
        let limit = Duration::from_millis(2500);
        let timeout = Error::Timeout {
            doing: "finish change 3".to_owned(),
            limit,
            change: Some("3".to_owned()),
        };
        assert_eq!(
            timeout.to_string(),
            "cannot finish change 3 within its limit of 2.5 s"
        );
        let silent = Error::Silent {
            doing: "read /a".to_owned(),
            limit,
            change: None,
        };
        assert!(silent.to_string().contains("silent for 2.5 s"), "{silent}");
    }
}
