//! Every answer of the real tools, replayed.
//!
//! `tests/golden.jsonl` holds calls that were put to the hook-tool server of
//! Juju 4.1 with a made-up context behind it. The calls of a context ran in the
//! order of their numbers. A call that was answered as in the first context is
//! not repeated in the later ones, but ran there too.

use std::collections::{BTreeMap, BTreeSet};

use charmhost_jujuc::Request;
use serde_json::{Value, json};

use crate::{
    Action, Config, Content, Databag, Grant, Hook, HookContext, Networks, PortRange, RelationView,
    SecretOwner, SecretView, Storage, UnitView, secret_id,
};

const CONTEXTS: [&str; 7] = [
    "config-changed",
    "minion",
    "relation-changed",
    "relation-broken",
    "storage-attached",
    "action",
    "action-noparams",
];

/// Calls that we mean to answer otherwise: the call's number, the contexts, our
/// answer, and why.
fn exceptions() -> Vec<Value> {
    let lines = include_str!("../../tests/golden-exceptions.jsonl").lines();
    let read = |line| {
        let exception: Value = serde_json::from_str(line).unwrap();
        assert!(
            !exception["reason"].as_str().unwrap().is_empty(),
            "{exception}"
        );
        exception
    };
    lines.map(read).collect()
}

