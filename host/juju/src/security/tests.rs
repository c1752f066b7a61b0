//! What is logged when something is refused, fails or restarts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_hook_tools::{MemoryTransport, ToolError, ToolOutput};
use serde_json::Value;

use super::*;
use crate::{Metadata, Own, Owner, Relations, Scope, StatusName, StatusValue};

/// What the tools complain, by how the call begins; `is-leader` prints it.
type Answers = &'static [(&'static str, &'static str)];

struct Bench {
    model: Model,
    relations: Relations,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// The unit web/0 in the model m.
    fn new(answers: Answers) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        let transport = MemoryTransport(move |tool: &str, args: &[String], _: Option<&[u8]>| {
            let call = format!("{tool} {}", args.join(" "));
            if let Some(line) = call.strip_prefix("juju-log --log-level TRACE -- ") {
                seen.lock().unwrap().push(line.to_owned());
                return Ok(ToolOutput::default());
            }
            let answer = answers.iter().find(|(prefix, _)| call.starts_with(prefix));
            Ok(match answer {
                Some(("is-leader", answer)) => ToolOutput {
                    stdout: (*answer).into(),
                    ..ToolOutput::default()
                },
                Some((_, complaint)) => ToolOutput {
                    code: 1,
                    stderr: format!("ERROR {complaint}\n").into(),
                    ..ToolOutput::default()
                },
                None => ToolOutput {
                    stdout: if tool == "relation-ids" { "[]" } else { "{}" }.into(),
                    ..ToolOutput::default()
                },
            })
        });
        let dir = tempfile::tempdir().unwrap();
        let metadata = "name: x\nrequires: {db: {interface: pg}}\n";
        std::fs::write(dir.path().join("metadata.yaml"), metadata).unwrap();
        let metadata = Metadata::load(dir.path()).unwrap();
        let environment = Environment::read(|name| {
            let value = match name {
                "JUJU_UNIT_NAME" => "web/0",
                "JUJU_MODEL_NAME" => "m",
                "JUJU_MODEL_UUID" => "1-2",
                _ => return None,
            };
            Some(value.into())
        });
        let environment = environment.unwrap();
        let mut model = Model::new(Box::new(transport), Path::new("/nowhere"));
        model.identify(&environment);
        Bench {
            model,
            relations: Relations::new(&environment, &metadata),
            lines,
        }
    }

    /// The event and the description of each line since the last time.
    fn events(&self) -> Vec<(String, String)> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let event = |line: String| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("event"), text("description"))
        };
        lines.into_iter().map(event).collect()
    }
}

fn event(event: &str, description: &str) -> (String, String) {
    (event.to_owned(), description.to_owned())
}

#[test]
fn an_event_is_a_line_of_json_with_the_keys_in_the_order_of_ops() {
    let mut bench = Bench::new(&[]);
    bench.model.log_crash("panic", "it's \"x\"\n");
    let lines = bench.lines.lock().unwrap();
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
    let mut bench = Bench::new(&[("is-leader", "false")]);
    bench.model.status_get(Scope::App).unwrap_err();
    let status = StatusValue {
        name: StatusName::Active,
        message: String::new(),
    };
    bench.model.status_set(Scope::App, &status).unwrap_err();
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
            &[("config-get", "access denied"), ("is-leader", "true")] as Answers,
            " (as leader)",
        ),
        (
            &[("config-get", "access denied"), ("is-leader", "false")],
            "",
        ),
        (&[("config-get", "access denied")], " (leadership unknown)"),
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
        ("config-get", "timeout"),
        ("state-get", "permission denied"),
    ]);
    bench.model.config().unwrap_err();
    bench.model.state("key").unwrap_err();
    assert_eq!(bench.events(), []);
}

#[test]
fn a_relation_that_is_gone_is_no_security_event() {
    let mut bench = Bench::new(&[
        ("is-leader", "true"),
        ("relation-get", "permission denied"),
        ("relation-set", "permission denied"),
        ("relation-ids", "permission denied"),
    ]);
    let Bench {
        model, relations, ..
    } = &mut bench;
    let changes = [("k".to_owned(), Some("v".to_owned()))];
    relations.read(model, "db", 7, &Owner::ThisUnit).unwrap();
    relations
        .write(model, "db", 7, Own::Unit, &changes)
        .unwrap_err();
    relations.list(model, "db").unwrap_err();
    assert_eq!(bench.events(), []);
    // What a follower is refused of its own application is.
    let mut bench = Bench::new(&[
        ("is-leader", "false"),
        ("relation-get", "permission denied"),
    ]);
    let Bench {
        model, relations, ..
    } = &mut bench;
    relations.list(model, "db").unwrap();
    model.is_leader().unwrap();
    let denied = relations.read(model, "db", 7, &Owner::ThisApp).unwrap_err();
    assert!(matches!(denied, ToolError::PermissionDenied { .. }));
    let wanted = event(
        "authz_fail:relation-get",
        "Hook command 'relation-get' failed with code 1: 'ERROR permission denied'. ",
    );
    assert_eq!(bench.events(), [wanted]);
}
