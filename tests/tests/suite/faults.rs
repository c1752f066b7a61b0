//! A failing guest is reported in one line with the charm, the event, the handler,
//! the cause and the location; and the machine is out of its reach.

use crate::support::{Agent, Dispatch, built, copy};

/// The one ERROR line that a dispatch of an action leaves in the log.
fn error_of(action: &str, settings: &str) -> String {
    let charm = copy("tests/guests/faults");
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let agent = Agent::new();
    let ended = Dispatch::new(charm.path(), &format!("actions/{action}"), &agent).run();
    assert_eq!(ended.code, Some(1), "{action}: {}", ended.stderr);
    assert!(
        ended.stderr.contains("Uncaught "),
        "{action}: {}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("Use `juju debug-log`"),
        "{action}: {}",
        ended.stderr
    );
    let mut errors: Vec<String> = agent
        .logs()
        .into_iter()
        .filter(|line| line.starts_with("ERROR "))
        .collect();
    assert_eq!(errors.len(), 1, "{action}: {errors:?}");
    errors.remove(0)
}

#[test]
fn every_failure_is_reported_in_one_line() {
    for (action, settings, wanted) in [
        (
            "panic",
            "",
            "Uncaught panic in charm code: no panic today at ",
        ),
        (
            "index",
            "",
            "Uncaught panic in charm code: index out of bounds: the len is 0 but the index is 5 at ",
        ),
        (
            "error",
            "",
            "Uncaught error in charm code: invalid digit found in string at ",
        ),
        (
            "recurse",
            "",
            "Uncaught trap in charm code: out-of-bounds memory access (endless recursion, or unsafe code?) at ",
        ),
        (
            "loop",
            "[limits]\ncpu-seconds = 0.2\n",
            "it used more than 0.2 s of processor time (limits.cpu-seconds in charmhost.toml) at ",
        ),
        (
            "memory",
            "[limits]\nmemory-mib = 16\n",
            "MiB of memory and may have 16 (limits.memory-mib in charmhost.toml) at ",
        ),
        (
            "observe",
            "",
            "cannot observe \"no_such_action\" of Faults: the charm has no such event",
        ),
    ] {
        let line = error_of(action, settings);
        assert!(line.contains(wanted), "{action}: {line}");
        assert!(!line.contains('\n'), "{action}: {line:?}");
        assert!(line.contains("(charm faults, event "), "{action}: {line}");
        if action != "observe" {
            assert!(
                line.contains(&format!(
                    "event {action}_action, handler Faults.on_{action})"
                )),
                "{line}"
            );
        }
        let place = line.split(" at ").last().unwrap();
        if action != "memory" {
            assert!(place.contains("src/lib.rs:"), "{action}: {place}");
        }
    }
}

#[test]
fn a_guest_with_tables_above_the_limit_does_not_start() {
    let line = error_of("abort", "[limits]\ntable-elements = 10\n");
    let wanted = " table elements and may have 10 (limits.table-elements in charmhost.toml)";
    assert!(line.contains(wanted), "{line}");
}

#[test]
fn a_panic_is_reported_in_the_log_only() {
    let charm = built("tests/guests/faults");
    let agent = Agent::new();
    let ended = Dispatch::new(&charm, "hooks/start", &agent).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let logs = agent.logs();
    let line = logs.iter().find(|line| line.starts_with("ERROR ")).unwrap();
    assert!(
        line.contains("no start today at ") && line.contains("handler Faults.on_start"),
        "{line}"
    );
}

#[test]
fn a_deferred_event_is_delivered_until_it_is_handled() {
    let charm = copy("tests/guests/faults");
    let agent = Agent::new();
    for _ in 0..2 {
        let ended = Dispatch::new(charm.path(), "hooks/config-changed", &agent).run();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let logs = agent.logs().join("\n");
    assert!(
        logs.contains("Re-emitting deferred event config_changed (1 of 1 in queue)."),
        "{logs}"
    );
    // The state has the format of ops, and Python reads it.
    let script = "import pickle, sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        print([(h, pickle.loads(d)) for h, d in db.execute('select * from snapshot order by handle') if d[:1] == b'\\x80'])\n\
        print(list(db.execute('select event_path, observer_path, method_name from notice')))\n";
    let printed = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(charm.path().join(".unit-state.db"))
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(
        printed,
        "[('Faults/on/config_changed[1]', {}), ('StoredStateData[_stored]', {'event_count': 10})]\n\
         [('Faults/on/config_changed[1]', 'Faults', 'on_config_changed')]\n"
    );
}

#[test]
fn the_machine_is_out_of_reach() {
    let charm = copy("tests/guests/faults");
    for (action, wanted) in [
        (
            "read",
            &[
                "own metadata: ",
                "/etc/passwd: false",
                "/proc/self/environ: false",
                "../../../../etc/passwd: false",
                "environment: 0 other variables",
            ][..],
        ),
        (
            "write",
            &["dispatch: false", "charm.cwasm: false", "new-file: true"],
        ),
        ("connect", &["connected: false", "found: false"]),
    ] {
        let agent = Agent::new();
        let ended = Dispatch::new(charm.path(), &format!("actions/{action}"), &agent).run();
        let logs = agent.logs();
        assert_eq!(ended.code, Some(0), "{action}: {logs:?} {}", ended.stderr);
        for line in wanted {
            assert!(
                logs.iter().any(|log| log.contains(line)),
                "{action}: {line} not in {logs:?}"
            );
        }
    }
}

/// A charm writes into its directory, but not over its own code.
#[test]
fn a_charm_cannot_write_its_own_code() {
    let charm = copy("tests/guests/faults");
    let agent = Agent::new();
    for _ in 0..2 {
        let ended = Dispatch::new(charm.path(), "actions/write", &agent).run();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let logs = agent.logs();
    let refusals = logs
        .iter()
        .filter(|line| line.contains("/dispatch of the charm"));
    let wanted = "; this cannot be granted.";
    assert_eq!(
        refusals.filter(|line| line.ends_with(wanted)).count(),
        2,
        "{logs:?}"
    );
    let written = std::fs::read_to_string(charm.path().join("new-file"));
    assert_eq!(written.unwrap(), "x");
    assert!(!charm.path().join(".charmhost/scratch").exists());
}

#[test]
fn waiting_costs_no_processor_time() {
    let charm = copy("tests/guests/events");
    std::fs::write(
        charm.path().join("charmhost.toml"),
        "[limits]\ncpu-seconds = 0.5\n",
    )
    .unwrap();
    let agent = Agent::answering(|request| {
        if request.tool == "is-leader" {
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        crate::support::usual(request)
    });
    let ended = Dispatch::new(charm.path(), "hooks/update-status", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
