//! Answers of a real agent, replayed in-process.
//!
//! `tests/real-answers/answers.jsonl` holds calls that were put to the hook
//! context of real agents. Their order is by subject and not by time, so each
//! line runs in a hook of its own: in the model of its context
//! ([`model`], [`secrets`]) and after the calls that `setup.jsonl` and
//! `secret-setup.jsonl` name for it. Lines are counted from 1.

mod model;
mod secrets;

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;

use charmhost_jujuc::{Call, Connection, Error, Reply, Request, serve_connection};
use serde_json::{Value, json};

use crate::Hook;
use crate::hook::HookEvent;

const ANSWERS: &str = include_str!("../../../tests/real-answers/answers.jsonl");
const SETUP: &str = include_str!("../../../tests/real-answers/setup.jsonl");
const EXCEPTIONS: &str = include_str!("../../../tests/real-answers/exceptions.jsonl");

/// How many lines may be answered otherwise, those of secrets included.
const MAX_EXCEPTIONS: usize = 15;

/// A recorded call.
struct Line {
    number: u64,
    call: Value,
}

impl Line {
    fn text(&self, key: &str) -> &str {
        self.call[key].as_str().unwrap()
    }

    fn is_of_secrets(&self) -> bool {
        self.text("tool").starts_with("secret-")
    }
}

fn read(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn lines() -> Vec<Line> {
    let numbered = (1..).zip(read(ANSWERS));
    numbered
        .map(|(number, call)| Line { number, call })
        .collect()
}

/// The entries of a data file that are about a line.
fn about(number: u64, text: &str) -> Vec<Value> {
    let mut entries = read(text);
    entries.retain(|entry| entry["lines"].as_array().unwrap().contains(&number.into()));
    entries
}

/// Restores a text that was abbreviated in the record:
/// `kkk<9 characters in all>` repeats the last character, and a JSON map of
/// one key gets its value back.
fn expand(text: &str) -> String {
    let Some((start, count)) = text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    else {
        return match text {
            // Bytes that are no UTF-8 are shown as escapes.
            "\\xff\\xfe" => String::from_utf8_lossy(b"\xff\xfe").into_owned(),
            text => text.to_owned(),
        };
    };
    if let Some(count) = count.strip_suffix(" characters") {
        return format!("{start}{}", "x".repeat(count.parse().unwrap()));
    }
    let Some(count) = count.strip_suffix(" characters in all") else {
        return text.to_owned();
    };
    let count: usize = count.parse().unwrap();
    let end = if start.starts_with("{\"") {
        "\":\"v\"}"
    } else {
        ""
    };
    let filler = start.chars().next_back().unwrap().to_string();
    let missing = count - start.chars().count() - end.len();
    format!("{start}{}{end}", filler.repeat(missing))
}

fn request(call: &Value) -> Request {
    let args = call["args"].as_array().unwrap().iter();
    Request {
        dir: "/tmp".to_owned(),
        tool: call["tool"].as_str().unwrap().to_owned(),
        args: args.map(|arg| expand(arg.as_str().unwrap())).collect(),
        stdin: call["stdin"].as_str().map(|text| expand(text).into_bytes()),
        ..Request::default()
    }
}

/// What a client gets.
fn over_a_socket(hook: &mut Hook, request: &Request) -> Result<Reply, String> {
    let (client, server) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        let serving =
            scope.spawn(|| serve_connection(server, |request| crate::tools::run(hook, &request)));
        let call = Call {
            context_id: "",
            dir: &request.dir,
            tool: &request.tool,
            args: &request.args,
            stdin: request.stdin.as_deref(),
        };
        let answer = Connection::over(client).call(&call);
        serving.join().unwrap().unwrap();
        answer.map_err(|error| match error {
            Error::Rpc { message, .. } => message,
            other => other.to_string(),
        })
    })
}

/// Our answer in the form of the recorded ones: with the first line of the log
/// if that was recorded.
fn answer(hook: &mut Hook, line: &Line) -> Value {
    let request = request(&line.call);
    let answer = match line.text("context") {
        "client" => over_a_socket(hook, &request),
        _ => crate::tools::run(hook, &request),
    };
    let reply = match answer {
        Ok(reply) => reply,
        Err(error) => return json!({ "rpc_error": error }),
    };
    let mut answer = json!({
        "code": reply.code,
        "stdout": String::from_utf8(reply.stdout).unwrap(),
        "stderr": String::from_utf8(reply.stderr).unwrap(),
    });
    let log = hook
        .take_events()
        .into_iter()
        .find_map(|notice| match notice {
            HookEvent::Log(line) => Some(format!("{} {}", line.level.as_str(), line.message)),
            _ => None,
        });
    if let (Some(_), Some(log)) = (line.call["real"].get("log"), log) {
        answer["log"] = log.into();
    }
    answer
}

/// The answer with the ids that this hook gave out by their count: those of
/// the record are of a stand-in for the controller.
fn comparable(line: &Line, answer: &Value) -> Value {
    let mut answer = answer.clone();
    if ["secret-add", "secret-ids"].contains(&line.text("tool")) {
        let text = answer["stdout"].as_str().unwrap_or_default();
        answer["stdout"] = secrets::comparable(text);
    }
    answer
}

/// Runs the lines of secret tools, or all others, with what `setup` has for them
/// besides [`SETUP`].
fn replay(of_secrets: bool, setup: &str, exceptions: &str) {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in lines()
        .iter()
        .filter(|line| line.is_of_secrets() == of_secrets)
    {
        let mut hook = model::hook(line.text("juju"), line.text("context"));
        let entries = [SETUP, setup].map(|text| about(line.number, text)).concat();
        let calls = entries
            .iter()
            .flat_map(|entry| entry["before"].as_array().unwrap());
        for call in calls {
            let before = crate::tools::run(&mut hook, &request(call));
            assert!(before.is_ok(), "{call}: {before:?}");
        }
        hook.take_events();
        let got = comparable(line, &answer(&mut hook, line));
        let real = comparable(line, &line.call["real"]);
        let wanted = match about(line.number, exceptions).as_slice() {
            [] => real,
            [exception] => {
                assert!(!exception["reason"].as_str().unwrap().is_empty());
                assert_ne!(got, real, "line {} is no exception any more", line.number);
                used.insert(line.number);
                exception["answer"].clone()
            }
            _ => panic!("line {} has several exceptions", line.number),
        };
        if got != wanted {
            wrong.push(format!(
                "line {} {} {} {}\n  wanted {wanted}\n  got    {got}",
                line.number, line.call["group"], line.call["tool"], line.call["args"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let named: BTreeSet<u64> = read(exceptions)
        .iter()
        .flat_map(|entry| entry["lines"].as_array().unwrap())
        .map(|number| number.as_u64().unwrap())
        .collect();
    assert_eq!(used, named, "exceptions that no line needs");
}

#[test]
fn the_tools_answer_as_those_of_a_real_agent() {
    replay(false, "", EXCEPTIONS);
}

#[test]
fn few_answers_are_meant_to_differ() {
    let count = |text| -> usize {
        let lines = |entry: &Value| entry["lines"].as_array().unwrap().len();
        read(text).iter().map(lines).sum()
    };
    assert!(count(EXCEPTIONS) + count(secrets::EXCEPTIONS) <= MAX_EXCEPTIONS);
    assert_eq!(lines().len(), 154);
}
