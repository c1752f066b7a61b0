//! `charmhost sim`: the lifecycle of a unit, as JSON and as a timeline.

use serde_json::{Value, json};

use crate::support::{built, charmhost, shown};

fn sim(more: &[&str]) -> std::process::Output {
    let charm = built("charms/hello");
    let mut args = vec!["sim".to_owned(), charm.display().to_string()];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    charmhost(args)
}

fn report(more: &[&str]) -> Value {
    let output = sim(&[&["--format", "json"], more].concat());
    assert!(output.status.success(), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_lifecycle_has_its_events_and_changes_the_model() {
    let report = report(&[]);
    let events: Vec<&str> = report["dispatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dispatch| {
            assert_eq!(dispatch["exit_code"], 0);
            assert!(dispatch["duration_ms"].as_f64().unwrap() > 0.0);
            assert_eq!(dispatch["deferred"], json!([]));
            dispatch["event"].as_str().unwrap()
        })
        .collect();
    for wanted in [
        "install",
        "config-changed",
        "start",
        "update-status",
        "greet-action",
        "stop",
        "remove",
    ] {
        assert!(events.contains(&wanted), "{wanted} is not in {events:?}");
    }
    assert_eq!(report["model"]["ports"], json!(["8080/tcp"]));
    assert_eq!(report["model"]["workload_version"], "0.1.0");
}

#[test]
fn a_hook_tool_call_is_reported_completely() {
    let report = report(&["--event", "config-changed", "--config", "port=9090"]);
    let calls = report["dispatches"][0]["hook_tools"].as_array().unwrap();
    let call = calls
        .iter()
        .find(|call| call["tool"] == "open-port")
        .unwrap();
    assert_eq!(
        call,
        &json!({"tool": "open-port", "args": ["9090/tcp"], "stdin": null, "exit_code": 0, "stdout": ""})
    );
    assert_eq!(report["model"]["config"]["port"], 9090);
    assert_eq!(report["model"]["ports"], json!(["9090/tcp"]));
}

#[test]
fn an_archive_runs_like_a_directory() {
    let archive = built("charms/hello").join("../packed.charm");
    let output = charmhost(["sim".as_ref(), archive.as_os_str()]);
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    for wanted in [
        "install",
        "open-port 8080/tcp",
        "active: saying Hello on port 8080",
    ] {
        assert!(stdout.contains(wanted), "{wanted:?} is not in {stdout}");
    }
}

#[test]
fn a_failing_hook_is_rolled_back_and_fails_the_simulation() {
    let charm = built("tests/guests/faults").display().to_string();
    let output = charmhost(["sim", &charm, "--event", "start", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["dispatches"][0]["exit_code"], 1);
}

#[test]
fn invalid_arguments_are_reported() {
    for (args, wanted) in [
        (&["--config", "prot=1"][..], "prot"),
        (&["--config", "port=eighty"], "eighty"),
        (&["--config", "port"], "for example port=8080"),
        (&["--event", "no-such-event"], "no-such-event"),
        (&["--event", "other-action"], "other"),
    ] {
        let output = sim(args);
        assert!(!output.status.success(), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(wanted), "{args:?}: {stderr}");
    }
    let output = charmhost(["sim", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such file or directory"));
}
