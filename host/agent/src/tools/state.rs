//! `state-get`, `state-set` and `state-delete`: what a charm keeps with the
//! controller.

use serde_json::Value;

use super::format::Shown;
use super::{Call, Refusal, pairs};
use crate::model::Hook;

pub fn delete(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let key = call.arguments.at_most_one().map_err(Refusal::Usage)?;
    // Without a key nothing is deleted, and that is no error.
    if let Some(key) = key.filter(|key| hook.state().contains_key(*key)) {
        hook.state_mut().remove(key);
    }
    Ok(None)
}

/// How many bytes a value may have; how many a key.
const MAX_VALUE: usize = 65536;
const MAX_KEY: usize = 256;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
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

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let pairs = pairs::read(hook, call)?;
    let before_juju_4 = hook.model().is_before_juju_4();
    for (key, value) in &pairs {
        let too_long = |what: &str, max: usize| {
            let limit = format!("max allowed {what} length ({max})");
            Refusal::Failed(match before_juju_4 {
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
