//! Every function of Pebble, through the SDK, the interfaces and the host, in a real
//! Pebble: a success, and each of its errors.

use serde_json::{Value, json};

use crate::support::{built, charmhost, shown};

const LAYER: &str = "services:
  a: {override: replace, command: sleep 1000, startup: enabled}
  b: {override: replace, command: sleep 1000}
  bad: {override: replace, command: sh -c 'echo no reason; exit 3'}
checks:
  c: {override: replace, level: alive, period: 1h, exec: {command: 'true'}}
  down: {override: replace, level: ready, startup: disabled, threshold: 1, exec: {command: 'false'}}
  slow: {override: replace, startup: disabled, timeout: 9s, exec: {command: sleep 8}}
";

/// Does steps in a container with the layer, and compares how each ended.
fn check(steps: &[(Value, &str)]) {
    let layer = json!({"do": "layer", "label": "own", "layer": LAYER});
    let all: Vec<&Value> = std::iter::once(&layer)
        .chain(steps.iter().map(|(step, _)| step))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    let scenario = json!({
        "state": {"containers": [{"name": "one"}]},
        "events": [{"event": "run-action", "params": {"steps": all}}],
    });
    std::fs::write(&path, scenario.to_string()).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        built("tests/guests/workload").as_os_str(),
        "--scenario".as_ref(),
        path.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let logs = report["dispatches"][0]["logs"].as_array().unwrap();
    let logged: Vec<&str> = logs
        .iter()
        .filter(|line| line["level"] == "INFO")
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    let wanted: Vec<String> = std::iter::once("layer: done".to_owned())
        .chain(steps.iter().map(|(step, ended)| {
            let step = step["do"].as_str().unwrap();
            format!("{step}: {ended}")
        }))
        .collect();
    assert_eq!(logged, wanted, "{report:#}");
}

#[test]
fn services_and_their_changes() {
    check(&[
        (json!({"do": "ran", "name": "a"}), "false false"),
        (json!({"do": "autostart"}), "done"),
        (json!({"do": "ran", "name": "a"}), "true true"),
        (
            json!({"do": "start", "names": ["b"], "wait": 0.2}),
            "timeout of 3",
        ),
        (
            json!({"do": "start", "names": ["bad"], "wait": 0}),
            "change 4",
        ),
        (
            json!({"do": "wait", "id": "4"}),
            "start Start service \"bad\" Error true true 1 true",
        ),
        (
            json!({"do": "wait", "id": "1", "wait": 0.2}),
            "timeout of 1",
        ),
        (json!({"do": "stop", "names": ["bad", "b"]}), "done"),
        (
            json!({"do": "restart", "names": ["a"], "wait": 30}),
            "change 6",
        ),
        (json!({"do": "replan", "wait": 0.1}), "change 7"),
        (
            json!({"do": "services"}),
            "a enabled Active, b disabled Inactive, bad disabled Inactive",
        ),
        (
            json!({"do": "changes", "select": "ready", "name": "b"}),
            "start stop",
        ),
        (
            json!({"do": "metrics", "name": "pebble_service_start_count{service=\"a\"} 2"}),
            "true",
        ),
        (json!({"do": "abort", "id": "3"}), "api 400"),
        (json!({"do": "abort", "id": "1"}), "InvalidInput"),
        (json!({"do": "change", "id": "../plan"}), "InvalidInput"),
        (json!({"do": "abort", "id": "1/wait"}), "InvalidInput"),
        (json!({"do": "wait", "id": ""}), "InvalidInput"),
        (json!({"do": "start", "names": []}), "InvalidInput"),
        (json!({"do": "stop", "names": []}), "InvalidInput"),
        (json!({"do": "restart", "names": []}), "InvalidInput"),
        (
            json!({"do": "signal", "name": "SIGHUP", "names": []}),
            "InvalidInput",
        ),
    ]);
}

