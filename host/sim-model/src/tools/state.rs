//! `state-get`, `state-set` and `state-delete`: the charm's state in the
//! controller (juju §3.3).

use serde_json::Value;

use super::output::ToolOutput;
use super::{Call, ToolError, key_values};
use crate::Hook;

pub fn delete(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let key = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    // Without a key nothing is deleted, and that is no error.
    if let Some(key) = key.filter(|key| hook.state().contains_key(*key)) {
        hook.state_mut().remove(key);
    }
    Ok(None)
}

/// How many bytes a value may have; how many a key.
const MAX_VALUE: usize = 65536;
const MAX_KEY: usize = 256;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let value = match call.arguments.at_most_one().map_err(ToolError::Usage)? {
        None | Some("" | "-") if hook.state().is_empty() => return Ok(Some(ToolOutput::NoMap)),
        None | Some("" | "-") => Value::Object(hook.state().clone()),
        Some(key) => match hook.state().get(key) {
            Some(value) => value.clone(),
            None if call.arguments.is("strict") => {
                return Err(ToolError::Failed(format!("{key:?} not found")));
            }
            None => "".into(),
        },
    };
    Ok(Some(ToolOutput::Value(value)))
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let pairs = key_values::read(hook, call)?;
    let before_juju_4 = hook.view().is_before_juju_4();
    for (key, value) in &pairs {
        let too_long = |what: &str, max: usize| {
            let limit = format!("max allowed {what} length ({max})");
            ToolError::Failed(match before_juju_4 {
                true => format!("{limit} exceeded"),
                false => format!("{limit}: quota limit exceeded"),
            })
        };
        if key.len() > MAX_KEY {
            return Err(too_long("key", MAX_KEY));
        }
        if value.len() > MAX_VALUE {
            return Err(too_long("value", MAX_VALUE));
        }
    }
    if !pairs.is_empty() {
        let pairs = pairs.into_iter().map(|(key, value)| (key, value.into()));
        hook.state_mut().extend(pairs);
    }
    Ok(None)
}
