//! What the bench counts under ptrace, of programs that every machine has.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::process::Command;

fn trace(mode: &str, command: &[&str]) -> Result<serde_json::Value, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_charmhost-bench"))
        .args(["trace", mode, "--"])
        .args(command)
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// `ru_maxrss` would say 256 MiB.
#[test]
fn the_memory_of_who_measures_is_not_the_programs() {
    let held = std::hint::black_box(vec![1_u8; 256 << 20]);
    let usage = trace("usage", &["true"]).unwrap();
    assert!(usage["peak_kib"].as_u64().unwrap() < 32 << 10, "{usage}");
    assert!(usage["peak_kib"].as_u64().unwrap() > 100, "{usage}");
    assert!(usage["minor_faults"].as_u64().unwrap() > 10, "{usage}");
    drop(held);
}

#[test]
fn children_count() {
    // `tail` holds all of it.
    let script = "head -c 64000000 /dev/zero | tail -c 64000000 >/dev/null; exit 0";
    let usage = trace("usage", &["sh", "-c", script]).unwrap();
    assert!(usage["peak_kib"].as_u64().unwrap() > 60_000, "{usage}");
    assert!(usage["minor_faults"].as_u64().unwrap() > 1_000, "{usage}");
}

#[test]
fn instructions_do_not_depend_on_luck() {
    let steps = |command: &[&str]| trace("steps", command).unwrap().as_f64().unwrap();
    let (first, second) = (steps(&["true"]), steps(&["true"]));
    assert!((first / second - 1.0).abs() < 0.02, "{first} {second}");
    assert!(first > 10_000.0, "{first}");
}

#[test]
fn a_program_that_fails_is_not_counted() {
    for mode in ["usage", "steps"] {
        let error = trace(mode, &["false"]).unwrap_err();
        assert!(error.contains("it ended with 1"), "{error}");
        let error = trace(mode, &["/does/not/exist"]).unwrap_err();
        assert!(error.starts_with("ERROR "), "{error}");
    }
}
