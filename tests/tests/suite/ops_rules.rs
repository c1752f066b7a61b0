//! Rules of Python ops that a charm can observe: relations that are gone, access
//! to databags, order of handlers, and lengths of texts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_jujuc::{Reply, Request};
use serde_json::Value;

use crate::support::{Agent, Dispatch, Ended, built, copy, dist, fails, prints, usual};

const GUEST: &str = "tests/guests/databags";
const RELATION: &[(&str, &str)] = &[
    ("JUJU_RELATION", "db"),
    ("JUJU_RELATION_ID", "db:7"),
    ("JUJU_REMOTE_APP", "mysql"),
    ("JUJU_REMOTE_UNIT", "mysql/0"),
];

type Answer = fn(&Request) -> Option<Result<Reply, String>>;

/// Returns an agent that passes orders to the guest, and answers other calls by a
/// function first.
fn agent(orders: &str, answer: Answer) -> Agent {
    let config = format!("{{\"orders\":\"{orders}\"}}");
    Agent::answering(move |request| {
        answer(request).unwrap_or_else(|| match request.tool.as_str() {
            "config-get" => prints(&config),
            "relation-ids" => prints("[\"db:7\",\"db:9\"]"),
            "relation-list" => prints("[\"mysql/0\"]"),
            "relation-get" => prints("{}"),
            _ => usual(request),
        })
    })
}

fn follower(request: &Request) -> Option<Result<Reply, String>> {
    (request.tool == "is-leader").then(|| prints("false"))
}

/// Runs a hook of relation db:7.
fn run(agent: &Agent, hook: &str) -> Ended {
    let path = format!("hooks/{hook}");
    let dispatch = Dispatch::new(&built(GUEST), &path, agent).vars(RELATION);
    let ended = dispatch.run();
    assert_eq!(ended.code, Some(0), "{}\n{:?}", ended.stderr, agent.logs());
    ended
}

/// Returns what the guest logged about an order.
fn outcome(agent: &Agent, order: &str) -> String {
    let start = format!("INFO {order}: ");
    let logs = agent.logs();
    let line = logs.iter().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no outcome of {order}: {logs:?}"))
        .to_owned()
}

#[test]
fn the_broken_relation_is_determined_by_the_dispatch_path() {
    for (hook, name, listed, active) in [
        ("db-relation-broken", "", "[9]", "false"),
        (
            "db-relation-changed",
            "db-relation-broken",
            "[7, 9]",
            "true",
        ),
    ] {
        let agent = agent("list is-active", |_| None);
        let path = format!("hooks/{hook}");
        let dispatch = Dispatch::new(&built(GUEST), &path, &agent).vars(RELATION);
        let ended = dispatch.var("JUJU_HOOK_NAME", name).run();
        assert_eq!(ended.code, Some(0), "{hook}: {}", ended.stderr);
        assert_eq!(outcome(&agent, "list"), listed, "{hook}");
        assert_eq!(outcome(&agent, "is-active"), active, "{hook}");
    }
}

#[test]
fn a_follower_may_read_the_application_databag_of_a_relation_that_is_gone() {
    let gone: Answer = |request| match request.tool.as_str() {
        "relation-ids" => Some(prints("[\"db:9\"]")),
        "relation-list" if request.args.concat().contains("db:7") => {
            Some(fails(1, "ERROR relation 7 not found\n"))
        }
        "relation-get" => Some(fails(1, "ERROR relation 7 not found\n")),
        _ => follower(request),
    };
    for orders in ["read-app", "is-active read-app"] {
        let agent = agent(orders, gone);
        run(&agent, "db-relation-changed");
        assert_eq!(outcome(&agent, "read-app"), "{}", "{orders}");
        let calls = agent.calls();
        let read = calls
            .iter()
            .position(|call| call.starts_with("relation-get"));
        let asked = calls.iter().position(|call| call.starts_with("is-leader"));
        // Collecting statuses calls is-leader afterwards in any case.
        let before = asked < read;
        assert_eq!(before, orders == "read-app", "{orders}: {calls:?}");
    }
    // A follower may not read that of an existing relation.
    let agent = agent("read-app", follower);
    run(&agent, "db-relation-changed");
    let refused = outcome(&agent, "read-app");
    assert!(refused.starts_with("NotLeader: "), "{refused}");
    let calls = agent.calls();
    assert!(
        !calls.iter().any(|call| call.starts_with("relation-get")),
        "{calls:?}"
    );
}

#[test]
fn a_relation_without_permission_is_gone() {
    let agent = agent("set set-app", |request| {
        (request.tool == "relation-set").then(|| fails(1, "ERROR permission denied\n"))
    });
    run(&agent, "db-relation-changed");
    for order in ["set", "set-app"] {
        let outcome = outcome(&agent, order);
        assert_eq!(
            outcome, "RelationGone: cannot run relation-set: permission denied",
            "{order}"
        );
    }
    let agent = self::agent("list", |request| {
        (request.tool == "relation-ids").then(|| fails(1, "ERROR permission denied\n"))
    });
    run(&agent, "db-relation-changed");
    let outcome = outcome(&agent, "list");
    assert_eq!(
        outcome,
        "RelationGone: cannot run relation-ids: permission denied"
    );
}

#[test]
fn a_follower_does_not_call_status_get_for_the_application() {
    let agent = agent("app-status", follower);
    run(&agent, "db-relation-changed");
    assert_eq!(
        outcome(&agent, "app-status"),
        "NotLeader: cannot run status-get: only the leader may read the application's status"
    );
    let calls = agent.calls();
    assert!(
        !calls.iter().any(|call| call.starts_with("status-get")),
        "{calls:?}"
    );
}

