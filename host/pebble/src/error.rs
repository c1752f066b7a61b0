//! Why Pebble did not do what it was asked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Change;

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathProblem {
    /// There is no such file or directory.
    NotFound,
    /// The daemon may not touch it.
    PermissionDenied,
    /// Anything else.
    Generic,
}

impl PathProblem {
    /// The problem that Pebble means by a kind.
    pub(crate) fn of_kind(kind: Option<&str>) -> Self {
        match kind {
            Some("not-found") => PathProblem::NotFound,
            Some("permission-denied") => PathProblem::PermissionDenied,
            _ => PathProblem::Generic,
        }
    }
}

/// Why Pebble did not do what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon is not there: its socket is missing, nobody listens at it, or
    /// it went away in the middle.
    #[error(
        "cannot talk to Pebble at {}: {reason}; the container has not started, or it restarts",
        socket.display()
    )]
    NotReady {
        /// The daemon's socket.
        socket: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The daemon refused a request.
    #[error("{message}")]
    Api {
        /// The status of the answer, as 400.
        status: u16,
        /// Pebble's kind of error, where it has one.
        kind: Option<String>,
        /// Pebble's words.
        message: String,
    },
    /// A file or directory cannot be used.
    #[error("{message}")]
    Path {
        /// What is wrong with it.
        problem: PathProblem,
        /// Pebble's words.
        message: String,
    },
    /// A change ended with an error.
    #[error("{}", DisplayChange(.0))]
    Change(Box<Change>),
    /// It took longer than allowed.
    #[error("timed out after {}: {doing}", DisplayDuration(*after))]
    Timeout {
        /// What was being done.
        doing: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The arguments cannot be right; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// What came back is not what Pebble says.
    #[error("cannot understand Pebble: {0}")]
    Protocol(String),
}

/// The error of a change with what its tasks logged.
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

struct DisplayDuration(Duration);

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
