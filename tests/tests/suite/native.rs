//! Charms that are not components: Python on plain ops, and shell.

use std::process::Command;

use serde_json::Value;

use crate::support::{charmhost, dist, root, shown};

#[test]
fn a_python_project_runs_from_its_directory() {
    let charm = root().join("tests/charms/api");
    let before = tree(&charm);
    let scenario = charm.join("scenario.yaml");
    let output = charmhost([
        "sim".as_ref(),
        charm.as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(tree(&charm), before, "the project is unchanged");
}

fn tree(dir: &std::path::Path) -> Vec<String> {
    let listed = Command::new("find").arg(dir).output().unwrap().stdout;
    let mut lines: Vec<String> = String::from_utf8(listed)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn without_python_a_python_project_cannot_run() {
    let output = Command::new(dist("charmhost"))
        .arg("sim")
        .arg(root().join("tests/charms/api"))
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("there is no python3 on PATH; install Python 3.10 or later"),
        "{stderr}"
    );
}

#[test]
fn errors_of_pip_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("tests/charms/api/."))
        .arg(dir.path())
        .status();
    assert!(copied.unwrap().success());
    std::fs::write(dir.path().join("requirements.txt"), "./no-such-package\n").unwrap();
    let output = Command::new(dist("charmhost"))
        .arg("sim")
        .arg(dir.path())
        .env("XDG_CACHE_HOME", dir.path().join("cache"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("pip could not install the required packages"),
        "{stderr}"
    );
    assert!(stderr.contains("no-such-package"), "{stderr}");
}

#[test]
fn a_directory_of_an_unknown_kind_is_rejected_with_the_known_kinds() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("charmcraft.yaml"), "type: charm\nname: x\n").unwrap();
    let output = charmhost(["sim", dir.path().to_str().unwrap()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for wanted in ["Cargo.toml", "src/charm.py", "hooks/"] {
        assert!(stderr.contains(wanted), "{stderr}");
    }
}

#[test]
fn a_lifecycle_includes_relations_storage_and_containers() {
    let charm = root().join("tests/charms/shell");
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("scenario.yaml");
    let notes = root().join("README.md");
    let text = format!(
        "state:\n  resources: {{notes: {}}}\n  relations: [{{endpoint: db, remote_app_name: pg, remote_units_data: {{0: {{host: a}}}}}}]\n",
        notes.display()
    );
    std::fs::write(&scenario, text).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        charm.as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Hooks without a program are skipped.
    let events: Vec<&str> = report["dispatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dispatch| dispatch["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["install", "db-relation-changed"]);
    assert!(
        report["model"]["relations"].as_array().unwrap().is_empty(),
        "the unit has left"
    );
}

#[test]
fn a_python_project_without_charmcraft_runs_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::copy(
        root().join("tests/charms/api/src/charm.py"),
        dir.path().join("src/charm.py"),
    )
    .unwrap();
    file(
        "metadata.yaml",
        "name: old\ncontainers: {demo-server: }\nrequires: {database: {interface: pg}}\n",
    );
    file(
        "config.yaml",
        "options: {server-port: {type: int, default: 8000}}\n",
    );
    file("actions.yaml", "get-db-info: {}\n");
    file("requirements.txt", "ops==3.9.0\n");
    let output = charmhost(["sim", dir.path().to_str().unwrap(), "--event", "install"]);
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("blocked: waiting for a database relation"),
        "{stdout}"
    );
}

#[test]
fn the_containers_of_a_pod_share_their_network_and_what_they_mount() {
    let charm = root().join("tests/charms/pod");
    let scenario = charm.join("scenario.yaml");
    let output = charmhost([
        "sim".as_ref(),
        charm.as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
}
