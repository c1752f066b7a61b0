//! Scenarios: validation and expectations.

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::support::{built, charmhost, root, shown};

/// Runs a charm with a scenario.
fn sim(charm: &PathBuf, scenario: &str, more: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    std::fs::write(&path, scenario).unwrap();
    let mut args = vec![
        "sim".into(),
        charm.into(),
        "--scenario".into(),
        path.into_os_string(),
    ];
    args.extend(more.iter().map(|arg| (*arg).into()));
    charmhost(args)
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(output)))
}

#[test]
fn the_web_charm_serves_what_its_scenario_expects() {
    let scenario = std::fs::read_to_string(root().join("charms/web/scenario.yaml")).unwrap();
    let output = sim(&built("charms/web"), &scenario, &[]);
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    for page in ["<h1>Hello</h1>", "<h1>Good morning</h1>"] {
        assert!(stdout.contains(page), "{page} is not in {stdout}");
    }
}

#[test]
fn both_hook_tool_transports_have_the_same_results() {
    let scenario = std::fs::read_to_string(root().join("charms/web/scenario.yaml")).unwrap();
    let reduced = |how: &str| {
        let output = sim(
            &built("charms/web"),
            &scenario,
            &["--hook-tools", how, "--format", "json"],
        );
        assert!(output.status.success(), "{}", shown(&output));
        let mut report = report(&output);
        for dispatch in report["dispatches"].as_array_mut().unwrap() {
            dispatch["duration_ms"].take();
        }
        report
    };
    assert_eq!(reduced("rpc"), reduced("exec"));
}

