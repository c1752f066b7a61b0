//! The interfaces of secrets, networks, the goal state and the cloud: each function
//! of the contract once with success, and each case of its `Errors:` line.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Agent, Dispatch, built, charmhost, fails, prints, root, shown, usual};

const APP: &str = "9m4e2mr0ui3e8a215n4g";
const UNIT: &str = "9m4e2mr0ui3e8a215n60";
const REMOTE: &str = "9m4e2mr0ui3e8a215n50";

/// A model with a relation and secrets of this application, this unit and another
/// application.
fn state() -> Value {
    json!({
        "relations": [{
            "endpoint": "client", "id": 4, "remote_app_name": "pg",
            "remote_units_data": {"0": {}},
            "remote_model_uuid": "11111111-2222-3333-4444-555555555555",
        }],
        "secrets": [
            {"id": APP, "owner": "app", "label": "mine", "tracked_content": {"token": "app"}},
            {"id": UNIT, "owner": "unit", "tracked_content": {"token": "unit"}},
            {"id": REMOTE, "owner": "pg", "tracked_content": {"token": "theirs"},
             "latest_content": {"token": "newer"}},
        ],
    })
}

/// A model as [`state`] with other entries.
fn state_with(entries: Value) -> Value {
    let mut state = state();
    let entries = entries.as_object().unwrap().clone();
    state.as_object_mut().unwrap().extend(entries);
    state
}

/// Runs steps of the guest `vault` in an action. Returns the report and what each
/// step logged.
fn run(state: Value, version: &str, steps: Value) -> (Value, Vec<String>) {
    let params = json!({"errors": true, "steps": steps});
    run_events(
        state,
        version,
        json!([{"event": "run-action", "params": params}]),
    )
}

/// Runs the guest `vault` through events. Returns the report and what was logged.
fn run_events(state: Value, version: &str, events: Value) -> (Value, Vec<String>) {
    built("tests/guests/vault");
    let charm = root().join("target/suite/tests-guests-vault/packed.charm");
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("scenario.yaml");
    let text = json!({
        "juju_version": version,
        "state": state,
        "events": events,
    });
    std::fs::write(&scenario, text.to_string()).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        charm.as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
        "--show-secrets".as_ref(),
    ]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
    let dispatches = report["dispatches"].as_array().unwrap().iter();
    let logs = dispatches.flat_map(|dispatch| dispatch["logs"].as_array().unwrap());
    let infos = logs.filter(|line| line["level"] == "INFO");
    let text = |line: &Value| line["message"].as_str().unwrap().to_owned();
    let logged = infos.map(text).collect();
    (report, logged)
}

/// The same with the model and version of most tests.
fn steps(steps: Value) -> (Value, Vec<String>) {
    run(state(), "3.6.28", steps)
}

/// Checks the beginning of what each step logged.
#[track_caller]
fn check(logged: &[String], wanted: &[&str]) {
    let fits = logged.len() == wanted.len()
        && logged
            .iter()
            .zip(wanted)
            .all(|(line, wanted)| line.starts_with(wanted));
    assert!(fits, "wanted: {wanted:#?}\nlogged: {logged:#?}");
}

/// A secret of the model at the end.
fn secret<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    let mut secrets = report["model"]["secrets"].as_array().unwrap().iter();
    secrets.find(|secret| secret["id"] == id)
}

/// Runs steps under an agent that answers one tool in its own way.
fn under_agent(
    tool: &'static str,
    answer: fn() -> Result<charmhost_jujuc::Reply, String>,
    steps: Value,
) -> (Agent, Vec<String>) {
    let params = json!({"errors": true, "steps": steps}).to_string();
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        called if called == tool => answer(),
        _ => usual(request),
    });
    let charm = built("tests/guests/vault");
    let ended = Dispatch::new(&charm, "actions/run", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let infos = agent.logs().into_iter();
    let logged = infos.filter_map(|line| Some(line.strip_prefix("INFO ")?.to_owned()));
    let logged = logged.collect();
    (agent, logged)
}

