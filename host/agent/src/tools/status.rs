//! `status-set` and `status-get`.

use serde_json::{Map, Value, json};

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::{Hook, Status};
use charmhost_hook_tools::unrecognized;

const SETTABLE: [&str; 4] = ["maintenance", "blocked", "waiting", "active"];

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let (status, message, rest) = match call.arguments.args.as_slice() {
        [] => {
            let text = "invalid args, require <status> [message]";
            return Err(Refusal::Usage(text.to_owned()));
        }
        [status] => (status, "", &[][..]),
        [status, message, rest @ ..] => (status, message.as_str(), rest),
    };
    if !SETTABLE.contains(&status.as_str()) {
        let known = SETTABLE.join(" ");
        return Err(Refusal::Usage(format!(
            "invalid status {status:?}, expected one of [{known}]"
        )));
    }
    if !rest.is_empty() {
        return Err(Refusal::Usage(unrecognized(rest)));
    }
    let status = Status::new(status, message);
    if !call.arguments.is("application") {
        hook.set_unit_status(status);
    } else if hook.model().leader {
        hook.set_app_status(status);
    } else {
        return Err(Refusal::not_leader());
    }
    Ok(None)
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    let model = hook.model();
    let with_data = call.arguments.is("include-data");
    let shown = if call.arguments.is("application") {
        if !model.leader {
            let text = "finding application status: this unit is not the leader";
            return Err(Refusal::Failed(text.to_owned()));
        }
        let status = model.app_status.as_ref().unwrap_or(&model.unit_status);
        if !with_data {
            return Ok(Some(Shown::Value(status.status.as_str().into())));
        }
        let mut application = details(status);
        let units = json!({ model.unit.as_str(): details(&model.unit_status) });
        application.insert("units".to_owned(), units);
        json!({ "application-status": application })
    } else if with_data {
        Value::Object(details(&model.unit_status))
    } else {
        return Ok(Some(Shown::Value(brief(call, &model.unit_status))));
    };
    Ok(Some(Shown::Value(shown)))
}

/// Only the word; a map with it unless the format is `smart`.
fn brief(call: &Call, status: &Status) -> Value {
    match call.arguments.value("format") {
        None | Some("smart") => status.status.as_str().into(),
        Some(_) => json!({ "status": status.status }),
    }
}

fn details(status: &Status) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("message".to_owned(), status.message.as_str().into());
    map.insert("status".to_owned(), status.status.as_str().into());
    map.insert("status-data".to_owned(), json!({}));
    map
}
