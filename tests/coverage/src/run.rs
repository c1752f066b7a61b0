//! Running tests of the black-box suite by name.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// Runs tests of the black-box suite; returns the names of those that passed. Its
/// messages go to standard error.
pub fn passed(tests: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--release", "-p", "charmhost-tests"]);
    cargo.args(["--test", "suite", "--", "--exact"]);
    cargo.args(tests).stderr(Stdio::inherit());
    let output = cargo
        .current_dir(charmhost_tests::root()?)
        .output()
        .context("cannot run cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(passed_test)
        .map(str::to_owned)
        .collect())
}

fn passed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... ok")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_passed_count() {
        assert_eq!(passed_test("test a::b ... ok"), Some("a::b"));
        for line in [
            "test a::b ... FAILED",
            "test a::b ... ignored",
            "test result: ok.",
        ] {
            assert_eq!(passed_test(line), None, "{line}");
        }
    }
}
