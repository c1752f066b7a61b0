//! Exit codes of a dispatch, legacy hooks, and output.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Agent, Dispatch, built, copy, fails, usual};

#[test]
fn a_guest_chooses_its_exit_code() {
    let charm = built("tests/guests/faults");
    for (action, code) in [
        ("exit", 3),
        ("abort", 0),
        ("error", 1),
        ("panic", 1),
        ("print", 0),
    ] {
        let agent = Agent::new();
        let ended = Dispatch::new(&charm, &format!("actions/{action}"), &agent).run();
        assert_eq!(ended.code, Some(code), "{action}: {}", ended.stderr);
        // No status is evaluated after an early exit.
        let asked = agent
            .calls()
            .iter()
            .any(|call| call.starts_with("is-leader"));
        assert_eq!(asked, action == "print", "{action}");
    }
}

#[test]
fn a_reentrant_dispatch_does_nothing() {
    let charm = built("tests/guests/faults");
    for value in ["1", ""] {
        let agent = Agent::new();
        let dispatch = Dispatch::new(&charm, "hooks/start", &agent).var("OPERATOR_DISPATCH", value);
        assert_eq!(dispatch.run().code, Some(0));
        assert_eq!(agent.logs(), ["DEBUG Charm called itself via hooks/start."]);
        assert!(agent.calls().is_empty());
        let alone = dispatch.var("JUJU_CONTEXT_ID", "").run();
        assert_eq!(alone.code, Some(0), "{}", alone.stderr);
    }
}

#[test]
fn a_failing_leadership_check_fails_the_hook() {
    let charm = built("tests/guests/events");
    let agent = Agent::answering(|request| match request.tool.as_str() {
        "is-leader" => fails(1, "ERROR leadership status unknown: timeout\n"),
        _ => usual(request),
    });
    let ended = Dispatch::new(&charm, "hooks/update-status", &agent).run();
    assert_eq!(ended.code, Some(1));
    let logs = agent.logs().join("\n");
    assert!(
        logs.contains("leadership status unknown: timeout"),
        "{logs}"
    );
}

#[test]
fn output_of_the_guest_is_passed_on() {
    let charm = built("tests/guests/faults");
    let ended = Dispatch::new(&charm, "actions/print", &Agent::new()).run();
    assert_eq!(ended.stdout, "to the standard output stream\n");
    assert_eq!(ended.stderr, "to the standard error stream\n");
}

fn hook(charm: &Path, script: &str, mode: u32) {
    let hooks = charm.join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let path = hooks.join("update-status");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn legacy_hooks_run_first_and_their_failure_fails_the_dispatch() {
    // Script, mode, exit code, a log line, whether the charm's handlers run.
    let table = [
        (
            "#!/bin/sh\nexit 0\n",
            0o755,
            0,
            "DEBUG Legacy hooks/update-status exited with status 0.",
            true,
        ),
        (
            "#!/bin/sh\nexit 7\n",
            0o755,
            7,
            "WARNING Legacy hooks/update-status exited with status 7.",
            false,
        ),
        (
            "#!/bin/sh\nkill -9 $$\n",
            0o755,
            247,
            "WARNING Legacy hooks/update-status exited with status -9.",
            false,
        ),
        (
            "#!/nowhere/sh\n",
            0o755,
            1,
            "WARNING Unable to run legacy hooks/update-status:",
            false,
        ),
        (
            "#!/bin/sh\nexit 7\n",
            0o644,
            0,
            "WARNING Legacy hooks/update-status exists but is not executable.",
            true,
        ),
        (
            "#!/bin/sh\n[ \"$OPERATOR_DISPATCH\" = 1 ] && exit 5\n",
            0o755,
            5,
            "INFO Running legacy hooks/update-status.",
            false,
        ),
    ];
    for (script, mode, code, line, handled) in table {
        let charm = copy("tests/guests/events");
        hook(charm.path(), script, mode);
        let settings = "[grants]\nlegacy-hooks = true\n";
        std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
        let agent = Agent::new();
        let ended = Dispatch::new(charm.path(), "hooks/update-status", &agent).run();
        assert_eq!(ended.code, Some(code), "{script:?}: {}", ended.stderr);
        let logs = agent.logs();
        assert!(
            logs.iter().any(|log| log.starts_with(line)),
            "{script:?}: {logs:?}"
        );
        let ran = logs.iter().any(|log| log.starts_with("INFO UpdateStatus"));
        assert_eq!(ran, handled, "{script:?}: {logs:?}");
    }
}

#[test]
fn a_legacy_hook_runs_only_if_granted_and_allowed_by_the_operator() {
    let grant = "[grants]\nlegacy-hooks = true\n";
    let narrow = "[grants]\nlegacy-hooks = false\n";
    for (settings, operator, runs) in [("", "", false), (grant, "", true), (grant, narrow, false)] {
        let charm = copy("tests/guests/events");
        hook(charm.path(), "#!/bin/sh\nexit 7\n", 0o755);
        std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
        let file = charm.path().join("operator.toml");
        std::fs::write(&file, operator).unwrap();
        let agent = Agent::new();
        let ended = Dispatch::new(charm.path(), "hooks/update-status", &agent)
            .var("CHARMHOST_OPERATOR_FILE", &file.display().to_string())
            .run();
        let logs = agent.logs();
        assert_eq!(ended.code, Some(if runs { 7 } else { 0 }), "{logs:?}");
        let denied = "WARNING Denied running legacy hooks/update-status; to allow it, write legacy-hooks = true under [grants] in charmhost.toml.";
        assert_eq!(logs.iter().any(|line| line == denied), !runs, "{logs:?}");
    }
}

#[test]
fn a_legacy_hook_that_is_a_link_to_dispatch_does_not_run() {
    let charm = copy("tests/guests/events");
    let hooks = charm.path().join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    std::os::unix::fs::symlink("../dispatch", hooks.join("start")).unwrap();
    let agent = Agent::new();
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.code, Some(0));
    let logs = agent.logs();
    assert!(logs.contains(&"DEBUG Legacy hooks/start is just a link to ourselves.".to_owned()));
    assert!(
        logs.contains(&"INFO Start(StartEvent)".to_owned()),
        "{logs:?}"
    );
}

#[test]
fn a_debug_session_has_the_log_on_standard_error() {
    let charm = built("tests/guests/events");
    let dispatch = Dispatch::new(&charm, "hooks/start", &Agent::new()).var("JUJU_DEBUG", "");
    let ended = dispatch.run();
    assert!(
        ended.stderr.contains("INFO     Start(StartEvent)"),
        "{}",
        ended.stderr
    );
}