#[test]
fn content_of_secrets_is_read() {
    let id = format!("secret:{REMOTE}");
    let (report, logged) = steps(json!([
        {"do": "get", "id": id, "name": "s"},
        {"do": "peek", "secret": "s"},
        {"do": "refresh", "secret": "s"},
        {"do": "content", "secret": "s"},
        {"do": "get", "id": "secret:9m4e2mr0ui3e8a215n70"},
        {"do": "get", "label": "nobody"},
    ]));
    let wanted = [
        "get: {\"token\":\"theirs\"}",
        "peek: {\"token\":\"newer\"}",
        "refresh: {\"token\":\"newer\"}",
        "content: {\"token\":\"newer\"}",
        "get: NotFound -: cannot run secret-get: secret",
        "get: NotFound -: cannot run secret-get: consumer label",
    ];
    check(&logged, &wanted);
    assert_eq!(secret(&report, REMOTE).unwrap()["tracked_revision"], 2);
    let denied = || fails(1, "ERROR permission denied\n");
    let get = json!([{"do": "get", "id": "secret:x"}]);
    let (agent, logged) = under_agent("secret-get", denied, get);
    check(&logged, &["get: PermissionDenied -: cannot run secret-get"]);
    let events: Vec<String> = agent.logs();
    let event = events
        .iter()
        .find(|line| line.contains("authz_fail:secret-get"));
    assert!(event.is_some(), "{events:?}");
}

#[test]
fn metadata_of_secrets_is_read_by_the_owner() {
    let (_, logged) = steps(json!([
        {"do": "info", "label": "mine"},
        {"do": "info", "id": UNIT},
        {"do": "info", "id": REMOTE},
        {"do": "ids"},
    ]));
    let info = |id: &str, label: &str| format!("info: {id} {label} - 1 - never -");
    let ids = format!("ids: {APP} {UNIT}");
    let wanted = [
        &info(APP, "mine"),
        &info(UNIT, "-"),
        "info: NotFound -: cannot run secret-info-get: secret",
        &ids,
    ];
    check(&logged, &wanted);
    let follower = state_with(json!({"leader": false}));
    let (_, logged) = run(
        follower,
        "3.6.28",
        json!([{"do": "info", "id": APP}, {"do": "ids"}]),
    );
    check(&logged, &["info: NotFound -: ", &format!("ids: {UNIT}")]);
    let (_, logged) = under_agent("secret-ids", || prints("7"), json!([{"do": "ids"}]));
    check(
        &logged,
        &["ids: Other unexpected-output: cannot run secret-ids"],
    );
}

#[test]
fn secrets_are_added() {
    let (report, logged) = steps(json!([
        {"do": "add", "owner": "app", "content": [["user-name", "admin"], ["empty", ""]],
         "label": "admin", "description": "d", "expire": 4e9, "rotate": "weekly"},
        {"do": "add", "owner": "unit", "content": [["token", "long".repeat(50_000)]]},
        {"do": "add", "owner": "unit", "content": []},
        {"do": "add", "owner": "unit", "content": [["ab", "x"]]},
        {"do": "add", "owner": "unit", "content": [["abc", "x"], ["abc", "y"]]},
        {"do": "add", "owner": "unit", "content": [["abc", "x"]], "expire": -1.0},
        {"do": "add", "owner": "unit", "content": [["abc", "x"]], "label": "admin"},
    ]));
    let invalid = "add: InvalidInput -: cannot run secret-add: ";
    let taken = "add: Other hook-tool-failed: cannot run secret-add: secret with label";
    check(
        &logged,
        &[
            "add: done",
            "add: done",
            invalid,
            invalid,
            invalid,
            invalid,
            taken,
        ],
    );
    let secrets = report["model"]["secrets"].as_array().unwrap();
    let added = secrets
        .iter()
        .find(|secret| secret["label"] == "admin")
        .unwrap();
    assert_eq!(added["owner"], "application");
    assert_eq!(added["description"], "d");
    assert_eq!(added["rotate"], "weekly");
    assert_eq!(
        added["revisions"]["1"],
        json!({"user-name": "admin", "empty": ""})
    );
    let long = |secret: &&Value| secret["revisions"]["1"]["token"] == "long".repeat(50_000);
    let added = secrets.iter().find(long).unwrap();
    assert_eq!(added["owner"], "unit");
    let follower = state_with(json!({"leader": false}));
    let add = json!([{"do": "add", "owner": "app", "content": [["abc", "x"]]}]);
    let (_, logged) = run(follower, "3.6.28", add);
    check(
        &logged,
        &["add: NotLeader -: cannot run secret-add: this unit is not the leader"],
    );
}

