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
        std::fs::create_dir(&charm).unwrap();
        let metadata = format!("name: {name}\n{role}: {{link: {{interface: ping}}}}\n");
        std::fs::write(charm.join("metadata.yaml"), metadata).unwrap();
        let dispatch = "#!/bin/sh\ncase $JUJU_HOOK_NAME in *-changed) [ -z \"$JUJU_REMOTE_UNIT\" ] || relation-set -r $JUJU_RELATION_ID at=$(date +%N);; esac\n";
        let path = charm.join("dispatch");
        std::fs::write(&path, dispatch).unwrap();
        let executable = std::process::Command::new("chmod")
            .arg("+x")
            .arg(&path)
            .status();
        assert!(executable.unwrap().success());
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