/// Returns the security events of the log: level, event and description.
fn security_events(agent: &Agent) -> Vec<[String; 3]> {
    let logs = agent.logs();
    let lines = logs.iter().filter_map(|line| line.strip_prefix("TRACE "));
    lines
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let model = "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a";
            assert_eq!(event["type"], "security", "{line}");
            assert_eq!(event["appid"], format!("{model}-app/0"), "{line}");
            ["level", "event", "description"].map(|key| event[key].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn security_events_are_logged() {
    let denied: Answer = |request| match request.tool.as_str() {
        "application-version-set" => Some(fails(1, "ERROR permission denied\n")),
        "relation-set" => Some(fails(1, "ERROR permission denied\n")),
        _ => follower(request),
    };
    let agent = agent("version=1 set app-status panic", denied);
    let dispatch = Dispatch::new(&built(GUEST), "hooks/db-relation-changed", &agent);
    let ended = dispatch.vars(RELATION).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(
        security_events(&agent),
        [
            [
                "CRITICAL",
                "authz_fail:application-version-set",
                "Hook command 'application-version-set' (leadership unknown) failed with code 1: 'ERROR permission denied'. "
            ],
            [
                "CRITICAL",
                "authz_fail:status-get",
                "Attempted to get application status when not leader"
            ],
            [
                "WARN",
                "sys_crash:panic",
                "Uncaught exception in charm code: panic(\"it's over\")."
            ],
        ]
    );
}

#[test]
fn a_reboot_is_logged_as_a_security_event_first() {
    let agent = Agent::answering(|request| match request.tool.as_str() {
        "action-get" => prints("{\"calls\":[[\"juju-reboot\"]]}"),
        _ => usual(request),
    });
    let charm = built("tests/guests/tools");
    let ended = Dispatch::new(&charm, "actions/run", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let events = security_events(&agent);
    let [[level, event, description]] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(level, "WARN");
    let uid = event.strip_prefix("sys_restart:");
    assert!(uid.is_some_and(|uid| uid.parse::<u32>().is_ok()), "{event}");
    assert_eq!(description, "Rebooting unit 'app/0' in model 'model'");
}

/// Creates a legacy hook.
fn write_hook(charm: &Path, name: &str, script: &str) {
    std::fs::create_dir(charm.join("hooks")).unwrap();
    let path = charm.join("hooks").join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = "[grants]\nlegacy-hooks = true\n";
    std::fs::write(charm.join("charmhost.toml"), settings).unwrap();
}

#[test]
fn a_legacy_hook_runs_before_the_events_variables_are_checked() {
    for (script, code, fatal) in [
        ("#!/bin/sh\nexit 0\n", 1, true),
        ("#!/bin/sh\nexit 7\n", 7, false),
    ] {
        let charm = copy(GUEST);
        write_hook(charm.path(), "db-relation-changed", script);
        let agent = Agent::new();
        // There is no JUJU_RELATION.
        let ended = Dispatch::new(charm.path(), "hooks/db-relation-changed", &agent).run();
        let logs = agent.logs();
        assert_eq!(ended.code, Some(code), "{logs:?}");
        let ran = "INFO Running legacy hooks/db-relation-changed.";
        assert!(logs.iter().any(|line| line == ran), "{logs:?}");
        let error = "ERROR cannot dispatch db_relation_changed: JUJU_RELATION is not set";
        let failed = logs.iter().any(|line| line.starts_with(error));
        assert_eq!(failed, fatal, "{logs:?}");
        assert_eq!(ended.stderr.contains(error), fatal, "{}", ended.stderr);
    }
}

/// Runs a hook with hook tools over a transport.
fn run_over(transport: &str, agent: &Agent) -> Ended {
    let tools = tempfile::tempdir().unwrap();
    for tool in [
        "juju-log",
        "config-get",
        "is-leader",
        "application-version-set",
    ] {
        std::os::unix::fs::symlink(dist("hook-tool"), tools.path().join(tool)).unwrap();
    }
    Dispatch::new(&built(GUEST), "hooks/db-relation-changed", agent)
        .vars(RELATION)
        .var("CHARMHOST_HOOK_TOOLS", transport)
        .var("PATH", &format!("{}:/usr/bin:/bin", tools.path().display()))
        .run()
}

#[test]
fn a_long_log_line_is_complete_over_both_transports() {
    for transport in ["rpc", "exec"] {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "config-get" => prints("{\"orders\":\"log=100000\"}"),
            "juju-log" if request.args[1] == "WARNING" => {
                seen.lock().unwrap().push(request.args[3].clone());
                prints("")
            }
            _ => usual(request),
        });
        let ended = run_over(transport, &agent);
        assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
        let lines = lines.lock().unwrap();
        let (first, chunks) = lines.split_first().unwrap();
        assert_eq!(
            first, "Log string greater than 131071. Splitting into multiple chunks: ",
            "{transport}"
        );
        let sizes: Vec<usize> = chunks.iter().map(String::len).collect();
        assert_eq!(sizes, [131_070, 68_930], "{transport}");
        assert!(chunks.concat() == "é".repeat(100_000), "{transport}");
    }
}

#[test]
fn an_argument_that_is_too_long_is_the_same_error_over_both_transports() {
    for transport in ["rpc", "exec"] {
        let agent = agent("version=65535 version=65536", |_| None);
        let ended = run_over(transport, &agent);
        assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
        assert_eq!(outcome(&agent, "version=65535"), "()", "{transport}");
        let refused = outcome(&agent, "version=65536");
        assert_eq!(
            refused,
            "InvalidInput: cannot run application-version-set: one of its arguments has 131072 bytes, and a program can be passed at most 131071 in one; shorten it, or pass the data on the tool's standard input if it reads that",
            "{transport}"
        );
    }
}
