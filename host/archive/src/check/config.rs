//! `config.yaml`: options, their types and defaults (`archive §4`).

use serde_json::{Map, Value};

use crate::problems::{Problems, kind};

/// Checks the whole document.
pub fn check(config: &Value, problems: &mut Problems) {
    let Some(map) = problems.map("config", config) else {
        return;
    };
    for key in map.keys().filter(|key| *key != "options") {
        problems.add(format!(
            "cannot use `config.{key}`: `config` has only the key `options`, and options \
             belong under it"
        ));
    }
    match map.get("options") {
        None => problems.add(
            "cannot use `config` without `options`: Juju rejects an empty configuration; write \
             the options under `options`, or leave `config` out",
        ),
        Some(Value::Null) => {}
        Some(value) => {
            for (name, value) in problems.map("config.options", value).into_iter().flatten() {
                option(name, value, problems);
            }
        }
    }
}

fn option(name: &str, value: &Value, problems: &mut Problems) {
    let field = format!("config.options.{name}");
    let Some(map) = problems.map(&field, value) else {
        return;
    };
    if let Some(value) = map.get("description").filter(|value| !value.is_null()) {
        problems.string(&format!("{field}.description"), value);
    }
    let Some(wanted) = option_type(&field, map, problems) else {
        return;
    };
    let default = map.get("default").unwrap_or(&Value::Null);
    if !fits(wanted, default) {
        let advice = match (wanted, default) {
            ("string", Value::Bool(_) | Value::Number(_)) => "; write it in quotes",
            ("secret", _) => "; write none, or one that begins with secret:",
            (_, Value::String(_)) => "; write it without quotes",
            _ => "",
        };
        problems.add(format!(
            "cannot use the default of `{field}`: the option is of the type {wanted}, and the \
             default is {}{advice}",
            kind(default)
        ));
    }
}

/// The type of an option, if it is one of Juju's. For Juju an option without a type
/// is a string, but charmcraft and ops reject it.
fn option_type<'a>(
    field: &str,
    map: &'a Map<String, Value>,
    problems: &mut Problems,
) -> Option<&'a str> {
    const TYPES: [&str; 5] = ["string", "int", "float", "boolean", "secret"];
    match map.get("type") {
        Some(Value::String(text)) if TYPES.contains(&text.as_str()) => return Some(text),
        Some(other) => problems.add(format!(
            "cannot use the type of `{field}`: it is {}, and must be one of {}",
            kind(other),
            TYPES.join(", ")
        )),
        None => problems.add(format!(
            "cannot use `{field}` without `type`; write one of {}",
            TYPES.join(", ")
        )),
    }
    None
}

fn fits(wanted: &str, default: &Value) -> bool {
    match (wanted, default) {
        (_, Value::Null) | ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => true,
        ("int", Value::Number(number)) => number.is_i64(),
        ("float", Value::Number(_)) => true,
        ("secret", Value::String(text)) => text.is_empty() || text.starts_with("secret:"),
        _ => false,
    }
}
