//! A guest of the world `raw-charm`: takes the steps that its action orders, and
//! logs the outcome of each.
//!
//! It has no SDK. In any other dispatch than an action it does nothing.

use std::fs;

use serde_json::{Value, json};

wit_bindgen::generate!({
    path: "../../../wit/charm",
    world: "charmhost:charm/raw-charm",
    generate_all,
});

use charmhost::context::context;
use charmhost::crash::crash::{self, Failure};
use charmhost::errors::errors::Error;
use charmhost::hook_tools::hook_tools;
use charmhost::log::log::{self, Level};
use charmhost::store::store::{self, Notice};
use exports::charmhost::entry::entry::{ExitRequest, Guest, Outcome};

struct Raw;

/// The outcome of a step, or the case and the text of its error.
type Taken = Result<Value, (String, String)>;

impl Guest for Raw {
    fn run() -> Outcome {
        if std::env::var("JUJU_ACTION_NAME").is_err() {
            return Outcome::Completed;
        }
        let args = vec!["--format=json".to_owned()];
        let params = match hook_tools::run("action-get", &args, None) {
            Ok(output) => serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            Err(error) => return failed(&format!("{error:?}")),
        };
        let steps = params["steps"].as_array().cloned().unwrap_or_default();
        for (number, step) in steps.iter().enumerate() {
            let line = match take(step) {
                Ok(value) => format!("step {number}: {value}"),
                Err((case, text)) => format!("step {number}: {case}: {text}"),
            };
            log::write(Level::Info, &line);
        }
        match params["end"].as_str() {
            None => Outcome::Completed,
            Some("aborted") => Outcome::Aborted,
            Some("failed") => failed("as ordered"),
            Some("crash") => {
                crash::report(&failure("reported"));
                panic!("after the report");
            }
            Some(text) => Outcome::Exited(ExitRequest {
                code: 7,
                message: Some(text.to_owned()),
            }),
        }
    }
}

fn failure(message: &str) -> Failure {
    Failure {
        kind: "RawError".to_owned(),
        message: message.to_owned(),
        file: Some("charm.py".to_owned()),
        line: Some(3),
        traceback: None,
        delivery: None,
    }
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed(failure(message))
}

fn take(step: &Value) -> Taken {
    let text = |key: &str| step[key].as_str().unwrap_or_default();
    let path = text("path");
    match text("do") {
        "environment" => Ok(std::env::vars()
            .map(|(name, value)| json!([name, value]))
            .collect()),
        "context" => {
            let context = context::get();
            Ok(json!([
                context.unit_name,
                context.charm_dir,
                context.dispatch_path
            ]))
        }
        "run" => run(step),
        "available" => Ok(json!(hook_tools::available(text("tool")))),
        "exists" => Ok(json!(store::exists())),
        "save" => done(store::save_snapshot(path, text("text").as_bytes())),
        "load" => store::load_snapshot(path)
            .map_err(case)
            .map(|bytes| bytes.map_or(Value::Null, |bytes| String::from_utf8_lossy(&bytes).into())),
        "drop" => done(store::drop_snapshot(path)),
        "list" => store::list_snapshots().map_err(case).map(Value::from),
        "notices" => store::list_notices().map_err(case).map(|notices| {
            let notice =
                |notice: Notice| json!([notice.event_path, notice.observer_path, notice.method]);
            notices.into_iter().map(notice).collect()
        }),
        "add-notice" => done(store::add_notice(&notice(step))),
        "drop-notice" => done(store::drop_notice(&notice(step))),
        "write" => io(fs::write(path, text("text")).map(|()| "done")),
        "read" => io(fs::read_to_string(path)),
        "rename" => io(fs::rename(path, text("to")).map(|()| "done")),
        "hard-link" => io(fs::hard_link(path, text("to")).map(|()| "done")),
        "remove" => io(fs::remove_file(path).map(|()| "done")),
        other => Err(("unknown step".to_owned(), other.to_owned())),
    }
}

fn run(step: &Value) -> Taken {
    let args = step["args"].as_array().into_iter().flatten();
    let args: Vec<String> = args.filter_map(Value::as_str).map(str::to_owned).collect();
    let stdin = step["stdin"].as_str().map(str::as_bytes);
    let tool = step["tool"].as_str().unwrap_or_default();
    let output = hook_tools::run(tool, &args, stdin).map_err(case)?;
    Ok(json!({
        "code": output.exit_code,
        "stdout": String::from_utf8_lossy(&output.stdout),
        "stderr": String::from_utf8_lossy(&output.stderr),
    }))
}

fn notice(step: &Value) -> Notice {
    let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
    Notice {
        event_path: text("event"),
        observer_path: text("observer"),
        method: text("method"),
    }
}

fn done(result: Result<(), Error>) -> Taken {
    result.map(|()| json!("done")).map_err(case)
}

fn io<T: Into<Value>>(result: std::io::Result<T>) -> Taken {
    result
        .map(Into::into)
        .map_err(|error| ("io".to_owned(), error.to_string()))
}

fn case(error: Error) -> (String, String) {
    match error {
        Error::NotFound(text) => ("not-found".to_owned(), text),
        Error::PermissionDenied(text) => ("permission-denied".to_owned(), text),
        Error::NotLeader(text) => ("not-leader".to_owned(), text),
        Error::RelationGone(text) => ("relation-gone".to_owned(), text),
        Error::Timeout(text) => ("timeout".to_owned(), text),
        Error::InvalidInput(text) => ("invalid-input".to_owned(), text),
        Error::Denied(denial) => ("denied".to_owned(), denial.message),
        Error::Other(failure) => (failure.code, failure.message),
    }
}

export!(Raw);
