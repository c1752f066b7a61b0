//! Every answer of the real tools, replayed.
//!
//! `tests/golden.jsonl` holds calls that were put to the hook-tool server of
//! Juju 4.1 with a made-up context behind it. The calls of a context ran in the
//! order of their numbers. A call that was answered as in the first context is
//! not repeated in the later ones, but ran there too.

use std::collections::{BTreeMap, BTreeSet};

use charmhost_jujuc::Request;
use serde_json::{Value, json};

use crate::model::{Action, Config, Hook, Model, PortRange};

const CONTEXTS: [&str; 7] = [
    "config-changed",
    "minion",
    "relation-changed",
    "relation-broken",
    "storage-attached",
    "action",
    "action-noparams",
];

/// Calls that we mean to answer otherwise: the call's number, our standard
/// output, and why.
const EXCEPTIONS: &[(u64, &str, &str)] = &[
    (
        40,
        "{\"application-status\":{\"message\":\"x\",\"status\":\"active\",\"status-data\":{},\"units\":{\"wordpress/0\":{\"message\":\"need db\",\"status\":\"blocked\",\"status-data\":{}}}}}\n",
        "the made-up context ignores status-set for the application's status",
    ),
    (120, "icmp\n443/tcp\n8080/tcp\n53/udp\n", CLOSED),
    (
        121,
        "[\"icmp\",\"443/tcp\",\"8080/tcp\",\"53/udp\"]\n",
        CLOSED,
    ),
    (
        122,
        "[\"icmp (*)\",\"443/tcp (db, web)\",\"8080/tcp (*)\",\"53/udp (*)\"]\n",
        CLOSED,
    ),
];

const CLOSED: &str = "the made-up context ignores close-port; a real one counts pending changes";

/// The same for the context that has one port more.
const EXCEPTIONS_WITH_RANGE: &[(u64, &str, &str)] = &[
    (
        120,
        "icmp\n443/tcp\n8080/tcp\n53/udp\n8000-8010/udp\n",
        CLOSED,
    ),
    (
        121,
        "[\"icmp\",\"443/tcp\",\"8080/tcp\",\"53/udp\",\"8000-8010/udp\"]\n",
        CLOSED,
    ),
    (
        122,
        "[\"icmp (*)\",\"443/tcp (db, web)\",\"8080/tcp (*)\",\"53/udp (*)\",\"8000-8010/udp (db)\"]\n",
        CLOSED,
    ),
];

fn hook(context: &str) -> Hook {
    let dir = tempfile::tempdir().unwrap();
    let options = "options:
  port: {type: int, default: 8080}
  name: {default: blog}
  ratio: {type: float, default: 0.5}
  debug: {type: boolean, default: true}
  unset: {type: string}
  empty: {default: ''}
";
    std::fs::write(dir.path().join("config.yaml"), options).unwrap();
    let mut model = Model {
        unit: "wordpress/0".to_owned(),
        leader: context != "minion",
        config: Config::load(dir.path()).unwrap(),
        endpoints: BTreeSet::from(["db".to_owned(), "web".to_owned()]),
        ..Model::default()
    };
    if context == "relation-changed" {
        let range = PortRange::parse("8000-8010/udp").unwrap();
        model
            .ports
            .open(range, BTreeSet::from(["db".to_owned()]))
            .unwrap();
        model.state.insert("#notices#".to_owned(), "- 1\n".into());
        model.state.insert("key".to_owned(), "value".into());
    }
    let params = match context {
        "action" => json!({"name": "x", "count": 3, "deep": {"a": ["b", true]}}),
        _ => json!({}),
    };
    let action = context.starts_with("action").then(|| Action {
        params: params.as_object().unwrap().clone(),
        ..Action::default()
    });
    Hook::new(model, action)
}

/// The calls of a context by their numbers.
fn calls(context: &str) -> BTreeMap<u64, Value> {
    let mut calls = BTreeMap::new();
    for wanted in [CONTEXTS[0], context] {
        for line in include_str!("../../tests/golden.jsonl").lines() {
            let call: Value = serde_json::from_str(line).unwrap();
            if call["context"] == wanted {
                calls.insert(call["n"].as_u64().unwrap(), call);
            }
        }
    }
    calls
}

fn request(call: &Value) -> Request {
    let args = call["args"].as_array().unwrap().iter();
    let stdin = call["stdin"].as_str().map(|text| match text {
        // Of long inputs only the size is kept.
        "<65541 bytes>" => format!("big: {}", "x".repeat(65537 - 1)) + "x",
        text => text.to_owned(),
    });
    Request {
        dir: "/tmp".to_owned(),
        tool: call["tool"].as_str().unwrap().to_owned(),
        args: args.map(|arg| arg.as_str().unwrap().to_owned()).collect(),
        stdin: stdin.map(String::into_bytes),
        ..Request::default()
    }
}

/// Our answer in the form of the recorded ones.
fn answer(hook: &mut Hook, call: &Value) -> Value {
    match super::run(hook, &request(call)) {
        Ok(reply) => json!({
            "code": reply.code,
            "stdout": String::from_utf8(reply.stdout).unwrap(),
            "stderr": String::from_utf8(reply.stderr).unwrap(),
        }),
        Err(error) => json!({ "rpc_error": error }),
    }
}

#[test]
fn the_tools_answer_as_those_of_juju() {
    let mut replayed = 0;
    for context in CONTEXTS {
        let mut hook = hook(context);
        let exceptions = match context {
            "relation-changed" => [&EXCEPTIONS[..1], EXCEPTIONS_WITH_RANGE].concat(),
            _ => EXCEPTIONS.to_vec(),
        };
        for (n, call) in calls(context) {
            let mut wanted = call.clone();
            let object = wanted.as_object_mut().unwrap();
            object
                .retain(|key, _| ["code", "stdout", "stderr", "rpc_error"].contains(&key.as_str()));
            // A minion is refused where a leader gets an answer of our own.
            if let Some((_, ours, _)) = exceptions
                .iter()
                .find(|(number, ..)| *number == n && call["code"] == 0)
            {
                assert_ne!(wanted["stdout"], *ours, "call {n} is no exception any more");
                wanted["stdout"] = (*ours).into();
            }
            assert_eq!(answer(&mut hook, &call), wanted, "{context}: {call}");
            replayed += 1;
        }
    }
    // Each context sees all calls of the first one, and no line is of another.
    let lines = include_str!("../../tests/golden.jsonl").lines();
    let contexts =
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["context"].clone());
    let contexts: Vec<String> = contexts
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert!(
        contexts
            .iter()
            .all(|name| CONTEXTS.contains(&name.as_str()))
    );
    let in_first = contexts.iter().filter(|name| *name == CONTEXTS[0]).count();
    assert_eq!(replayed, in_first * CONTEXTS.len());
}

#[test]
fn input_is_asked_for_only_by_a_tool_that_reads_it() {
    let mut hook = hook(CONTEXTS[0]);
    for (args, refused) in [
        (
            json!(["--file", "-"]),
            Some("hook tool requires stdin, none supplied"),
        ),
        (json!(["k=v"]), None),
    ] {
        let call = json!({"tool": "state-set", "args": args, "stdin": null});
        let answer = answer(&mut hook, &call);
        assert_eq!(answer.get("rpc_error").and_then(Value::as_str), refused);
    }
}
