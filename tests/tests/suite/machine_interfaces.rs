//! The interfaces of storage, resources, metadata, ports and reboots: each function of
//! the contract once with success, and each case of its `Errors:` line.

use charmhost_jujuc::Request;
use serde_json::{Value, json};

use crate::support::{Agent, Dispatch, built, charmhost, prints, shown, usual};

const GUEST: &str = "tests/guests/machine";

/// Runs orders of the guest in config-changed under the simulated agent. Returns the
/// report, and what each order logged.
fn run(state: Value, orders: &str) -> (Value, Vec<String>) {
    run_event(state, orders, json!({"event": "config-changed"}))
}

fn run_event(mut state: Value, orders: &str, event: Value) -> (Value, Vec<String>) {
    state["config"] = json!({ "orders": orders });
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("scenario.yaml");
    let notes = dir.path().join("notes.txt");
    std::fs::write(&notes, "Some notes.\n").unwrap();
    state["resources"] = json!({ "notes": notes });
    let text = json!({ "state": state, "events": [event] });
    std::fs::write(&scenario, text.to_string()).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        built(GUEST).as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
    let logs = report["dispatches"][0]["logs"].as_array().unwrap();
    let logs = logs.iter().filter(|line| line["level"] == "INFO");
    let text = |line: &Value| line["message"].as_str().unwrap().to_owned();
    let logs = logs.map(text).collect();
    (report, logs)
}

/// What orders log.
#[track_caller]
fn assert_logs(orders: &str, wanted: &[&str]) {
    let (_, logs) = run(json!({}), orders);
    assert_eq!(logs, wanted);
}

/// The log of one order under an agent that answers one tool with a text.
fn under_agent(tool: &'static str, answer: &'static str, orders: &str) -> String {
    let config = json!({ "orders": orders, "level": {"newer": [1]} }).to_string();
    let agent = Agent::answering(move |request: &Request| match request.tool.as_str() {
        "config-get" => prints(&config),
        name if name == tool => prints(answer),
        _ => usual(request),
    });
    let ended = Dispatch::new(&built(GUEST), "hooks/config-changed", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let logs = agent.logs();
    let found = logs
        .iter()
        .find_map(|line| line.strip_prefix(&format!("INFO {orders}: ")));
    found.unwrap_or_else(|| panic!("{logs:?}")).to_owned()
}

#[test]
fn storage_is_listed_and_looked_up() {
    let state = json!({ "storages": [{"name": "data", "index": 1}, {"name": "data", "index": 0}] });
    let (report, logs) = run(state, "list data; get data 1; write data 1 text");
    let model = &report["model"]["storages"]["data/1"];
    let location = model["location"].as_str().unwrap();
    assert_eq!(
        logs,
        [
            "list data: 0 1".to_owned(),
            format!("get data 1: filesystem {location}"),
            "write data 1 text: text".to_owned(),
        ]
    );
}

#[test]
fn storage_that_does_not_exist_is_not_found() {
    assert_logs(
        "list cache; get cache 0; get data 7; request cache 1",
        &[
            "list cache: not-found",
            "get cache 0: not-found",
            "get data 7: not-found",
            "request cache 1: not-found",
        ],
    );
}

#[test]
fn storage_is_requested() {
    let (report, logs) = run(json!({}), "request data 2; request disk 0");
    assert_eq!(
        logs,
        ["request data 2: done", "request disk 0: invalid-input"]
    );
    assert_eq!(report["model"]["storage_requests"], json!([["data", 2]]));
}

#[test]
fn a_storage_of_a_newer_kind_is_passed_on() {
    let answer = "{\"kind\":\"tape\",\"location\":\"/dev/tape\"}";
    let log = under_agent("storage-get", answer, "get data 0");
    assert_eq!(log, "Other(\"tape\") /dev/tape");
}

#[test]
fn a_resource_is_fetched_and_read() {
    let (report, logs) = run(json!({}), "fetch notes");
    let calls = report["dispatches"][0]["hook_tools"].as_array().unwrap();
    let fetches = calls.iter().filter(|call| call["tool"] == "resource-get");
    assert_eq!(fetches.count(), 1);
    assert!(logs[0].starts_with("fetch notes: /"), "{logs:?}");
    assert!(logs[0].ends_with("notes.txt: Some notes."), "{logs:?}");
}

#[test]
fn a_resource_that_does_not_exist_is_an_error() {
    assert_logs(
        "fetch tar; fetch extra",
        &["fetch tar: not-found", "fetch extra: hook-tool-failed"],
    );
}

/// Juju creates the directory of resources with the first of them, which can be when
/// the guest already runs.
#[test]
fn the_first_resource_of_a_unit_can_be_read() {
    let unit = tempfile::tempdir().unwrap();
    let charm = unit.path().join("charm");
    std::fs::create_dir(&charm).unwrap();
    for entry in std::fs::read_dir(built(GUEST)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, charm.join(path.file_name().unwrap())).unwrap();
        }
    }
    let file = unit.path().join("resources/notes/notes.txt");
    let downloaded = file.clone();
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "config-get" => prints("{\"orders\":\"fetch notes\"}"),
        "resource-get" => {
            std::fs::create_dir_all(downloaded.parent().unwrap()).unwrap();
            std::fs::write(&downloaded, "fresh").unwrap();
            prints(downloaded.to_str().unwrap())
        }
        _ => usual(request),
    });
    let ended = Dispatch::new(&charm, "hooks/config-changed", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let wanted = format!("INFO fetch notes: {}: fresh", file.display());
    assert!(agent.logs().contains(&wanted), "{:?}", agent.logs());
}

