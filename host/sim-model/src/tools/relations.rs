//! `relation-ids`, `relation-list`, `relation-get`, `relation-set` and
//! `relation-model-get` (juju §3.3, juju §4).

use serde_json::{Value, json};

use super::key_values;
use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Databag, Hook, HookContext, RelationView, update};
use charmhost_hook_tools::unrecognized;

pub fn model(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let id = required(hook, call)?;
    call.arguments.none().map_err(ToolError::Usage)?;
    let remote = relation(hook, id)?.remote_model_uuid.clone();
    let uuid = remote.unwrap_or_else(|| hook.view().uuid.clone());
    Ok(Some(ToolOutput::Value(json!({ "uuid": uuid }))))
}

/// The relation that `-r` names, or the current one.
pub fn chosen(hook: &Hook, call: &Call) -> Result<Option<u32>, ToolError> {
    if let Some(name) = call.arguments.value("r") {
        let found = hook.view().relation_named(name);
        return found.map(Some).map_err(|reason| {
            ToolError::Usage(format!("invalid value {name:?} for option -r: {reason}"))
        });
    }
    Ok(match hook.context() {
        HookContext::Relation { id, .. } => Some(*id),
        _ => None,
    })
}

/// The same where there must be one.
pub fn required(hook: &Hook, call: &Call) -> Result<u32, ToolError> {
    let missing = || ToolError::Usage("no relation id specified".to_owned());
    chosen(hook, call)?.ok_or_else(missing)
}

pub fn relation(hook: &Hook, id: u32) -> Result<&RelationView, ToolError> {
    hook.relations().get(&id).ok_or_else(denied)
}

fn denied() -> ToolError {
    ToolError::Failed("permission denied".to_owned())
}

pub fn ids(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let named = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let current = match hook.context() {
        HookContext::Relation { id, .. } => hook.relations().get(id),
        _ => None,
    };
    let current = current.map(|relation| relation.endpoint.clone());
    let Some(endpoint) = named.map(str::to_owned).or(current) else {
        return Err(ToolError::Usage("no endpoint name specified".to_owned()));
    };
    let listed = hook.relations().values();
    let listed = listed.filter(|relation| relation.endpoint == endpoint && !relation.broken);
    let mut names: Vec<String> = listed.map(RelationView::name).collect();
    names.sort();
    Ok(Some(ToolOutput::Lines(names)))
}

pub fn list(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let id = required(hook, call)?;
    call.arguments.none().map_err(ToolError::Usage)?;
    let relation = relation(hook, id)?;
    Ok(Some(match call.arguments.is("app") {
        true => ToolOutput::Value(relation.remote_app.as_str().into()),
        false => ToolOutput::Lines(relation.remote_units_data.keys().cloned().collect()),
    }))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let id = required(hook, call)?;
    let (key, named, rest) = match call.arguments.args.as_slice() {
        [] => ("", None, &[][..]),
        [key] => (key.as_str(), None, &[][..]),
        [key, named, rest @ ..] => (key.as_str(), Some(named.as_str()), rest),
    };
    let (entity, of_app) = entity(hook, call, named)?;
    if !rest.is_empty() {
        return Err(ToolError::Usage(unrecognized(rest)));
    }
    let bag = databag(hook, id, &entity, of_app)?;
    let value = match key {
        "" | "-" => json!(bag),
        key => bag
            .get(key)
            .map_or(Value::Null, |value| value.as_str().into()),
    };
    Ok(Some(ToolOutput::Value(value)))
}

/// Whose databag is asked for, and whether it is an application's.
fn entity(hook: &Hook, call: &Call, named: Option<&str>) -> Result<(String, bool), ToolError> {
    let app = call.arguments.is("app");
    if let Some(name) = named {
        let unit = name.split_once('/');
        return match (app, unit) {
            // The application of a unit will do.
            (true, Some((app, _))) => Ok((app.to_owned(), true)),
            (true, None) => Ok((name.to_owned(), true)),
            (false, Some((app, number))) if is_app_name(app) && is_number(number) => {
                Ok((name.to_owned(), false))
            }
            (false, None) if is_app_name(name) => Err(ToolError::Usage(format!(
                "expected unit name, got application name {name:?}"
            ))),
            (false, _) => Err(ToolError::Usage(format!("invalid unit name {name:?}"))),
        };
    }
    let HookContext::Relation {
        remote_app,
        remote_unit,
        ..
    } = hook.context()
    else {
        return Err(ToolError::Usage(
            "no unit or application specified".to_owned(),
        ));
    };
    match (remote_unit, remote_app) {
        (Some(unit), _) if !app => Ok((unit.clone(), false)),
        (_, Some(app)) => Ok((app.clone(), true)),
        _ => Err(ToolError::Usage(
            "no unit or application specified".to_owned(),
        )),
    }
}

/// Whether a text can be an application's name: words of small letters and
/// digits, joined by hyphens, the first beginning with a letter and each having
/// one.
fn is_app_name(text: &str) -> bool {
    let word = |word: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        word.bytes().all(fits) && word.bytes().any(|b| b.is_ascii_lowercase())
    };
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(word)
}

/// Whether a text is a number without leading zeros.
fn is_number(text: &str) -> bool {
    text == "0" || !text.starts_with(['0', '+']) && text.parse::<u64>().is_ok()
}

fn databag(hook: &Hook, id: u32, entity: &str, of_app: bool) -> Result<Databag, ToolError> {
    let relation = relation(hook, id)?;
    let model = hook.view();
    if of_app && entity == model.app {
        // Among peers it is the other side's, too.
        return match model.leader || relation.peer {
            true => Ok(relation.local_app_data.clone()),
            false => Err(denied()),
        };
    }
    if of_app {
        return match entity == relation.remote_app {
            true => Ok(relation.remote_app_data.clone()),
            false => Err(denied()),
        };
    }
    if entity == model.unit {
        return Ok(relation.local_unit_data.clone());
    }
    relation
        .remote_units_data
        .get(entity)
        .cloned()
        .ok_or_else(denied)
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let id = required(hook, call)?;
    let changes = key_values::read(hook, call)?;
    let of_app = call.arguments.is("app");
    if of_app && !hook.view().leader {
        return Err(ToolError::Failed(
            "cannot write relation settings".to_owned(),
        ));
    }
    relation(hook, id)?;
    if changes.is_empty() {
        return Ok(None);
    }
    if let Some(relation) = hook.relation_mut(id) {
        let bag = match of_app {
            true => &mut relation.local_app_data,
            false => &mut relation.local_unit_data,
        };
        update(bag, changes);
    }
    Ok(None)
}
