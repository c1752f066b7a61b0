//! Models of several applications and units, in Rust, Python and shell.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{built, charmhost, root, shown};

/// Runs a scenario of `tests/charms/models`, or a variant of it, with the
/// provider built once for all.
fn sim(scenario: &str, change: impl FnOnce(String) -> String, more: &[&str]) -> Output {
    let charms = root().join("tests/charms");
    let text = std::fs::read_to_string(charms.join("models").join(scenario)).unwrap();
    let provider = match text.contains("guests/provider") {
        true => built("tests/guests/provider").display().to_string(),
        false => String::new(),
    };
    let text = text
        .replace("../../guests/provider", &provider)
        .replace("charm: ../", &format!("charm: {}/", charms.display()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    std::fs::write(&path, change(text)).unwrap();
    let mut args: Vec<&Path> = vec!["sim".as_ref(), "--scenario".as_ref(), &path];
    args.extend(more.iter().map(Path::new));
    charmhost(args)
}

fn unchanged(text: String) -> String {
    text
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(output)))
}

#[test]
fn a_provider_in_rust_and_a_requirer_in_python_share_a_secret() {
    let output = sim("database.yaml", unchanged, &["--format", "json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", report(&output)["unmet"]);
    for password in ["first-password", "second-password"] {
        assert!(!text.contains(password), "{password} is in the report");
    }
    let report = report(&output);
    let units: Vec<&String> = report["units"].as_object().unwrap().keys().collect();
    let wanted = [
        "provider/0",
        "provider/1",
        "requirer/0",
        "requirer/1",
        "requirer/2",
    ];
    assert_eq!(units, wanted);
}

#[test]
fn two_units_share_peer_data() {
    let output = sim("peers.yaml", unchanged, &[]);
    assert!(output.status.success(), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for wanted in ["== 2 remove-unit ring/0", "ring/1         leader-elected"] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
}

#[test]
fn twenty_units_show_how_far_they_are() {
    let output = sim("twenty.yaml", unchanged, &[]);
    assert!(output.status.success(), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let progress: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" of 20 units at rest after "))
        .collect();
    assert!(progress.len() > 10, "{progress:?}");
    assert!(progress.iter().any(|line| line.contains(" 0 of 20 ")));
    assert!(progress.iter().any(|line| line.contains(" 20 of 20 ")));
}

#[test]
fn what_a_model_lacks_is_reported_with_the_step() {
    let wrong = |text: String| text.replace("ring/1 leader-elected]", "ring/1 config-changed]");
    let output = sim("peers.yaml", wrong, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let unmet = &report(&output)["unmet"];
    assert_eq!(unmet[0]["after"], "2 remove-unit ring/0");
    assert_eq!(unmet[0]["wanted"], "ring/1 config-changed");

    let wrong = |text: String| text.replace("remove-unit: ring/0", "remove-unit: ring/9");
    let output = sim("peers.yaml", wrong, &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let wanted = "cannot do the step \"2 remove-unit ring/9\": there is no unit \"ring/9\"; there are ring/0, ring/1";
    assert!(error.contains(wanted), "{error}");
}

#[test]
fn charms_that_answer_each_other_for_ever_are_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let charm = |name: &str, role: &str| {
        let charm = dir.path().join(name);
        let metadata = format!("name: {name}\n{role}: {{link: {{interface: ping}}}}\n");
        let script = "case $JUJU_HOOK_NAME in *-changed) [ -z \"$JUJU_REMOTE_UNIT\" ] || relation-set -r $JUJU_RELATION_ID at=$(date +%N);; esac";
        shell_charm(&charm, &[("metadata.yaml", &metadata)], script);
        charm
    };
    let (ping, pong) = (charm("ping", "provides"), charm("pong", "requires"));
    let output = charmhost(["sim".as_ref(), ping.as_os_str(), pong.as_os_str()]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        error.contains("the units do not come to rest in the step \"deploy\""),
        "{error}"
    );
    assert!(error.contains("ping/0 link-relation-changed"), "{error}");
}

#[test]
fn charms_on_the_command_line_are_related_where_they_fit() {
    let provider = built("tests/guests/provider");
    let requirer = root().join("tests/charms/requirer");
    let targets = ["sim".as_ref(), provider.as_os_str(), requirer.as_os_str()];
    let relate = ["--relate", "provider:database", "requirer:db"].map(AsRef::as_ref);
    for args in [targets.to_vec(), [&targets[..], &relate].concat()] {
        let output = charmhost(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", shown(&output));
        assert!(
            text.contains("active: provider/0, password of 14"),
            "{text}"
        );
    }
    let wrong = ["--relate", "provider:cluster", "requirer:db"].map(AsRef::as_ref);
    let output = charmhost([&targets[..], &wrong].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("provider has no endpoint \"cluster\" to relate"),
        "{error}"
    );
}

/// Writes a charm whose dispatch is a shell script.
fn shell_charm(dir: &Path, documents: &[(&str, &str)], script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(dir).unwrap();
    for (name, text) in documents {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let dispatch = dir.join("dispatch");
    std::fs::write(&dispatch, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&dispatch, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_unit_in_error_runs_nothing_until_it_is_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let documents = [
        ("metadata.yaml", "name: frail\n"),
        (
            "config.yaml",
            "options: {fail: {type: string, default: none}}\n",
        ),
        ("actions.yaml", "look: {}\n"),
    ];
    let script = "case $JUJU_HOOK_NAME in config-changed) test \"$(config-get fail)\" != \"$JUJU_UNIT_NAME\";; esac";
    shell_charm(&dir.path().join("frail"), &documents, script);
    let scenario = dir.path().join("scenario.yaml");
    let text = "
model: {applications: {frail: {charm: ./frail, units: 2}}}
steps:
- config: {frail: {fail: frail/1}}
  expect:
    events: [frail/0 config-changed, frail/1 config-changed]
    applications: {frail: {status: error}}
    units:
      frail/0: {exit_code: 0, unit_status: unknown}
      frail/1: {exit_code: 1, unit_status: {name: error, message: 'hook failed: \"config-changed\"'}}
- config: {frail: {fail: none}}
  expect:
    events: [frail/0 config-changed]
    no_events: [frail/1 config-changed]
- action: look
  unit: frail/1
  expect: {events: [frail/1 look-action]}
- resolved: frail/1
  expect:
    events: [frail/1 config-changed]
    applications: {frail: {status: unknown}}
";
    std::fs::write(&scenario, text).unwrap();
    let output = charmhost(["sim".as_ref(), "--scenario".as_ref(), scenario.as_os_str()]);
    assert!(output.status.success(), "{}", shown(&output));
}
