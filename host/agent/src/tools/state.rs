//! `state-get`, `state-set` and `state-delete`: what a charm keeps with the
//! controller.

use serde_json::{Map, Value};

use super::arguments::Flag;
use super::format::Shown;
use super::{Call, Formats, Refusal, Tool};
use crate::model::Hook;

pub const GET: Tool = Tool {
    name: "state-get",
    usage: "[options] [<key>]",
    purpose: "Print the state kept with the controller, or one value of it.",
    flags: &[Flag::switch(&["strict"])],
    formats: Formats::Smart,
    run: get,
};

pub const SET: Tool = Tool {
    name: "state-set",
    usage: "[options] key=value [key=value ...]",
    purpose: "Keep values with the controller when the hook succeeds.",
    flags: &[Flag::text(&["file"])],
    formats: Formats::None,
    run: set,
};

pub const DELETE: Tool = Tool {
    name: "state-delete",
    usage: "<key>",
    purpose: "Delete a value kept with the controller when the hook succeeds.",
    flags: &[],
    formats: Formats::None,
    run: |hook, call| {
        let key = call.arguments.at_most_one().map_err(Refusal::Usage)?;
        // Without a key nothing is deleted, and that is no error.
        if let Some(key) = key.filter(|key| hook.state().contains_key(*key)) {
            hook.state_mut().remove(key);
        }
        Ok(None)
    },
};

/// How many bytes a value may have; how many a key.
const MAX_VALUE: usize = 65536;
const MAX_KEY: usize = 256;

fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let value = match call.arguments.at_most_one().map_err(Refusal::Usage)? {
        None | Some("" | "-") if hook.state().is_empty() => return Ok(Some(Shown::NoMap)),
        None | Some("" | "-") => Value::Object(hook.state().clone()),
        Some(key) => match hook.state().get(key) {
            Some(value) => value.clone(),
            None if call.arguments.is("strict") => {
                return Err(Refusal::Failed(format!("{key:?} not found")));
            }
            None => "".into(),
        },
    };
    Ok(Some(Shown::Value(value)))
}

fn set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let mut pairs = match call.arguments.value("file") {
        None | Some("") => Map::new(),
        Some(file) => from_file(call, file)?,
    };
    for arg in &call.arguments.args {
        let wrong = || Refusal::Usage(format!("expected \"key=value\", got {arg:?}"));
        let (key, value) = arg.split_once('=').ok_or_else(wrong)?;
        if key.is_empty() {
            return Err(wrong());
        }
        pairs.insert(key.trim().to_owned(), value.trim().into());
    }
    for (key, value) in &pairs {
        let too_long = |what: &str, max: usize| {
            Refusal::Failed(format!(
                "max allowed {what} length ({max}): quota limit exceeded"
            ))
        };
        if key.len() > MAX_KEY {
            return Err(too_long("key", MAX_KEY));
        }
        if value.as_str().is_some_and(|text| text.len() > MAX_VALUE) {
            return Err(too_long("value", MAX_VALUE));
        }
    }
    if !pairs.is_empty() {
        hook.state_mut().extend(pairs);
    }
    Ok(None)
}

/// A YAML map from keys to text, in a file or, as `-`, the tool's input.
fn from_file(call: &Call, file: &str) -> Result<Map<String, Value>, Refusal> {
    let failed = |text: String| Refusal::Failed(text);
    let bytes = match file {
        "-" => call.stdin()?.to_vec(),
        path => std::fs::read(call.dir.join(path))
            .map_err(|error| failed(format!("cannot read {path:?}: {error}")))?,
    };
    let text = String::from_utf8(bytes)
        .map_err(|error| failed(format!("cannot read {file:?}: {error}")))?;
    let document = match charmhost_yaml::parse(&text) {
        Ok(Value::Object(map)) => map,
        Ok(Value::Null) => Map::new(),
        Ok(_) => return Err(failed(format!("cannot read {file:?}: it is not a map"))),
        Err(error) => return Err(failed(format!("cannot read {file:?}: {error}"))),
    };
    let as_text = |(key, value): (String, Value)| match value {
        Value::String(_) => Ok((key, value)),
        Value::Null => Ok((key, "".into())),
        Value::Bool(_) | Value::Number(_) => Ok((key, value.to_string().into())),
        _ => Err(failed(format!(
            "cannot read {file:?}: the value of {key:?} is not text"
        ))),
    };
    document.into_iter().map(as_text).collect()
}
