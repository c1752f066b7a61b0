//! Reports to the process that wants the world.

use std::io::Write;
use std::path::Path;

use charmhost_isolation::wire::{Failure, Report, Step};

/// What was done, or what could not be.
pub type Result<T> = std::result::Result<T, Failure>;

/// Says what was attempted when something fails.
pub trait Context<T> {
    /// Adds what could not be done: "cannot mount …".
    fn at(self, step: Step, what: impl Into<String>) -> Result<T>;

    /// The same for a step that should always work, done to a path.
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

/// Tells the process that wants the world.
pub fn report(report: &Report) {
    let Ok(mut line) = serde_json::to_vec(report) else {
        return;
    };
    line.push(b'\n');
    // Nobody listens any more: the standard input is closed too, which ends the world.
    let _ = std::io::stdout().write_all(&line);
}

/// Prints a line on standard error. Who closed that cannot be informed.
pub fn print_error(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