#[test]
fn secrets_are_changed() {
    for version in ["3.6.28", "3.5.6"] {
        let change = json!([
            {"do": "set-content", "label": "mine", "content": [["token", "new"]]},
            {"do": "set-info", "id": APP, "label": "other", "description": "d"},
            {"do": "set-content", "id": APP, "content": [["ab", "new"]]},
            {"do": "set-content", "label": "nobody", "content": [["token", "new"]]},
            {"do": "set-info", "id": APP},
            {"do": "set-info", "id": APP, "expire": -1.0},
            {"do": "set-info", "label": "nobody"},
        ]);
        let (report, logged) = run(state(), version, change);
        let wanted = [
            "set-content: done",
            "set-info: done",
            "set-content: InvalidInput -: cannot run secret-set: these keys are not allowed",
            "set-content: NotFound -: cannot run secret-info-get: ",
            "set-info: InvalidInput -: cannot run secret-set: nothing is to be set",
            "set-info: InvalidInput -: cannot run secret-set: -1 is not an expiry time",
            "set-info: NotFound -: cannot run secret-info-get: ",
        ];
        check(&logged, &wanted);
        let changed = secret(&report, APP).unwrap();
        assert_eq!(changed["label"], "other", "{version}");
        assert_eq!(changed["description"], "d", "{version}");
        assert_eq!(
            changed["revisions"]["2"],
            json!({"token": "new"}),
            "{version}"
        );
    }
}

#[test]
fn secrets_are_granted_and_revoked() {
    let (report, logged) = steps(json!([
        {"do": "grant", "id": APP, "relation": ["client", 4]},
        {"do": "grant", "id": UNIT, "relation": ["client", 4], "unit": "pg/0"},
        {"do": "grant", "id": REMOTE, "relation": ["client", 4]},
        {"do": "grant", "id": APP, "relation": ["client", 99]},
        {"do": "grant", "id": APP, "relation": ["client", 4], "unit": "other/0"},
    ]));
    let wanted = [
        "grant: done",
        "grant: done",
        "grant: NotFound -: cannot run secret-grant: secret",
        "grant: RelationGone -: cannot run secret-grant: invalid value",
        "grant: InvalidInput -: cannot run secret-grant: cannot specify unit",
    ];
    check(&logged, &wanted);
    assert_eq!(secret(&report, APP).unwrap()["grants"], json!(["4"]));
    assert_eq!(secret(&report, UNIT).unwrap()["grants"], json!(["4 pg/0"]));
    let mut granted = state();
    granted["secrets"][0]["remote_grants"] = json!({"4": ["pg"]});
    let revoke = json!([
        {"do": "revoke", "label": "mine", "relation": ["client", 4]},
        {"do": "revoke", "id": APP, "relation": ["client", 99]},
        {"do": "revoke", "label": "nobody", "relation": ["client", 4]},
    ]);
    let (report, logged) = run(granted, "3.6.28", revoke);
    let wanted = [
        "revoke: done",
        "revoke: RelationGone -: cannot run secret-revoke: invalid value",
        "revoke: NotFound -: cannot run secret-info-get: ",
    ];
    check(&logged, &wanted);
    assert_eq!(secret(&report, APP).unwrap()["grants"], json!([]));
}

#[test]
fn secrets_are_removed() {
    let mut two = state();
    two["secrets"][0]["latest_content"] = json!({"token": "new"});
    let remove = json!([
        {"do": "refresh", "id": APP},
        {"do": "remove", "id": APP, "revision": 1},
        {"do": "remove", "id": UNIT},
        {"do": "remove", "id": APP, "revision": 0},
        {"do": "remove", "label": "nobody"},
    ]);
    let (report, logged) = run(two, "3.6.28", remove);
    let wanted = [
        "refresh: {\"token\":\"new\"}",
        "remove: done",
        "remove: done",
        "remove: InvalidInput -: cannot run secret-remove: there is no revision 0",
        "remove: NotFound -: cannot run secret-info-get: ",
    ];
    check(&logged, &wanted);
    assert_eq!(
        secret(&report, APP).unwrap()["revisions"],
        json!({"2": {"token": "new"}})
    );
    assert_eq!(secret(&report, UNIT), None);
}

#[test]
fn secrets_are_named_by_their_ids_and_labels() {
    let get = json!([
        {"do": "get", "id": REMOTE, "label": "theirs"},
        {"do": "get", "label": "theirs"},
        {"do": "get", "label": "mine"},
        {"do": "get", "id": "secret:?"},
    ]);
    let (report, logged) = steps(get);
    let wanted = [
        "get: {\"token\":\"theirs\"}",
        "get: {\"token\":\"theirs\"}",
        "get: {\"token\":\"app\"}",
        "get: InvalidInput -: cannot run secret-get: secret URI",
    ];
    check(&logged, &wanted);
    let calls = report["dispatches"][0]["hook_tools"].as_array().unwrap();
    let args = |call: &Value| call["args"].as_array().unwrap().clone();
    let get = calls
        .iter()
        .find(|call| call["tool"] == "secret-get")
        .unwrap();
    assert_eq!(args(get)[2..], [json!("--label"), json!("theirs")]);
}

