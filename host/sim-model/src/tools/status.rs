//! `status-set` and `status-get` (juju §3.3).

use serde_json::{Map, Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Hook, Status};
use charmhost_hook_tools::unrecognized;

const SETTABLE: [&str; 4] = ["maintenance", "blocked", "waiting", "active"];

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (status, message, rest) = match call.arguments.args.as_slice() {
        [] => {
            let text = "invalid args, require <status> [message]";
            return Err(ToolError::Usage(text.to_owned()));
        }
        [status] => (status, "", &[][..]),
        [status, message, rest @ ..] => (status, message.as_str(), rest),
    };
    if !SETTABLE.contains(&status.as_str()) {
        let known = SETTABLE.join(" ");
        return Err(ToolError::Usage(format!(
            "invalid status {status:?}, expected one of [{known}]"
        )));
    }
    if !rest.is_empty() {
        return Err(ToolError::Usage(unrecognized(rest)));
    }
    let status = Status::new(status, message);
    if !call.arguments.is("application") {
        hook.set_unit_status(status);
    } else if hook.view().leader {
        hook.set_app_status(status);
    } else {
        return Err(ToolError::not_leader());
    }
    Ok(None)
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    let with_data = call.arguments.is("include-data");
    let smart = matches!(call.arguments.value("format"), None | Some("smart"));
    if call.arguments.is("application") {
        return application(hook, with_data, smart);
    }
    let status = hook.read_unit_status();
    Ok(Some(ToolOutput::Value(match (with_data, smart) {
        (false, true) => status.status.as_str().into(),
        _ => Value::Object(details(status, with_data)),
    })))
}

/// The application's status, with those of its units unless only a word is
/// shown.
fn application(
    hook: &mut Hook,
    with_data: bool,
    smart: bool,
) -> Result<Option<ToolOutput>, ToolError> {
    if !hook.view().leader {
        let text = "finding application status: this unit is not the leader";
        return Err(ToolError::Failed(text.to_owned()));
    }
    let name = hook.view().unit.clone();
    let others = hook.view().other_units.clone();
    let (status, of_unit) = hook.read_app_status();
    if smart && !with_data {
        return Ok(Some(ToolOutput::Value(status.status.as_str().into())));
    }
    let mut application = details(status, with_data);
    let mut units = Map::new();
    for (unit, status) in others.iter().chain([(&name, of_unit)]) {
        units.insert(unit.clone(), Value::Object(details(status, with_data)));
    }
    application.insert("units".to_owned(), Value::Object(units));
    let document = json!({ "application-status": application });
    Ok(Some(ToolOutput::Value(document)))
}

/// The word, and all else only if asked for.
fn details(status: &Status, with_data: bool) -> Map<String, Value> {
    let mut map = Map::new();
    if with_data {
        map.insert("message".to_owned(), status.message.as_str().into());
    }
    map.insert("status".to_owned(), status.status.as_str().into());
    if with_data {
        map.insert("status-data".to_owned(), json!({}));
    }
    map
}
