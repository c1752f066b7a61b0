//! `actions.yaml`: names, parameters and their schemas (`archive §4`).

use serde_json::{Map, Value};

use super::is_reserved;
use crate::problems::{Problems, kind};

/// Keys of an action that are not part of a schema.
const KEYS: [&str; 7] = [
    "additionalProperties",
    "description",
    "execution-group",
    "parallel",
    "params",
    "required",
    "title",
];

/// The types of JSON Schema.
const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// Checks the whole document: a map of actions by name.
pub fn check(actions: &Value, charm: &str, problems: &mut Problems) {
    for (name, value) in problems.map("actions", actions).into_iter().flatten() {
        let field = format!("actions.{name}");
        if !is_name(name) {
            problems.add(format!(
                "cannot use the action name {name:?}: it must be of lower-case letters, digits \
                 and hyphens, with no hyphen at either end"
            ));
        }
        if is_reserved(charm, name) {
            problems.add(format!(
                "cannot use the action name {name:?}: names that begin with juju are Juju's"
            ));
        }
        // Juju accepts an action without a value.
        if value.is_null() {
            continue;
        }
        if let Some(map) = problems.map(&field, value) {
            action(name, &field, map, problems);
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

fn action(name: &str, field: &str, map: &Map<String, Value>, problems: &mut Problems) {
    let holds_actions = !map.is_empty()
        && map
            .iter()
            .all(|(key, value)| value.is_object() && !KEYS.contains(&key.as_str()));
    if name == "actions" && holds_actions {
        problems.add(
            "cannot use `actions` inside actions: actions are keys at the top level; remove \
             the inner key",
        );
        return;
    }
    for (key, value) in map {
        let field = format!("{field}.{key}");
        match key.as_str() {
            "title" | "description" | "execution-group" => {
                problems.string(&field, value);
            }
            "parallel" => {
                problems.boolean(&field, value);
            }
            "required" => required(&field, value, problems),
            "additionalProperties" => boolean_or_schema(&field, value, problems),
            "params" => {
                for (name, value) in problems.map(&field, value).into_iter().flatten() {
                    schema(&format!("{field}.{name}"), value, problems);
                }
            }
            _ => {}
        }
    }
    references(field, &Value::Object(map.clone()), problems);
}

/// Checks the schema of a parameter, and those inside it.
fn schema(field: &str, value: &Value, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    let types = match map.get("type") {
        None => &[],
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for value in types {
        if !value.as_str().is_some_and(|text| TYPES.contains(&text)) {
            problems.add(format!(
                "cannot use `{field}.type`: it is {}, and must be one of {}",
                kind(value),
                TYPES.join(", ")
            ));
        }
    }
    for (key, value) in map {
        keyword(&format!("{field}.{key}"), key, value, problems);
    }
}

/// Checks the value of one key of a schema.
fn keyword(field: &str, key: &str, value: &Value, problems: &mut Problems) {
    match key {
        "required" => required(field, value, problems),
        "properties" | "patternProperties" | "definitions" => {
            for (name, value) in problems.map(field, value).into_iter().flatten() {
                schema(&format!("{field}.{name}"), value, problems);
            }
        }
        "oneOf" | "anyOf" | "allOf" => {
            for value in problems.list(field, value).into_iter().flatten() {
                schema(field, value, problems);
            }
        }
        "items" => match value {
            Value::Array(list) => list.iter().for_each(|one| schema(field, one, problems)),
            one => schema(field, one, problems),
        },
        "not" => schema(field, value, problems),
        "additionalProperties" => boolean_or_schema(field, value, problems),
        "enum" => {
            problems.list(field, value);
        }
        "minimum" | "maximum" | "multipleOf" if !value.is_number() => problems.add(format!(
            "cannot use `{field}`: it must be a number, and is {}",
            kind(value)
        )),
        "minLength" | "maxLength" | "minItems" | "maxItems" => {
            problems.integer(field, value);
        }
        _ => {}
    }
}

fn boolean_or_schema(field: &str, value: &Value, problems: &mut Problems) {
    match value {
        Value::Bool(_) => {}
        Value::Object(_) => schema(field, value, problems),
        other => problems.add(format!(
            "cannot use `{field}`: it must be true, false or a map, and is {}",
            kind(other)
        )),
    }
}

fn required(field: &str, value: &Value, problems: &mut Problems) {
    let mut seen = Vec::new();
    for value in problems.list(field, value).into_iter().flatten() {
        let Some(name) = problems.string(field, value) else {
            continue;
        };
        if seen.contains(&name) {
            problems.add(format!("cannot use `{field}`: it names {name} twice"));
        }
        seen.push(name);
    }
}

/// Rejects references between schemas, which Juju does not resolve.
fn references(field: &str, value: &Value, problems: &mut Problems) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "$ref" || key == "$schema" {
                    problems.add(format!(
                        "cannot use `{key}` in `{field}`: Juju resolves no references; write the \
                         schema out"
                    ));
                }
                references(&format!("{field}.{key}"), value, problems);
            }
        }
        Value::Array(list) => {
            for value in list {
                references(field, value, problems);
            }
        }
        _ => {}
    }
}
