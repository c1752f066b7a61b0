//! Hook tools as a guest calls them: policy, transports and deadlines.

mod deadlines;
mod policy;
mod transports;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::Agent;

const GUEST: &str = "tests/guests/tools";

/// Returns the parameters of the guest's action.
fn calls(calls: &[Vec<&str>], stdin: Option<&str>) -> String {
    json!({ "calls": calls, "stdin": stdin }).to_string()
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn path_with(dir: &Path) -> String {
    format!("{}:/usr/bin:/bin", dir.display())
}

/// Returns what the guest logged about a call.
fn outcome(agent: &Agent, call: &str) -> String {
    let begin = format!("INFO {call}: ");
    let logs = agent.logs();
    let found = logs.iter().find_map(|line| line.strip_prefix(&begin));
    found
        .unwrap_or_else(|| panic!("{call} is not in {logs:#?}"))
        .to_owned()
}

/// Creates a directory with a program for each tool that records its calls.
/// `special` replaces the script of one tool.
fn scripts(params: &str, special: Option<(&str, &str)>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("params"), params).unwrap();
    let at = dir.path().display();
    let names = ["juju-log", "action-get", "is-leader"];
    let names = names.into_iter().chain(special.map(|(name, _)| name));
    for name in names {
        let act = match (name, special) {
            (name, Some((special, act))) if name == special => act.to_owned(),
            ("action-get", _) => format!("cat {at}/params"),
            ("is-leader", _) => "echo true".to_owned(),
            _ => String::new(),
        };
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> {at}/calls\n{act}\n");
        let path = dir.path().join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

fn written(scripts: &TempDir) -> Vec<String> {
    let calls = std::fs::read_to_string(scripts.path().join("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}