#[test]
fn every_rotation_is_set_and_read_back() {
    let words = [
        "never",
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "yearly",
    ];
    let changed = words.map(|word| {
        let set = json!({"do": "set-info", "id": APP, "rotate": word});
        [set, json!({"do": "info", "id": APP})]
    });
    let (report, logged) = steps(json!(changed.concat()));
    let read: Vec<&String> = logged
        .iter()
        .filter(|line| line.starts_with("info"))
        .collect();
    assert_eq!(read.len(), words.len(), "{logged:?}");
    for (line, word) in read.iter().zip(words) {
        assert_eq!(**line, format!("info: {APP} mine - 1 - {word} -"));
    }
    assert_eq!(secret(&report, APP).unwrap()["rotate"], "yearly");
}

#[test]
fn a_reader_sees_a_new_revision_and_an_owner_rotates() {
    let events = json!([
        {"event": "secret-changed", "secret": REMOTE, "content": {"token": "newest"}},
        {"event": "secret-rotate", "secret": APP},
    ]);
    let (report, logged) = run_events(state(), "3.6.28", events);
    assert_eq!(logged, ["changed -: {\"token\":\"newest\"}"]);
    let rotated = &secret(&report, APP).unwrap()["revisions"]["2"];
    assert_eq!(*rotated, json!({"token": "rotated", "serial": "2"}));
}

#[test]
fn revisions_that_expired_or_are_unused_are_removed() {
    let mut two = state();
    for secret in [0, 1] {
        two["secrets"][secret]["latest_content"] = json!({"token": "new"});
    }
    let events = json!([
        {"event": "secret-expired", "secret": APP, "revision": 1},
        {"event": "secret-remove", "secret": UNIT, "revision": 1},
    ]);
    let (report, logged) = run_events(two, "3.6.28", events);
    assert_eq!(logged, ["expired 1", "remove 1"]);
    for id in [APP, UNIT] {
        let revisions = &secret(&report, id).unwrap()["revisions"];
        assert_eq!(*revisions, json!({"2": {"token": "new"}}), "{id}");
    }
}

