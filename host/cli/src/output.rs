//! Output of the commands.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use charmhost_builder::{Architecture, Built, Step};
use charmhost_sandbox::Grants;

/// Prints a step of a build to standard error.
pub fn progress(step: &Step) {
    match step {
        Step::Component => {
            print_error("Building the component with Cargo (the first time takes about a minute)");
        }
        Step::Compile(architecture) => {
            print_error(&format!("Compiling the component for {architecture}"));
        }
        Step::Stage => print_error("Writing the files"),
    }
}

/// Prints a line to standard error, and ignores that it may be closed.
pub fn print_error(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Prints a result to standard output. A reader that closed it, for example
/// `head`, is no error.
///
/// # Errors
///
/// If it cannot be written for another reason, for example a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(format!("{text}\n").as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Summary of a build, in one line.
pub fn built(built: &Built, architecture: Architecture) -> String {
    format!(
        "component {}, compiled for {architecture} {} in {:.1} s",
        size(built.component_bytes),
        size(built.compiled_bytes),
        built.compile_time.as_secs_f64()
    )
}

/// Grants of a charm, one line for each kind.
pub fn grants(grants: &Grants) -> String {
    let lines = grants.lines();
    match lines.is_empty() {
        true => "grants: none".to_owned(),
        false => format!("grants:\n  {}", lines.join("\n  ")),
    }
}

/// Formats a number of bytes.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_to_three_figures_or_so() {
        for (bytes, wanted) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (999_999, "999 kB"),
            (2_650_000, "2.6 MB"),
        ] {
            assert_eq!(size(bytes), wanted);
        }
    }
}
