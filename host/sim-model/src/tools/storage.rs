//! `storage-list`, `storage-get` and `storage-add` (juju §3.3).

use serde_json::json;

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Hook, HookContext};

pub fn list(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let name = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let of_name = |id: &&String| name.is_none_or(|name| id.split('/').next() == Some(name));
    let ids = hook.view().storages.keys().filter(of_name);
    Ok(Some(ToolOutput::Lines(ids.cloned().collect())))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let id = match (call.arguments.value("s"), hook.context()) {
        (Some(id), _) => {
            let wrong = |reason: String| {
                ToolError::Usage(format!("invalid value {id:?} for option -s: {reason}"))
            };
            let well_formed = id
                .split_once('/')
                .is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            if !well_formed {
                return Err(wrong(format!("invalid storage ID {id:?}")));
            }
            if !hook.view().storages.contains_key(id) {
                return Err(wrong("storage not found".to_owned()));
            }
            id.to_owned()
        }
        (None, HookContext::Storage(id)) => id.clone(),
        (None, _) => return Err(ToolError::Usage("no storage instance specified".to_owned())),
    };
    let key = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let Some(storage) = hook.view().storages.get(&id) else {
        return Err(ToolError::Failed(format!("storage {id:?} not found")));
    };
    let value = match key {
        None | Some("") => json!({"kind": storage.kind, "location": storage.location}),
        Some("kind") => storage.kind.as_str().into(),
        Some("location") => storage.location.as_str().into(),
        Some(other) => {
            let text = format!("invalid storage attribute {other:?}");
            return Err(ToolError::Failed(text));
        }
    };
    Ok(Some(ToolOutput::Value(value)))
}

pub fn add(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    if call.arguments.args.is_empty() {
        let text = "storage add requires a storage directive";
        return Err(ToolError::Usage(text.to_owned()));
    }
    let mut requests: Vec<(&str, u32)> = Vec::new();
    for arg in &call.arguments.args {
        let (name, count) = request(hook, arg).map_err(ToolError::Usage)?;
        if requests.iter().any(|(other, _)| *other == name) {
            let text = format!("storage {name:?} specified more than once");
            return Err(ToolError::Usage(text));
        }
        requests.push((name, count));
    }
    for (name, count) in requests {
        hook.request_storage(name, count);
    }
    Ok(None)
}

/// A storage's name and how many of it: `NAME` or `NAME=COUNT`.
fn request<'a>(hook: &Hook, arg: &'a str) -> Result<(&'a str, u32), String> {
    let what = match hook.view().is_before_juju_4() {
        true => "constraints",
        false => "directive",
    };
    let (name, count) = arg.split_once('=').unwrap_or((arg, "1"));
    if name.is_empty() {
        return Err(format!("expected \"name={what}\" or \"name\", got {arg:?}"));
    }
    let wrong = |reason: String| format!("cannot parse {what} for storage {name:?}: {reason}");
    match count.parse::<i64>() {
        Ok(number) if number > 0 => Ok((name, u32::try_from(number).unwrap_or(u32::MAX))),
        Ok(_) => Err(wrong(format!(
            "parsing storage count: count must be greater than zero, got {count:?}"
        ))),
        Err(_) if count.is_empty() => {
            let what = what.trim_end_matches('s');
            Err(wrong(format!(
                "storage {what}s require at least one field to be specified"
            )))
        }
        Err(_) => Err(format!("only count can be specified for {name:?}")),
    }
}
