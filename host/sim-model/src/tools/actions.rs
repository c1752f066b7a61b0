//! `action-get`, `action-set`, `action-fail` and `action-log` (juju §3.3, juju §5).

use serde_json::Value;

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Action, Hook};

pub fn fail(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let message = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let reason = message.unwrap_or("action failed without reason given, check action for errors");
    running(hook)?.failure = Some(reason.to_owned());
    Ok(None)
}

pub fn log(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    if call.arguments.args.is_empty() {
        return Err(ToolError::Usage("no message specified".to_owned()));
    }
    running(hook)?.log.push(call.arguments.args.join(" "));
    Ok(None)
}

const RESERVED: [&str; 4] = ["stdout", "stdout-encoding", "stderr", "stderr-encoding"];

fn running(hook: &mut Hook) -> Result<&mut Action, ToolError> {
    let none = || ToolError::Failed("not running an action".to_owned());
    hook.action_mut().ok_or_else(none)
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let key = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let action = running(hook)?;
    let value = match key {
        None => Value::Object(action.params.clone()),
        Some(key) => action.param(key.split('.')).cloned().unwrap_or_default(),
    };
    Ok(Some(ToolOutput::Value(value)))
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let mut results = Vec::new();
    for arg in &call.arguments.args {
        let wrong =
            || ToolError::Usage(format!("argument {arg:?} must be of the form key...=value"));
        let (path, value) = arg.split_once('=').ok_or_else(wrong)?;
        let keys: Vec<&str> = path.split('.').collect();
        for key in &keys {
            check_key(key).map_err(ToolError::Usage)?;
        }
        results.push((keys, value));
    }
    if results.is_empty() {
        return Ok(None);
    }
    let action = running(hook)?;
    for (keys, value) in results {
        action.set_result(&keys, value);
    }
    Ok(None)
}

fn check_key(key: &str) -> Result<(), String> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = [key.bytes().next(), key.bytes().last()];
    let valid = ends.iter().all(|end| end.is_some_and(alphanumeric))
        && key.bytes().all(|b| alphanumeric(b) || b == b'-');
    if !valid {
        return Err(format!(
            "key {key:?} must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric and hyphens"
        ));
    }
    match RESERVED.contains(&key) {
        true => Err(format!("cannot set reserved action key {key:?}")),
        false => Ok(()),
    }
}
