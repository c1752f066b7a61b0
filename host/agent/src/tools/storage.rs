//! `storage-list`, `storage-get` and `storage-add`.

use serde_json::json;

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::{Context, Hook};

pub fn list(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let name = call.arguments.at_most_one().map_err(Refusal::Usage)?;
    let of_name = |id: &&String| name.is_none_or(|name| id.split('/').next() == Some(name));
    let ids = hook.model().storages.keys().filter(of_name);
    Ok(Some(Shown::Lines(ids.cloned().collect())))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let id = match (call.arguments.value("s"), hook.context()) {
        (Some(id), _) => {
            let wrong = |reason: String| {
                Refusal::Usage(format!("invalid value {id:?} for option -s: {reason}"))
            };
            let well_formed = id
                .split_once('/')
                .is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            if !well_formed {
                return Err(wrong(format!("invalid storage ID {id:?}")));
            }
            if !hook.model().storages.contains_key(id) {
                return Err(wrong("storage not found".to_owned()));
            }
            id.to_owned()
        }
        (None, Context::Storage(id)) => id.clone(),
        (None, _) => return Err(Refusal::Usage("no storage instance specified".to_owned())),
    };
    let key = call.arguments.at_most_one().map_err(Refusal::Usage)?;
    let Some(storage) = hook.model().storages.get(&id) else {
        return Err(Refusal::Failed(format!("storage {id:?} not found")));
    };
    let value = match key {
        None | Some("") => json!({"kind": storage.kind, "location": storage.location}),
        Some("kind") => storage.kind.as_str().into(),
        Some("location") => storage.location.as_str().into(),
        Some(other) => {
            let text = format!("invalid storage attribute {other:?}");
            return Err(Refusal::Failed(text));
        }
    };
    Ok(Some(Shown::Value(value)))
}

pub fn add(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    if call.arguments.args.is_empty() {
        let text = "storage add requires a storage directive";
        return Err(Refusal::Usage(text.to_owned()));
    }
    for arg in &call.arguments.args {
        let (name, count) = arg.split_once('=').unwrap_or((arg, "1"));
        let count = match count.parse::<i64>() {
            Ok(count) if count > 0 => u32::try_from(count).unwrap_or(u32::MAX),
            Ok(_) => {
                return Err(Refusal::Usage(format!(
                    "cannot parse directive for storage {name:?}: parsing storage count: count must be greater than zero, got {count:?}"
                )));
            }
            Err(_) => {
                let text = format!("only count can be specified for {name:?}");
                return Err(Refusal::Usage(text));
            }
        };
        hook.request_storage(name, count);
    }
    Ok(None)
}
