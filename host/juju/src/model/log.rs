//! The charm's log.

use super::Model;

/// The longest text of one line of the log: what fits an argument of a
/// program, whose limit of 128 KiB includes a final NUL.
const LONGEST: usize = 131_071;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every detail.
    Trace,
    /// For those who debug the charm.
    Debug,
    /// What happened.
    Info,
    /// Something is odd.
    Warning,
    /// Something failed.
    Error,
    /// The charm cannot go on.
    Critical,
}

impl Level {
    /// The name as Juju writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

impl Model {
    /// Writes to the log, at once.
    ///
    /// Never fails, because a log line must not make a hook fail: the first
    /// time that it cannot be written, that is said on the standard error
    /// stream. Empty text is dropped. Text of more than 131071 bytes is
    /// announced and sent in pieces. A NUL, which Juju cannot be given, is
    /// written as U+FFFD.
    pub fn log(&mut self, level: Level, text: &str) {
        if text.is_empty() {
            return;
        }
        let replaced;
        let text = if text.contains('\0') {
            replaced = text.replace('\0', "\u{fffd}");
            replaced.as_str()
        } else {
            text
        };
        if text.len() <= LONGEST {
            return self.log_line(level, text);
        }
        let announcement = "Log string greater than 131071. Splitting into multiple chunks: ";
        self.log_line(level, announcement);
        pieces(text).for_each(|piece| self.log_line(level, piece));
    }

    fn log_line(&mut self, level: Level, text: &str) {
        let sent = self.call("juju-log", &["--log-level", level.as_str(), "--", text]);
        if let Err(error) = sent
            && !self.log_failed
        {
            self.log_failed = true;
            eprintln!("cannot write to the log of Juju: {error}");
        }
    }
}

/// Cuts between characters, so that each piece fits.
fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(rest.floor_char_boundary(LONGEST))?;
        rest = after;
        Some(piece).filter(|piece| !piece.is_empty())
    })
}