#[test]
fn unmet_expectations_are_reported_with_the_actual_values() {
    let scenario = "
events:
- event: config-changed
  expect:
    unit_status: {name: blocked, message: never}
    opened_ports: [9/tcp]
    calls: [open-port 8080/tcp, config-get --format=json]
expect:
  workload_version: '9'
";
    let output = sim(&built("charms/hello"), scenario, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let unmet = report(&output)["unmet"].clone();
    let messages: Vec<String> = unmet
        .as_array()
        .unwrap()
        .iter()
        .map(|unmet| format!("{} {} {}", unmet["after"], unmet["of"], unmet["wanted"]))
        .collect();
    assert_eq!(
        messages,
        [
            "\"1 config-changed\" \"calls\" \"config-get --format=json\"",
            "\"1 config-changed\" \"unit_status\" {\"name\":\"blocked\",\"message\":\"never\"}",
            "\"1 config-changed\" \"opened_ports\" [\"9/tcp\"]",
            "\"end\" \"workload_version\" \"9\"",
        ]
    );
    let output = sim(&built("charms/hello"), scenario, &[]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    for wanted in [
        "✗ after 1 config-changed: opened_ports",
        "wanted  9/tcp",
        "got     8080/tcp",
    ] {
        assert!(stdout.contains(wanted), "{wanted:?} is not in {stdout}");
    }
}

#[test]
fn an_expected_failure_is_a_success() {
    let scenario = "events: [{event: start, expect: {exit_code: 1}}]";
    let output = sim(&built("tests/guests/faults"), scenario, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
}

#[test]
fn a_failed_hook_is_retried_on_request() {
    let scenario = "events: [start]";
    let more = ["--retries", "2", "--format", "json"];
    let output = sim(&built("tests/guests/faults"), scenario, &more);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report(&output)["dispatches"].as_array().unwrap().len(), 3);
}

#[test]
fn secrets_are_printed_as_digests_unless_requested() {
    let charm = root().join("tests/charms/shell");
    let notes = root().join("README.md");
    let scenario = format!(
        "
state:
  resources: {{notes: {}}}
  relations: [{{endpoint: db, remote_app_name: pg, remote_units_data: {{0: {{host: a}}}}}}]
events: [install, {{event: db-relation-changed, unit: pg/0}}]
expect:
  secrets: [{{label: token, latest_content: {{token: correct-horse}}}}]
",
        notes.display()
    );
    let output = sim(&charm, &scenario, &["--format", "json"]);
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!stdout.contains("correct-horse"), "{stdout}");
    let report = report(&output);
    let digest = report["model"]["secrets"][0]["revisions"]["1"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(digest.starts_with("digest:"), "{digest}");
    // The same value has the same digest everywhere.
    assert!(stdout.matches(&digest).count() >= 4, "{stdout}");
    let other = sim(&charm, &scenario, &["--format", "json"]);
    assert!(
        !String::from_utf8_lossy(&other.stdout).contains(&digest),
        "keyed per run"
    );
    let shown = sim(&charm, &scenario, &["--format", "json", "--show-secrets"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("correct-horse"));
}

#[test]
fn impossible_scenarios_are_rejected() {
    let web = built("charms/web");
    for (scenario, wanted) in [
        (
            "stat: {}",
            "unknown key `stat`, there are `juju_version`, `state`, `events`, `expect`",
        ),
        (
            "state: {relations: [{endpont: ring}]}",
            "state.relations[0].endpont: unknown key `endpont`",
        ),
        (
            "events: [{event: start, exepct: {}}]",
            "unknown key `exepct`",
        ),
        (
            "events: [strat]",
            "cannot run event \"strat\": there is no such event; did you mean start?",
        ),
        (
            "events: [{event: start, config: {a: 1}}]",
            "the key config has no meaning for this event",
        ),
        (
            "state: {relations: [{endpoint: db}]}",
            "there is no endpoint \"db\" for a relation; the charm's metadata has ring",
        ),
        (
            "state: {relations: [{endpoint: ring}, {endpoint: ring}]}",
            "a unit has one peer relation \"ring\", not several",
        ),
        (
            "state: {relations: [{endpoint: ring, remote_app_name: x}]}",
            "\"ring\" is a peer relation",
        ),
        (
            "state: {secrets: [{label: a, tracked_content: {key: x}}]}",
            "the secret \"a\" has no owner: say `owner: unit`",
        ),
        (
            "state: {storages: [{name: data}]}",
            "there is no storage \"data\"; the charm's metadata has none",
        ),
        (
            "state: {containers: [{name: wbe}]}",
            "there is no container \"wbe\"; the charm's metadata has web",
        ),
        ("state: {config: {colour: red}}", "colour"),
        (
            "state: {resources: {x: /tmp/x}}",
            "there is no resource \"x\"",
        ),
        (
            "events: [{event: fetch-action, params: {path: 1}}]",
            "must be of type string, given 1",
        ),
        (
            "events: [db-relation-joined]",
            "the charm has no relation db; it has ring",
        ),
        ("events: [", "line"),
        ("- start", "it must be a map with state, events and expect"),
    ] {
        let output = sim(&web, scenario, &[]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{scenario}: {stderr}");
        assert!(stderr.starts_with("ERROR cannot "), "{scenario}: {stderr}");
        assert!(stderr.contains(wanted), "{scenario}: {stderr}");
        assert!(output.stdout.is_empty(), "{scenario}: something ran");
    }
    let output = charmhost([
        "sim".as_ref(),
        web.as_os_str(),
        "--scenario".as_ref(),
        "/nowhere.yaml".as_ref(),
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("cannot use the scenario /nowhere.yaml: No such file"),
        "{stderr}"
    );
}

#[test]
fn a_charm_that_never_returns_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("hooks")).unwrap();
    std::fs::write(dir.path().join("metadata.yaml"), "name: slow\n").unwrap();
    let hook = dir.path().join("hooks/start");
    std::fs::write(&hook, "#!/bin/sh\nsleep 1000 & sleep 1000\n").unwrap();
    std::process::Command::new("chmod")
        .arg("+x")
        .arg(&hook)
        .status()
        .unwrap();
    let output = charmhost([
        "sim",
        dir.path().to_str().unwrap(),
        "--event",
        "start",
        "--timeout",
        "0.5",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("it ran longer than 0.5 s and was killed"),
        "{stdout}"
    );
}

#[test]
fn without_pebble_a_container_cannot_run() {
    let web = built("charms/web");
    let dir = tempfile::tempdir().unwrap();
    for program in ["charmhost", "confine", "hook-tool"] {
        std::fs::copy(crate::support::dist(program), dir.path().join(program)).unwrap();
    }
    let mut command = std::process::Command::new(dir.path().join("charmhost"));
    command
        .arg("sim")
        .arg(&web)
        .args(["--event", "install", "--event", "web-pebble-ready"])
        .env("PATH", "/usr/bin:/bin");
    let output = loop {
        match command.output() {
            Ok(output) => break output,
            // Another test forked while this program was being written.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Err(error) => panic!("cannot run charmhost: {error}"),
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("cannot run the container \"web\": there is no Pebble to run in it"),
        "{stderr}"
    );
    assert!(output.stdout.is_empty(), "something ran");
}
