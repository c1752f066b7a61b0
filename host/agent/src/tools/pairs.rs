//! `key=value` arguments and `--file`, which several tools take.

use serde_json::Value;

use super::{Call, Refusal};
use crate::model::Hook;

/// The pairs of a file, if there is one, and of the arguments, whose values are
/// trimmed.
pub fn read(hook: &Hook, call: &Call) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs = match call.arguments.value("file") {
        None | Some("") => Vec::new(),
        Some(file) => from_file(hook, call, file)?,
    };
    let mut given: Vec<(String, String)> = Vec::new();
    for arg in &call.arguments.args {
        let wrong = || Refusal::Usage(format!("expected \"key=value\", got {arg:?}"));
        let (key, value) = arg.split_once('=').ok_or_else(wrong)?;
        if key.is_empty() {
            return Err(wrong());
        }
        let key = key.trim().to_owned();
        if given.iter().any(|(other, _)| *other == key) {
            let text = format!("key {key:?} specified more than once");
            return Err(Refusal::Usage(text));
        }
        given.push((key, value.trim().to_owned()));
    }
    pairs.extend(given);
    Ok(pairs)
}

/// A YAML map from keys to text, in a file or, as `-`, the tool's input.
fn from_file(hook: &Hook, call: &Call, file: &str) -> Result<Vec<(String, String)>, Refusal> {
    let failed = |text: String| Refusal::Failed(text);
    let bytes = match file {
        "-" => call.stdin()?.to_vec(),
        path => hook
            .read_file(call.dir, path)
            .map_err(|error| failed(format!("cannot read {path:?}: {error}")))?,
    };
    let text = String::from_utf8(bytes)
        .map_err(|error| failed(format!("cannot read {file:?}: {error}")))?;
    let document = match charmhost_yaml::parse(&text) {
        Ok(Value::Object(map)) => map,
        Ok(Value::Null) => return Ok(Vec::new()),
        Ok(other) => {
            let tag = match other {
                Value::Array(_) => "!!seq",
                Value::Bool(_) => "!!bool",
                Value::Number(_) => "!!int",
                _ => "!!str",
            };
            return Err(failed(format!(
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal {tag} into map[string]string"
            )));
        }
        Err(error) => return Err(failed(format!("yaml: {error}"))),
    };
    let as_text = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Null => Ok((key, String::new())),
        Value::Bool(_) | Value::Number(_) => Ok((key, value.to_string())),
        _ => Err(failed(format!(
            "cannot read {file:?}: the value of {key:?} is not text"
        ))),
    };
    document.into_iter().map(as_text).collect()
}
