//! Why there is no world.

use std::path::PathBuf;

/// What can go wrong with a world.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine does not allow worlds.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file or directory of the machine cannot be shared with the world.
    #[error("cannot start the world: {what}")]
    Bind {
        /// What was attempted, with both paths.
        what: String,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// The kernel refused a step that should always work.
    #[error("cannot start the world: {what}")]
    Step {
        /// What was attempted.
        what: String,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// The `confine` program could not be run.
    #[error("cannot run {}, which is installed beside charmhost", program.display())]
    Confine {
        /// Where it was looked for.
        program: PathBuf,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// `confine` ended without a word, or with one that is not understood.
    #[error("cannot start the world: {} {detail}", program.display())]
    Silent {
        /// The program.
        program: PathBuf,
        /// What it did instead.
        detail: String,
    },
    /// The world's users could not be mapped to the machine's.
    #[error("cannot map the users of the world: {what}")]
    Ids {
        /// What was attempted.
        what: String,
        /// The kernel's reason.
        source: std::io::Error,
    },
}

/// Why the machine allows no worlds, and what to change.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot isolate the charm from this machine: {what}: {reason}\n{advice}\nOr run the charm on the machine itself with --unconfined: it can then change and delete every file that you can."
)]
pub struct Refusal {
    /// What was attempted.
    pub what: String,
    /// The kernel's reason; part of the message, as advice follows it.
    pub reason: std::io::Error,
    /// What to change so that it works, one hint per line.
    pub advice: String,
}
