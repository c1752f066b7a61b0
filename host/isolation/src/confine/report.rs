//! Reports of `confine` to the process that started it.

use std::io::Write;
use std::path::Path;

use charmhost_isolation::wire::{Failure, Report, Step};

/// The result of a step.
pub type Result<T> = std::result::Result<T, Failure>;

/// Adds the attempted operation to an error.
pub trait Context<T> {
    /// Adds the step and the attempted operation: "cannot mount …".
    fn at(self, step: Step, what: impl Into<String>) -> Result<T>;

    /// The same for a step that should always succeed, on a path.
    fn doing(self, what: &str, path: &Path) -> Result<T>
    where
        Self: Sized,
    {
        self.at(Step::Other, format!("cannot {what} {}", path.display()))
    }
}

impl<T, E: Into<std::io::Error>> Context<T> for std::result::Result<T, E> {
    fn at(self, step: Step, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| Failure {
            step,
            what: what.into(),
            errno: error.into().raw_os_error().unwrap_or_default(),
        })
    }
}

/// Writes a report to standard output.
pub fn report(report: &Report) {
    let Ok(mut line) = serde_json::to_vec(report) else {
        return;
    };
    line.push(b'\n');
    // If nobody reads, the standard input is closed too, which ends everything.
    let _ = std::io::stdout().write_all(&line);
}

/// Prints a line to standard error, and ignores that it may be closed.
pub fn print_error(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