#[test]
fn checks_and_health() {
    let negative = "checks: {c: {override: merge, period: -1s}}";
    check(&[
        (json!({"do": "health"}), "true"),
        (json!({"do": "refresh", "name": "c"}), "succeeded true"),
        (json!({"do": "start-checks", "names": ["down"]}), "down"),
        (json!({"do": "refresh", "name": "down"}), "failed"),
        (json!({"do": "health"}), "false"),
        (json!({"do": "health", "level": "alive"}), "true"),
        (json!({"do": "health", "level": "ready"}), "false"),
        (json!({"do": "stop-checks", "names": ["down"]}), "down"),
        (json!({"do": "health"}), "true"),
        (json!({"do": "refresh", "name": "nobody"}), "api 404"),
        (
            json!({"do": "refresh", "name": "slow", "wait": 0.3}),
            "timeout",
        ),
        (json!({"do": "checks", "level": "none"}), "api 400"),
        (json!({"do": "start-checks", "names": []}), "InvalidInput"),
        (json!({"do": "stop-checks", "names": []}), "InvalidInput"),
        (
            json!({"do": "layer", "label": "own", "layer": negative, "combine": true}),
            "InvalidInput",
        ),
        (
            json!({"do": "layer", "label": "own", "layer": "services: {}"}),
            "api 400",
        ),
    ]);
}

#[test]
fn notices_identities_and_warnings() {
    check(&[
        (
            json!({"do": "notify", "key": "example.com/a", "data": {"k": "v"}}),
            "2",
        ),
        (
            json!({"do": "notice", "id": "2"}),
            "custom example.com/a 1 {\"k\":\"v\"} 0 604800 false",
        ),
        (
            json!({"do": "notices", "names": ["custom"]}),
            "example.com/a",
        ),
        (
            json!({"do": "notices", "names": ["custom"], "user-id": 54321}),
            "",
        ),
        (
            json!({"do": "notices", "users": true, "user-id": 0}),
            "InvalidInput",
        ),
        (json!({"do": "notice", "id": "2?"}), "InvalidInput"),
        (json!({"do": "notice", "id": "99"}), "api 404"),
        (json!({"do": "notify", "key": "no"}), "api 400"),
        (
            json!({"do": "replace-identity", "name": "bob", "access": "read", "user-id": 7}),
            "done",
        ),
        (json!({"do": "identities"}), "bob read 7 -"),
        (
            json!({"do": "remove-identities", "names": []}),
            "InvalidInput",
        ),
        (
            json!({"do": "remove-identities", "names": ["eve"]}),
            "api 400",
        ),
        (json!({"do": "remove-identities", "names": ["bob"]}), "done"),
        (json!({"do": "identities"}), ""),
        (json!({"do": "warnings"}), "Unsupported"),
        (json!({"do": "all-warnings"}), "Unsupported"),
        (json!({"do": "acknowledge"}), "Unsupported"),
    ]);
}

#[test]
fn files_are_described_listed_and_read_together() {
    let many = ["/srv/x/a", "/srv/none", "/srv/x"];
    let long = vec!["/0123456789".repeat(1000); 30];
    check(&[
        (
            json!({"do": "push", "path": "/srv/x/a", "content": "hello", "parents": true}),
            "done",
        ),
        (json!({"do": "stat", "path": "/srv/x/a"}), "a Regular 5 644"),
        (json!({"do": "stat", "path": "/srv/x"}), "x Directory 0 755"),
        (json!({"do": "stat", "path": "relative"}), "InvalidInput"),
        (json!({"do": "list", "path": "relative"}), "InvalidInput"),
        (
            json!({"do": "list", "path": "/srv/x", "pattern": "["}),
            "path generic-file-error",
        ),
        (
            json!({"do": "many", "names": many}),
            "/srv/x/a 5, /srv/none path not-found, /srv/x path generic-file-error",
        ),
        (json!({"do": "many", "names": []}), "InvalidInput"),
        (json!({"do": "many", "names": long}), "InvalidInput"),
        (
            json!({"do": "make-dir", "path": "/srv/y", "mode": 0o1777}),
            "InvalidInput",
        ),
        (
            json!({"do": "make-dir", "path": "/srv/x/a/b"}),
            "path generic-file-error",
        ),
    ]);
}

#[test]
fn files_that_are_too_large_for_the_host_are_an_error() {
    let name = "/srv/large";
    let fill = json!({"do": "push", "path": name, "content": "x".repeat(1 << 19), "parents": true});
    let all = vec![name; 400];
    check(&[
        (fill, "done"),
        (json!({"do": "many", "names": all}), "Other"),
    ]);
}
