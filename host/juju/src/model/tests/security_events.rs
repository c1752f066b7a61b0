//! What is logged when something is refused, fails or restarts.

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::*;
use crate::{DatabagOwner, OwnDatabag, Scope, StatusName, StatusValue};

impl Bench {
    /// The lines of security events since the last time.
    fn lines(&self) -> Vec<String> {
        let line = |call: String| {
            let line = call.strip_prefix("juju-log --log-level TRACE -- ")?;
            Some(line.to_owned())
        };
        self.calls().into_iter().filter_map(line).collect()
    }

    /// The event and the description of each line since the last time.
    fn events(&self) -> Vec<(String, String)> {
        let event = |line: String| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("event"), text("description"))
        };
        self.lines().into_iter().map(event).collect()
    }
}

fn event(event: &str, description: &str) -> (String, String) {
    (event.to_owned(), description.to_owned())
}

#[test]
fn an_event_is_a_line_of_json_with_the_keys_in_the_order_of_ops() {
    let mut bench = Bench::new(&[]);
    bench.model.log_crash("panic", "it's \"x\"\n");
    let lines = bench.lines();
    let line: serde_json::Map<String, Value> = serde_json::from_str(&lines[0]).unwrap();
    let keys: Vec<&String> = line.keys().collect();
    assert_eq!(
        keys,
        ["datetime", "level", "type", "appid", "event", "description"]
    );
    let time = line["datetime"].as_str().unwrap();
    let form: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000-00-00T00:00:00.000000+00:00");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["type"], "security");
    assert_eq!(line["appid"], "1-2-web/0");
    assert_eq!(line["event"], "sys_crash:panic");
    assert_eq!(
        line["description"],
        "Uncaught exception in charm code: panic('it\\'s \"x\"\\n')."
    );
}

#[test]
fn a_restart_says_which_unit_restarts() {
    let mut bench = Bench::new(&[]);
    bench.model.log_restart();
    let uid = rustix::process::getuid().as_raw();
    let wanted = event(
        &format!("sys_restart:{uid}"),
        "Rebooting unit 'web/0' in model 'm'",
    );
    assert_eq!(bench.events(), [wanted]);
}

#[test]
fn a_follower_that_wants_the_applications_status_is_logged() {
    let mut bench = Bench::new(&[("is-leader", Ok("false"))]);
    bench.model.status(Scope::App).unwrap_err();
    let status = StatusValue {
        name: StatusName::Active,
        message: String::new(),
    };
    bench.model.set_status(Scope::App, &status).unwrap_err();
    assert_eq!(
        bench.events(),
        [
            event(
                "authz_fail:status-get",
                "Attempted to get application status when not leader"
            ),
            event(
                "authz_fail:status-set",
                "Attempted to set application status when not leader."
            ),
        ]
    );
}

#[test]
fn a_refused_tool_is_logged_with_what_is_known_of_leadership() {
    for (answers, bracket) in [
        (
            &[
                ("config-get", Err("access denied")),
                ("is-leader", Ok("true")),
            ] as Answers,
            " (as leader)",
        ),
        (
            &[
                ("config-get", Err("access denied")),
                ("is-leader", Ok("false")),
            ],
            "",
        ),
        (
            &[("config-get", Err("access denied"))],
            " (leadership unknown)",
        ),
    ] {
        let mut bench = Bench::new(answers);
        if answers.len() == 2 {
            bench.model.is_leader().unwrap();
        }
        bench.model.config().unwrap_err();
        let description = format!(
            "Hook command 'config-get'{bracket} failed with code 1: 'ERROR access denied'. "
        );
        let wanted = event("authz_fail:config-get", &description);
        assert_eq!(bench.events(), [wanted]);
    }
    // Other failures are none, and neither is the state's.
    let mut bench = Bench::new(&[
        ("config-get", Err("timeout")),
        ("state-get", Err("permission denied")),
    ]);
    bench.model.config().unwrap_err();
    bench.model.state("key").unwrap_err();
    assert_eq!(bench.events(), []);
}

#[test]
fn a_relation_that_is_gone_is_no_security_event() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("true")),
        ("relation-get", Err("permission denied")),
        ("relation-set", Err("permission denied")),
        ("relation-ids", Err("permission denied")),
    ]);
    let model = &mut bench.model;
    let changes = [("k".to_owned(), Some("v".to_owned()))];
    model
        .relation_data("db", 7, &DatabagOwner::ThisUnit)
        .unwrap();
    model
        .update_relation_data("db", 7, OwnDatabag::Unit, &changes)
        .unwrap_err();
    model.relations("db").unwrap_err();
    assert_eq!(bench.events(), []);
    // What a follower is refused of its own application is one.
    let mut bench = Bench::new(&[
        ("is-leader", Ok("false")),
        ("relation-get", Err("permission denied")),
        ("relation-ids", Ok("[]")),
    ]);
    let model = &mut bench.model;
    model.relations("db").unwrap();
    model.is_leader().unwrap();
    let denied = model
        .relation_data("db", 7, &DatabagOwner::ThisApp)
        .unwrap_err();
    assert!(matches!(denied, ToolError::PermissionDenied { .. }));
    let wanted = event(
        "authz_fail:relation-get",
        "Hook command 'relation-get' failed with code 1: 'ERROR permission denied'. ",
    );
    assert_eq!(bench.events(), [wanted]);
}