#[test]
fn ports_are_opened_listed_and_closed() {
    let orders = "open 80/tcp; open 8000-8010/udp db,web; open icmp; close icmp; opened; opened-with-endpoints";
    let (report, logs) = run(json!({}), orders);
    assert_eq!(
        logs[4..],
        [
            "opened: 80/tcp 8000-8010/udp",
            "opened-with-endpoints: 80/tcp () 8000-8010/udp (db,web)"
        ]
    );
    assert_eq!(report["model"]["ports"], json!(["80/tcp", "8000-8010/udp"]));
}

#[test]
fn ports_are_set() {
    let state = json!({ "opened_ports": ["22/tcp", "8000-8010/udp"] });
    let (report, logs) = run(state, "set 80/tcp 8000-8010/udp");
    assert_eq!(logs, ["set 80/tcp 8000-8010/udp: done"]);
    assert_eq!(report["model"]["ports"], json!(["80/tcp", "8000-8010/udp"]));
}

#[test]
fn ports_that_cannot_be_opened_are_errors() {
    let orders = "open 0/tcp; close 90-80/udp; open 80/tcp db,cache; close 80/tcp cache; open 80-90/tcp; open 85/tcp; close 85/tcp; set 85/tcp 80-90/tcp; set 0/tcp";
    assert_logs(
        orders,
        &[
            "open 0/tcp: invalid-input",
            "close 90-80/udp: invalid-input",
            "open 80/tcp db,cache: not-found",
            "close 80/tcp cache: not-found",
            "open 80-90/tcp: done",
            "open 85/tcp: hook-tool-failed",
            "close 85/tcp: hook-tool-failed",
            "set 85/tcp 80-90/tcp: hook-tool-failed",
            "set 0/tcp: invalid-input",
        ],
    );
}

#[test]
fn ports_that_cannot_be_understood_are_an_error() {
    for orders in ["opened", "opened-with-endpoints", "set 80/tcp"] {
        let log = under_agent("opened-ports", "[\"eighty\"]", orders);
        assert_eq!(log, "unexpected-output", "{orders}");
    }
}

#[test]
fn an_option_of_a_newer_type_is_json() {
    assert_eq!(under_agent("none", "", "option level"), "{\"newer\":[1]}");
}

#[test]
fn metadata_is_typed() {
    assert_logs(
        "roles",
        &["roles: db Requires pg, ring Peer ring, web Provides http"],
    );
}

#[test]
fn the_machine_reboots_after_the_hook() {
    let (report, logs) = run(json!({}), "reboot; open 80/tcp");
    assert_eq!(logs, ["reboot: done", "open 80/tcp: done"]);
    assert_eq!(report["model"]["reboot"], true);
    assert_eq!(report["model"]["ports"], json!(["80/tcp"]));
}

#[test]
fn a_reboot_at_once_ends_the_dispatch() {
    let (report, logs) = run(json!({}), "count; reboot-now; open 80/tcp");
    assert_eq!(logs, ["count: 1"]);
    let dispatch = &report["dispatches"][0];
    assert_eq!(dispatch["exit_code"], 0);
    let calls = dispatch["hook_tools"].as_array().unwrap();
    let mut calls = calls.iter().filter(|call| call["tool"] != "juju-log");
    let last = calls.next_back().unwrap();
    assert_eq!(last["tool"], "juju-reboot");
    assert_eq!(last["args"], json!(["--now"]));
    let errors = dispatch["logs"].as_array().unwrap();
    assert!(
        errors.iter().all(|line| line["level"] != "ERROR"),
        "{errors:?}"
    );
    assert_eq!(report["model"]["reboot"], true);
}

#[test]
fn a_reboot_in_an_action_is_an_error() {
    let event = json!({ "event": "act-action", "params": {"count": 1} });
    let (report, logs) = run_event(json!({}), "reboot; reboot-now; count", event);
    assert_eq!(
        logs,
        [
            "reboot: hook-tool-failed",
            "reboot-now: hook-tool-failed",
            "count: 1"
        ]
    );
    assert_eq!(report["model"]["reboot"], false);
}
