//! Answers of `sim` that once differed from those of a real agent, seen by a charm
//! whose `dispatch` is a shell script.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{charmhost, shown};

const METADATA: &str = "name: shell
requires: {db: {interface: pg}, web: {interface: http}}
storage:
  data: {type: filesystem, location: /srv/data}
  logs: {type: filesystem, location: /srv/logs, multiple: {range: 1-}}
  disk: {type: block}
";

/// Simulates a charm that runs a script for each event.
fn sim(script: &str, scenario: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    file("metadata.yaml", METADATA);
    file(
        "config.yaml",
        "options: {big: {type: int, default: 1000000}, fox: {default: \"\\U0001F98A x\"}}\n",
    );
    file("dispatch", &format!("#!/bin/sh\n{script}"));
    executable(&dir.path().join("dispatch"));
    let charm = dir.path().join("scenario");
    std::fs::create_dir(&charm).unwrap();
    let path = charm.join("scenario.yaml");
    std::fs::write(&path, scenario).unwrap();
    let output = charmhost([
        "sim".as_ref(),
        dir.path().as_os_str(),
        "--scenario".as_ref(),
        path.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)))
}

fn executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns a field of each entry of a list of each dispatch.
fn each(report: &Value, list: &str, field: &str) -> Vec<String> {
    let dispatches = report["dispatches"].as_array().unwrap();
    let entries = dispatches
        .iter()
        .flat_map(|dispatch| dispatch[list].as_array().unwrap());
    let text = |entry: &Value| entry[field].as_str().unwrap_or_default().to_owned();
    entries.map(text).collect()
}

/// Returns what the tools printed, in the order of the calls.
fn printed(report: &Value) -> Vec<String> {
    each(report, "hook_tools", "stdout")
}

/// Returns the log, which has the standard error of tools as output of the charm.
fn logged(report: &Value) -> Vec<String> {
    each(report, "logs", "message")
}

#[test]
fn storage_is_at_the_location_in_the_metadata() {
    let script = "set -e
for id in data/0 logs/0 disk/0; do storage-get -s $id location > /dev/null; done
echo kept > /srv/data/file
mkdir /srv/logs/logs/0/made
test -f /dev/sdb
test \"$(cat /var/lib/juju/storage/data/0/file)\" = kept
";
    let report = sim(script, "events: [start]\n");
    assert_eq!(
        printed(&report),
        ["/srv/data\n", "/srv/logs/logs/0\n", "/dev/sdb\n"]
    );
}

#[test]
fn lines_of_relation_hooks_name_the_relation() {
    let script = "juju-log -l WARNING text; juju-log -l bogus text";
    let scenario = "
state:
  relations: [{endpoint: db, id: 7, remote_app_name: pg, remote_units_data: {0: {}}}]
events:
- {event: db-relation-changed, unit: pg/0, expect: {logs: [WARNING text, 'INFO db:7: text']}}
- {event: start, expect: {logs: [WARNING text]}}
";
    let report = sim(script, scenario);
    let logs = |index: usize| -> Vec<String> {
        let lines = report["dispatches"][index]["logs"].as_array().unwrap();
        let text = |line: &Value| line["message"].as_str().unwrap().to_owned();
        lines.iter().map(text).collect()
    };
    let unknown = "Specified log level of \"bogus\" is not valid";
    assert_eq!(logs(0), ["db:7: text", unknown, "db:7: text"]);
    assert_eq!(logs(1), ["text", unknown, "text"]);
}

#[test]
fn a_collector_of_traces_is_in_the_environment_from_juju_4_0_6_on() {
    let script = "juju-log \"$(env | grep -c '^JUJU_CHARM_TRACE_CONFIG_[A-Z_]*=$')\"";
    for (version, wanted) in [
        ("3.6.28", "INFO 0"),
        ("4.0.5", "INFO 0"),
        ("4.0.6", "INFO 3"),
    ] {
        let scenario = format!(
            "juju_version: {version}\nevents: [{{event: start, expect: {{logs: [{wanted}]}}}}]\n"
        );
        sim(script, &scenario);
    }
}

#[test]
fn a_port_that_is_closed_for_an_endpoint_is_listed_for_all_until_the_hook_ends() {
    let script = "
case $JUJU_HOOK_NAME in
install) open-port 80; open-port 90-95;;
start) close-port 80 --endpoints db; close-port 91;;
esac
opened-ports --endpoints > /dev/null";
    let report = sim(script, "events: [install, start, update-status]\n");
    let printed = printed(&report);
    let listed: Vec<&str> = printed.iter().map(String::as_str).collect();
    assert_eq!(
        listed,
        [
            "",
            "",
            "80/tcp (*)\n90-95/tcp (*)\n",
            "",
            "",
            "80/tcp (*)\n90-95/tcp (*)\n",
            "80/tcp (web)\n90-95/tcp (*)\n",
        ]
    );
    assert_eq!(
        logged(&report),
        [
            "ERROR cannot close 91/tcp (unit \"shell/0\"): port range conflicts with 90-95/tcp (unit \"shell/0\")"
        ]
    );
}

#[test]
fn values_and_statuses_are_those_of_a_real_agent() {
    let script = "
config-get -az > /dev/null
status-set active one; status-get > /dev/null
status-set blocked two; status-get > /dev/null
printf '{\"k\": \"a\\177b\"}' | relation-set -r 7 --file -
printf 'a: 0x10\\nb: !!binary aGVsbG8=\\n' | relation-set -r 7 --file -
relation-get -r 7 a shell/0 > /dev/null; relation-get -r 7 b shell/0 > /dev/null
relation-set -r 7 --file /nonexistent
true";
    let scenario = "
state:
  relations: [{endpoint: db, id: 7, remote_app_name: pg}]
events: [start]
";
    let report = sim(script, scenario);
    let printed = printed(&report);
    let printed: Vec<&str> = printed.iter().map(String::as_str).collect();
    assert_eq!(
        printed,
        [
            "big: 1e+06\nfox: \"\\U0001F98A x\"\n",
            "",
            "active\n",
            "",
            "active\n",
            "",
            "",
            "0x10\n",
            "hello\n",
            "",
        ]
    );
    assert_eq!(
        logged(&report),
        [
            "ERROR yaml: control characters are not allowed",
            "ERROR open /nonexistent: no such file or directory",
        ]
    );
}
