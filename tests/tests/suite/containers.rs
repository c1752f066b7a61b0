//! Containers and relations through the SDK, the interfaces, the host and a real
//! Pebble.

use serde_json::{Value, json};

use crate::support::{built, charmhost, shown};

/// Results of an action, and the whole report.
fn act(action: &str, state: &str) -> (Value, Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    let scenario = format!("state: {state}\nevents: [{action}-action]\n");
    std::fs::write(&path, scenario).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        built("tests/guests/containers").as_os_str(),
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
    (results, report)
}

const ONE: &str = "{containers: [{name: one}]}";

#[test]
fn files_are_written_and_read_whatever_their_size() {
    let (results, _) = act("files", ONE);
    assert_eq!(
        results,
        json!({
            "text": "false",
            "large": "20971520",
            "given-up": "false",
            "names": "large Regular 644, new Directory 755, secret Regular 600",
            "matching": "1",
            "directory": "true",
        })
    );
}

#[test]
fn commands_run_with_all_their_streams() {
    let (results, _) = act("commands", ONE);
    assert_eq!(
        results,
        json!({
            "counted": "3000000",
            "code": "3",
            "out": "out\n",
            "err": "err\n",
            "failed": "cannot run sh: it exited with 3: err",
            "much": "1000 1000 true true",
            "environment": "v\n/usr\n",
            "answer": "got one\n",
            "exit": "5",
            "late": "Some(Timeout)",
            "stopped": "7",
        })
    );
}

#[test]
fn services_and_checks_follow_the_layers() {
    let (results, report) = act("services", ONE);
    assert_eq!(
        results,
        json!({
            "again": "Some(Api(400))",
            "current": "a Inactive, b Active",
            "a": "true",
            "none": "true",
            "check": "true",
            "merged": "true",
            "version": "v1.32.1",
        })
    );
    let containers = &report["model"]["containers"];
    assert_eq!(
        containers[0]["services"],
        json!({"a": "active", "b": "active"})
    );
    assert_eq!(containers[1]["can_connect"], false);
}

#[test]
fn errors_have_the_matching_variant() {
    let (results, _) = act("errors", ONE);
    for (key, wanted) in [
        ("missing", "Path(NotFound): "),
        ("directory", "Path(GenericFileError): "),
        ("relative", "InvalidInput: "),
        ("change", "Change: cannot perform the following tasks:"),
        (
            "program",
            "Api(400): cannot find executable \"no-such-program\"",
        ),
        ("layer", "Api(400): "),
        (
            "unknown",
            "UnknownContainer: there is no container \"three\": the charm has one, two",
        ),
        (
            "away",
            "NotReady: cannot connect to Pebble at /charm/containers/two/pebble.socket",
        ),
        ("connect", "false"),
        (
            "relation",
            "NotFound: cannot run relation-ids: there is no endpoint \"web\"",
        ),
    ] {
        let got = results[key].as_str().unwrap();
        assert!(got.starts_with(wanted), "{key}: {got}");
    }
}

#[test]
fn databags_are_read_and_written_with_the_rules_of_ops() {
    let state = "{leader: false, relations: [{endpoint: db, id: 4, remote_app_name: pg, remote_app_data: {k: v}, remote_units_data: {0: {host: h}}}]}";
    let (results, report) = act("relations", state);
    assert_eq!(
        results,
        json!({
            "own": "{\"b\": \"2\"}",
            "follower": "NotLeader",
            "db": "4 Some(\"pg\") [\"pg/0\"] {\"k\": \"v\"}; {\"host\": \"h\"}",
        })
    );
    let relations = report["model"]["relations"].as_array().unwrap();
    let ring = relations
        .iter()
        .find(|relation| relation["endpoint"] == "ring")
        .unwrap();
    assert_eq!(ring["local_unit_data"]["b"], "2");
}

#[test]
fn waiting_for_a_container_uses_no_cpu_time() {
    // The guest has one second of CPU time, and waits for three.
    let (results, _) = act("wait", ONE);
    assert_eq!(results, json!({"waited": "true"}));
}
