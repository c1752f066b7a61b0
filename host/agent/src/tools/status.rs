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
    let with_data = call.arguments.is("include-data");
    let smart = matches!(call.arguments.value("format"), None | Some("smart"));
    if call.arguments.is("application") {
        return application(hook, with_data, smart);
    }
    let status = hook.read_unit_status();
    Ok(Some(Shown::Value(match (with_data, smart) {
        (false, true) => status.status.as_str().into(),
        _ => Value::Object(details(status, with_data)),
    })))
}

/// The application's status, with those of its units unless only a word is
/// shown.
fn application(hook: &mut Hook, with_data: bool, smart: bool) -> Result<Option<Shown>, Refusal> {
    if !hook.model().leader {
        let text = "finding application status: this unit is not the leader";
        return Err(Refusal::Failed(text.to_owned()));
    }
    let name = hook.model().unit.clone();
    let (status, of_unit) = hook.read_app_status();
    if smart && !with_data {
        return Ok(Some(Shown::Value(status.status.as_str().into())));
    }
    let mut application = details(status, with_data);
    let units = json!({ name: details(of_unit, with_data) });
    application.insert("units".to_owned(), units);
    let document = json!({ "application-status": application });
    Ok(Some(Shown::Value(document)))
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
