//! Log lines (`juju-log`; ops §20.1, ops §20.2).
//!
//! A line that cannot be written must not fail the hook: it is lost, and only
//! the first such failure is reported, on standard error. ops fails instead
//! (ops §8).

use charmhost_hook_tools::{LOG_TOOL, Level, MAX_ARGUMENT, Stderr};

use super::Model;

/// Where log lines go beside Juju's log.
pub(super) struct LogOutput {
    stderr: Stderr,
    /// Whether lines are copied to standard error (`JUJU_DEBUG`).
    is_copied: bool,
    /// Whether a line that could not be written was reported.
    is_failure_reported: bool,
}

impl LogOutput {
    pub fn new(stderr: Stderr) -> Self {
        LogOutput {
            stderr,
            is_copied: false,
            is_failure_reported: false,
        }
    }
}

impl Model {
    /// Copies log lines to standard error from now on, as in a debug session.
    pub fn copy_log_to_stderr(&mut self) {
        self.log.is_copied = true;
    }

    /// Writes to the log, a message of more than [`MAX_ARGUMENT`] bytes in chunks
    /// and an empty one not at all (ops §20.2); returns whether everything was
    /// written.
    pub fn log(&mut self, level: Level, message: &str) -> bool {
        if self.log.is_copied && !message.is_empty() {
            let line = format!("{:<8} {message}", level.as_str());
            self.log.stderr.write_line(&line);
        }
        let clean = message.replace('\0', "\u{fffd}");
        let chunks = chunks(&clean, MAX_ARGUMENT);
        if chunks.len() > 1 {
            let line =
                format!("Log string greater than {MAX_ARGUMENT}. Splitting into multiple chunks: ");
            self.log_line(level, &line);
        }
        let mut is_written = true;
        for chunk in chunks {
            is_written &= self.log_line(level, chunk);
        }
        is_written
    }

    fn log_line(&mut self, level: Level, line: &str) -> bool {
        let result = self.call(LOG_TOOL, &["--log-level", level.as_str(), "--", line]);
        let is_written = result.is_ok();
        if let Err(error) = result
            && !std::mem::replace(&mut self.log.is_failure_reported, true)
        {
            let line = format!("WARNING cannot write to the charm's log: {error}");
            self.log.stderr.write_line(&line);
        }
        is_written
    }
}

/// Splits a text into chunks of at most `size` bytes, between characters; an
/// empty text has none.
fn chunks(text: &str, size: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, remainder) = rest.split_at(rest.floor_char_boundary(size));
        chunks.push(chunk);
        rest = remainder;
    }
    chunks
}
