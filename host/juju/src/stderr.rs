//! Standard error, which nobody may be reading.

use std::io::Write;

/// Writes a line to standard error. One that cannot be written is lost: who
/// closed the stream must not make a hook fail.
pub fn print_error(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
