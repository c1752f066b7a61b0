//! Behaviour of the Rust SDK itself, in a guest under `sim`.

use serde_json::Value;

use crate::support::{built, charmhost, shown};

/// Runs a scenario with the guest; every expectation must be met.
#[track_caller]
fn run(scenario: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    std::fs::write(&path, scenario).unwrap();
    let charm = built("tests/guests/sdk").display().to_string();
    let path = path.display().to_string();
    let output = charmhost(["sim", &charm, "--scenario", &path, "--format", "json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
    assert!(
        output.status.success(),
        "{:#}\n{:#}",
        report["unmet"],
        report["dispatches"]
    );
    report
}

#[test]
fn a_deferral_is_a_return_value_that_a_nested_failure_leaves_alone() {
    run("
state: {config: {fail: true}}
events:
- event: update-status
  expect:
    logs: [ready 1, 'goes on: a handler of ready failed: ready is not handled', 'Deferring']
    deferred: [update_status, ready]
- event: config-changed
  config: {fail: false}
  expect: {logs: [ready 1], deferred: []}
");
}

#[test]
fn a_handler_learns_of_its_earlier_deferrals() {
    run("
state: {config: {defer: start}}
events:
- {event: start, expect: {logs: [new, starts 1 0], deferred: [start]}}
- event: update-status
  expect: {logs: ['deferred 1 times, last because \"start 1\", true', starts 2 0]}
- event: config-changed
  config: {defer: ''}
  expect: {logs: ['deferred 2 times, last because \"start 2\", true', starts 3 0]}
");
}

#[test]
fn data_of_another_form_is_kept_and_fails_no_dispatch() {
    run("
state: {config: {defer: ready}}
events:
- {event: emit-action, expect: {logs: [ready 2], deferred: [ready]}}
- event: config-changed
  config: {revision: 2}
  expect:
    logs: ['its data does not fit the handler: missing field `name`']
    deferred: [ready]
    exit_code: 0
");
}

#[test]
fn a_failure_names_the_handler_that_failed_and_the_charms_line() {
    run("
state: {config: {fail: true}}
events:
- event: emit-action
  expect:
    logs: ['event ready, handler Sdk.on_ready)']
    exit_code: 1
    action: {status: failed}
- {event: config-changed, config: {defer: panic}}
- event: panic-action
  expect: {logs: ['event ready, handler Sdk.on_ready)'], exit_code: 1, action: {status: failed}}
- event: anyhow-action
  expect: {logs: ['the first not above the last at sdk/src/lib.rs:'], exit_code: 1, action: {status: failed}}
- event: thiserror-action
  expect: {logs: ['the first not above the last at sdk/src/lib.rs:'], exit_code: 1, action: {status: failed}}
- {event: exit-action, expect: {exit_code: 3, action: {status: failed}}}
");
}

#[test]
fn an_option_that_does_not_fit_blocks_the_unit_and_a_parameter_fails_the_action() {
    run("
events:
- event: config-changed
  config: {port: 99999}
  expect:
    exit_code: 0
    unit_status: {name: blocked, message: 'Invalid config: cannot read the configuration: option port: invalid value: integer `99999`, expected u16'}
- {event: config-changed, config: {port: 90}, expect: {logs: [port 90]}}
- event: serve-action
  params: {port: 99999}
  expect:
    exit_code: 0
    action: {status: failed, message: \"Error in action parameters: cannot read the action's parameters: parameter port: invalid value: integer `99999`, expected u16\"}
- {event: serve-action, params: {port: 90}, expect: {action: {status: completed, results: {port: '90'}}}}
");
}

#[test]
fn databags_are_types_of_the_charm_and_state_is_saved_at_the_end() {
    run("
state:
  relations:
  - endpoint: db
    remote_app_name: postgresql
    remote_units_data: {0: {}, 1: {user: '\"shop\"', ports: '[5432]', other: plain}}
events:
- event: db-relation-changed
  unit: postgresql/0
  expect: {logs: ['postgresql/0: nothing', changes 1]}
- event: db-relation-changed
  unit: postgresql/1
  expect:
    logs: ['postgresql/1: shop [5432]', changes 2]
    relations:
    - endpoint: db
      local_unit_data: {database: '\"shop\"'}
- event: db-relation-changed
  unit: postgresql/1
  unit_data: {user: shop}
  expect:
    logs: ['cannot load the data of db:', 'key user: expected value']
    exit_code: 1
- {event: db-relation-changed, unit: postgresql/1, resolved: true, unit_data: {user: '\"other\"'}, expect: {logs: [changes 3]}}
");
}

#[test]
fn one_relation_of_several_is_an_error() {
    run("
state:
  relations:
  - {endpoint: db, id: 4, remote_app_name: one}
  - {endpoint: db, id: 5, remote_app_name: other}
events:
- event: one-action
  expect: {action: {status: completed, results: {found: 'too-many-relations: cannot choose a relation of db: there are db:4, db:5; use relations(\"db\")'}}}
");
}