fn hook(context: &str) -> Hook {
    let options = "options:
  port: {type: int, default: 8080}
  name: {default: blog}
  ratio: {type: float, default: 0.5}
  debug: {type: boolean, default: true}
  unset: {type: string}
  empty: {default: ''}
";
    let options = charmhost_yaml::parse(options).unwrap();
    let mut model = UnitView {
        unit: "wordpress/0".to_owned(),
        leader: context != "minion",
        config: Config::new(options.as_object().unwrap()).unwrap(),
        endpoints: BTreeSet::from(["db".to_owned(), "web".to_owned()]),
        ..UnitView::default()
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
    surroundings(&mut model, context);
    let relation = |remote_unit: Option<&str>| HookContext::Relation {
        id: 7,
        remote_app: Some("mysql".to_owned()),
        remote_unit: remote_unit.map(str::to_owned),
    };
    let context = match context {
        "relation-changed" => relation(Some("mysql/0")),
        "relation-broken" => relation(None),
        "storage-attached" => HookContext::Storage("data/0".to_owned()),
        context if context.starts_with("action") => HookContext::Action(Action {
            params: params.as_object().unwrap().clone(),
            ..Action::default()
        }),
        _ => HookContext::Plain,
    };
    Hook::new(model, context)
}

fn bag(pairs: &[(&str, &str)]) -> Databag {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// What the made-up contexts have around the unit.
fn surroundings(model: &mut UnitView, context: &str) {
    model.app = "wordpress".to_owned();
    model.juju_version = "4.1-beta2".to_owned();
    let own = bag(&[
        ("ingress-address", "10.0.0.7"),
        ("private-address", "10.0.0.7"),
    ]);
    let mysql = RelationView {
        id: 7,
        endpoint: "db".to_owned(),
        interface: "server".to_owned(),
        remote_app: "mysql".to_owned(),
        remote_app_data: bag(&[("database", "blog")]),
        remote_units_data: [
            (
                "mysql/0".to_owned(),
                bag(&[("host", "10.0.0.9"), ("port", "3306")]),
            ),
            ("mysql/1".to_owned(), bag(&[])),
        ]
        .into(),
        local_app_data: bag(&[("cluster", "a")]),
        local_unit_data: own.clone(),
        remote_model_uuid: Some("c9b9f9d0-1b0e-4a3e-8d86-8d4ab0c6a2f1".to_owned()),
        ..RelationView::default()
    };
    let other = RelationView {
        id: 9,
        endpoint: "db".to_owned(),
        remote_app: "other".to_owned(),
        local_unit_data: own,
        ..RelationView::default()
    };
    model.relations = [(7, mysql), (9, other)].into();
    model.networks = Networks::of_substrate(false);
    model.networks.public_address = "203.0.113.7".to_owned();
    for (id, kind) in [("data/0", "filesystem"), ("logs/1", "filesystem")] {
        let location = format!("/var/lib/juju/storage/{id}");
        let kind = kind.to_owned();
        model
            .storages
            .insert(id.to_owned(), Storage { kind, location });
    }
    let image = "/var/lib/juju/agents/unit-wordpress-0/resources/img/img.tgz";
    model.resources.insert("img".to_owned(), image.to_owned());
    model.cloud_spec = (context != "minion").then(|| {
        json!({
            "type": "lxd", "name": "localhost", "region": "localhost",
            "endpoint": "https://10.0.0.1:8443", "ca_certificates": ["CERT"],
            "credential": {"auth_type": "certificate", "attributes": {"client-cert": "foo"}},
        })
    });
    secrets(model, context);
}

fn secrets(model: &mut UnitView, context: &str) {
    let content = Content::text([("username", "user"), ("password", "s3cret")]);
    let remote = SecretOwner::Remote("mysql".to_owned());
    let owner = match context {
        "relation-changed" => SecretOwner::App,
        _ => remote.clone(),
    };
    let mut known = SecretView::new("9m4e2mr0ui3e8a215n4g", owner, content.clone());
    known.latest = 2;
    known.tracked = 2;
    known.revisions = [(2, content.clone())].into();
    known.label = "db-password".to_owned();
    known.consumer_label = Some("db-password".to_owned());
    known.description = "the password".to_owned();
    known.rotate = Some("daily".to_owned());
    known.expire = Some("2027-01-01T00:00:00Z".to_owned());
    known.rotates = known.expire.clone();
    known.grants = vec![Grant {
        relation: 7,
        unit: None,
    }];
    let mut foreign = SecretView::new("d0erdgfmp25c762i8np0", remote, content);
    foreign.readable = false;
    for secret in [known, foreign] {
        model.secrets.insert(secret.id.clone(), secret);
    }
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
        // The record has only the size of long inputs.
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

/// An answer in a form that does not depend on what is another in each run:
/// the id of a new secret, and the order of `secret-ids`.
fn stable(tool: &Value, mut answer: Value) -> Value {
    let Some(stdout) = answer["stdout"].as_str().map(str::to_owned) else {
        return answer;
    };
    if tool == "secret-add" && secret_id(stdout.trim_end()).is_some() {
        answer["stdout"] = "a URI".into();
    } else if tool == "secret-ids" {
        let quoted = |c: char| !c.is_ascii_alphanumeric();
        let mut ids: Vec<&str> = stdout.split(quoted).filter(|id| !id.is_empty()).collect();
        ids.sort_unstable();
        answer["ids"] = ids.into();
        answer["stdout"] = stdout.replace(|c: char| !quoted(c), "").into();
    }
    answer
}

#[test]
fn the_tools_answer_as_those_of_juju() {
    let (mut replayed, mut used) = (0, BTreeSet::new());
    let mut wrong = Vec::new();
    let exceptions = exceptions();
    for context in CONTEXTS {
        let mut hook = hook(context);
        for (n, call) in calls(context) {
            let mut wanted = call.clone();
            let object = wanted.as_object_mut().unwrap();
            object
                .retain(|key, _| ["code", "stdout", "stderr", "rpc_error"].contains(&key.as_str()));
            let fits = |exception: &Value| {
                let contexts = exception["contexts"].as_array().unwrap();
                exception["n"] == n && contexts.contains(&context.into())
            };
            let wanted = stable(&call["tool"], wanted);
            let exception = exceptions.iter().position(fits);
            let wanted = exception.map_or(wanted.clone(), |index| {
                let ours = stable(&call["tool"], exceptions[index]["answer"].clone());
                assert_ne!(wanted, ours, "{context} {n} is no exception any more");
                used.insert(index);
                ours
            });
            let got = stable(&call["tool"], answer(&mut hook, &call));
            if got != wanted {
                wrong.push(format!(
                    "{context} {n} {} {}\n  wanted {wanted}\n  got    {got}",
                    call["tool"], call["args"]
                ));
            }
            replayed += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(used.len(), exceptions.len(), "an exception is never needed");
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

#[test]
fn a_guest_may_pass_whatever_the_tools_take() {
    let policy = charmhost_hook_tools::Policy::default();
    let mut checked = 0;
    for line in include_str!("../../tests/golden.jsonl").lines() {
        let call: Value = serde_json::from_str(line).unwrap();
        let request = request(&call);
        let opens_file = charmhost_hook_tools::names_file(&request.tool, &request.args).is_some();
        if call["code"] != 0 || opens_file {
            continue;
        }
        assert_eq!(policy.check(&request.tool, &request.args), Ok(()), "{call}");
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}