/// Every process can read the arguments of a program.
#[test]
fn a_program_gets_the_values_of_a_secret_in_files() {
    let tools = tempfile::tempdir().unwrap();
    let at = tools.path().display();
    let params = json!({"steps": [
        {"do": "add", "owner": "unit", "content": [["token", "s3cret"], ["other", "two\nlines"]]},
    ]});
    std::fs::write(tools.path().join("params"), params.to_string()).unwrap();
    let add = format!(
        "for arg; do case $arg in *#file=*) cp \"${{arg#*=}}\" {at}/; stat -c %a \"${{arg#*=}}\" >> {at}/modes ;; esac; done; echo secret:{UNIT}"
    );
    for (name, act) in [
        ("juju-log", String::new()),
        ("action-get", format!("cat {at}/params")),
        ("is-leader", "echo true".to_owned()),
        ("secret-add", add),
    ] {
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> {at}/calls\n{act}\n");
        let path = tools.path().join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let charm = built("tests/guests/vault");
    let ended = Dispatch::new(&charm, "actions/run", &Agent::new())
        .var("CHARMHOST_HOOK_TOOLS", "exec")
        .var("PATH", &format!("{at}:/usr/bin:/bin"))
        .run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = |name: &str| std::fs::read_to_string(tools.path().join(name)).unwrap();
    assert_eq!(
        (read("token").as_str(), read("other").as_str()),
        ("s3cret", "two\nlines")
    );
    assert_eq!(read("modes"), "600\n600\n");
    let calls = read("calls");
    let call = calls
        .lines()
        .find(|call| call.starts_with("secret-add"))
        .unwrap();
    let words: Vec<&str> = call.split(' ').collect();
    assert_eq!(words[..3], ["secret-add", "--owner", "unit"]);
    let paths: Vec<&str> = words[3..]
        .iter()
        .map(|word| word.split_once('=').unwrap().1)
        .collect();
    assert_eq!(paths.len(), 2, "{call}");
    let is_gone = |path: &&str| !std::path::Path::new(path).exists();
    assert!(paths.iter().all(is_gone), "{call}");
}

#[test]
fn networks_are_read() {
    let networks = json!({"networks": [{
        "binding_name": "client",
        "bind_addresses": [{"interface_name": "eth1", "addresses": [{"value": "10.1.0.7"}]}],
        "ingress_addresses": ["10.1.0.8"],
        "egress_subnets": ["10.1.0.0/16"],
    }]});
    let read = json!([
        {"do": "network", "binding": "client"},
        {"do": "network", "relation": ["client", 4]},
        {"do": "network", "relation": ["client", 99]},
        {"do": "network", "binding": "nowhere"},
        {"do": "network", "binding": "--help"},
    ]);
    let (_, logged) = run(state_with(networks), "3.6.28", read);
    let found = "network: eth1 10.1.0.7 10.1.0.7/32; 10.1.0.7; 10.1.0.8; 10.1.0.0/16";
    let wanted = [
        found,
        found,
        found,
        "network: NotFound -: cannot run network-get: no network config found",
        "network: InvalidInput -: cannot run network-get: \"--help\" is not the name",
    ];
    check(&logged, &wanted);
}

#[test]
fn addresses_have_their_interfaces_and_subnets() {
    let networks = json!({"networks": [{
        "binding_name": "client",
        "bind_addresses": [
            {"interface_name": "eth0", "addresses": [
                {"value": "10.1.0.7", "cidr": "10.1.0.0/24"},
                {"value": "fd00::7"},
                {"value": "web.internal"},
            ]},
            {"interface_name": "", "addresses": [{"value": "10.2.0.7", "cidr": "10.2.0.0/24"}]},
        ],
    }]});
    let (_, logged) = run(
        state_with(networks),
        "3.6.28",
        json!([{"do": "network", "binding": "client"}]),
    );
    let wanted = "network: eth0 10.1.0.7 10.1.0.0/24, eth0 fd00::7 fd00::7/128, \
        eth0 web.internal -, - 10.2.0.7 10.2.0.0/24; 10.1.0.7; ; ";
    assert_eq!(logged, [wanted]);
}

#[test]
fn the_goal_state_is_read() {
    let read = json!([{"do": "planned-units"}, {"do": "goal-state"}]);
    let planned = state_with(json!({"planned_units": 2}));
    let (_, logged) = run(planned, "3.6.28", read.clone());
    let since = "1767323045.000000";
    let state = format!(
        "goal-state: vault/0 active {since}, vault/1 active {since}; client: pg joined {since}, pg/0 active {since}"
    );
    check(&logged, &["planned-units: 2", &state]);
    let (_, logged) = under_agent("goal-state", || prints("{}"), read);
    let unexpected = "Other unexpected-output: cannot run goal-state: its output is not a map";
    let wanted = ["planned-units", "goal-state"].map(|verb| format!("{verb}: {unexpected}"));
    check(&logged, &wanted.each_ref().map(String::as_str));
}

#[test]
fn the_cloud_is_read_by_a_trusted_charm() {
    let cloud = json!({"model": {"type": "lxd", "cloud_spec": {
        "type": "lxd", "name": "localhost", "endpoint": "https://10.0.0.1",
        "credential": {"auth_type": "certificate", "attributes": {"key": "k"}, "redacted": ["pin"]},
    }}});
    let read = json!([{"do": "cloud-spec"}]);
    let (_, logged) = run(state_with(cloud), "3.6.28", read.clone());
    let spec = "cloud-spec: lxd localhost - https://10.0.0.1 - - (certificate {\"key\":\"k\"} [pin]) [] false false";
    check(&logged, &[spec]);
    let (_, logged) = run(state(), "3.6.28", read);
    check(
        &logged,
        &["cloud-spec: PermissionDenied -: cannot run credential-get: "],
    );
}

#[test]
fn the_model_of_a_remote_application_is_read() {
    let read = json!([
        {"do": "model-uuid", "relation": ["client", 4]},
        {"do": "model-uuid", "relation": ["client", 99]},
        {"do": "model-uuid", "relation": ["nowhere", 4]},
    ]);
    let (_, logged) = run(state(), "3.6.28", read.clone());
    let wanted = [
        "model-uuid: 11111111-2222-3333-4444-555555555555",
        "model-uuid: RelationGone -: ",
        "model-uuid: NotFound -: ",
    ];
    check(&logged, &wanted);
    let (_, logged) = run(state(), "3.6.0", read);
    let missing =
        "model-uuid: NotFound -: cannot run relation-model-get: this Juju has no such hook tool";
    assert!(logged[0].starts_with(missing), "{logged:?}");
}
