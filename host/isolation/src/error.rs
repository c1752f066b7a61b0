//! Errors of isolation.

use std::path::PathBuf;

/// Isolation could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file or directory of the machine cannot be bind-mounted.
    #[error("cannot set up isolation: {what}")]
    Bind {
        /// The attempted operation, with both paths.
        what: String,
        /// The kernel's error.
        source: std::io::Error,
    },
    /// The kernel refused a step that should always succeed.
    #[error("cannot set up isolation: {what}")]
    Step {
        /// The attempted operation.
        what: String,
        /// The kernel's error.
        source: std::io::Error,
    },
    /// The `confine` program could not be run.
    #[error("cannot run {}, which is installed beside charmhost", program.display())]
    Confine {
        /// Its expected path.
        program: PathBuf,
        /// The kernel's error.
        source: std::io::Error,
    },
    /// `confine` ended without a report, or with one that cannot be parsed.
    #[error("cannot set up isolation: {} {detail}", program.display())]
    NoReport {
        /// Path of `confine`.
        program: PathBuf,
        /// What happened instead.
        detail: String,
    },
    /// User or group ids could not be mapped.
    #[error("cannot map user and group ids: {what}")]
    Ids {
        /// The attempted operation.
        what: String,
        /// The kernel's error.
        source: std::io::Error,
    },
}

/// Why the machine does not allow isolation, and what to change.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot isolate the charm from this machine: {what}: {reason}\n{advice}\nOr run the charm on the machine itself with --unconfined: it can then change and delete every file that you can."
)]
pub struct Refusal {
    /// The attempted operation.
    pub what: String,
    /// The kernel's error; part of the message, because advice follows it.
    pub reason: std::io::Error,
    /// What to change so that it works, one hint per line.
    pub advice: String,
}
