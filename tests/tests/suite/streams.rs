//! Everything in a container that can block, through the SDK, the interfaces, the
//! host and a real Pebble.

use serde_json::{Value, json};

use crate::support::{built, charmhost, shown};

/// Results of an action of a unit with the container `one`.
fn act(action: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    let scenario = format!("state: {{containers: [{{name: one}}]}}\nevents: [{action}-action]\n");
    std::fs::write(&path, scenario).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        built("tests/guests/streams").as_os_str(),
        "--scenario".as_ref(),
        path.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let action = &report["model"]["actions"][0];
    assert_eq!(action["status"], "completed", "{report:#}");
    let mut results = action["results"].clone();
    results.as_object_mut().unwrap().remove("return-code");
    results
}

#[test]
fn several_streams_are_waited_for() {
    assert_eq!(
        act("readiness"),
        json!({
            "ready": "[1, 2]",
            "left": "[1]",
            "late": "[] true",
            "now": "[]",
            "empty": "[]",
            "before": "false",
            "dropped": "true",
        })
    );
}

#[test]
fn streams_of_commands_are_read_and_written() {
    assert_eq!(
        act("commands"),
        json!({
            "change": "true",
            "answer": "got one\n",
            "exit": "5 5",
            "end": "true",
            "signal": "7",
            "output": "3 out true err true",
            "combined": "true []",
        })
    );
}

#[test]
fn a_terminal_has_a_size() {
    assert_eq!(
        act("terminal"),
        json!({
            "before": "30 100|on|",
            "after": "40 120|",
            "ended": "Other closed",
            "none": "InvalidInput",
        })
    );
}

#[test]
fn errors_of_commands_have_their_case() {
    assert_eq!(
        act("command-errors"),
        json!({
            "ready": "[0]",
            "held": "Timeout",
            "held-errors": "Timeout",
            "held-input": "Timeout",
            "held-wait": "Timeout",
            "held-output": "Timeout",
            "ended-input": "Other closed",
            "ended-signal": "Other closed",
            "closed-input": "Other closed",
            "closed": "Other closed",
            "nothing": "InvalidInput",
            "memory": "Other host-memory",
            "program": "Api(400)",
            "empty": "InvalidInput",
            "user": "Api(400)",
            "gone": "NotReady",
            "unknown": "UnknownContainer",
            "directory": "Api(500)",
        })
    );
}

#[test]
fn files_are_read_and_written_when_they_are_ready() {
    assert_eq!(
        act("files"),
        json!({
            "received": "8388608",
            "nothing": "InvalidInput",
            "directory": "Path(GenericFileError)",
            "relative": "InvalidInput",
            "missing": "Path(NotFound)",
        })
    );
}

#[test]
fn logs_are_read_and_followed() {
    assert_eq!(
        act("logs"),
        json!({
            "first": "two",
            "early": "[]",
            "second": "three",
            "all": "4 true",
            "last": "three",
            "none": "0",
            "nothing": "InvalidInput",
            "gone": "NotReady",
            "unknown": "UnknownContainer",
        })
    );
}

#[test]
fn notices_are_read_as_they_occur() {
    assert_eq!(
        act("notices"),
        json!({
            "early": "[]",
            "keys": "example.com/a,example.com/b,example.com/a",
            "some": "1 v",
            "both": "InvalidInput",
            "gone": "NotReady",
        })
    );
}

#[test]
fn a_charm_speaks_to_pebble_by_itself() {
    assert_eq!(
        act("socket"),
        json!({
            "early": "[] Timeout true",
            "ready": "[0]",
            "answer": "HTTP/1.1 200 OK",
            "body": "true",
            "finished": "Other closed",
            "written": "Other closed",
            "gone": "NotReady",
            "unknown": "UnknownContainer",
        })
    );
}

#[test]
fn what_pebble_sends_is_held_up_to_one_limit() {
    let results = act("socket-limit");
    let message = results["message"].as_str().unwrap();
    assert!(
        message.contains("4 MiB for all connections (limits.host-buffer-mib in charmhost.toml)"),
        "{message}"
    );
    assert_eq!(results["second"], "Other host-memory");
    assert_eq!(results["written"], "Other host-memory");
    assert_eq!(results["first"], "true");
}
