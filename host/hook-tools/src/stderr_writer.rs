//! Standard error, as the host provides it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Where messages go that Juju's log does not take or must not be the only one
/// to take. Clones write to the same stream.
#[derive(Clone)]
pub struct Stderr(Arc<Mutex<dyn Write + Send>>);

impl Stderr {
    /// Creates the standard error of a session.
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Stderr(Arc::new(Mutex::new(stream)))
    }

    /// Writes a line. One that cannot be written is lost: a stream that nobody
    /// reads must not fail a hook.
    pub fn write_line(&self, line: &str) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(format!("{line}\n").as_bytes());
    }
}
