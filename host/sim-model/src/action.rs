//! Actions: those that a charm defines, and the one that runs (juju §5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// An action that runs, or ran.
#[derive(Debug, Clone, Default)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Its parameters, defaults included.
    pub params: Map<String, Value>,
    /// Its results; dots in keys made nested maps.
    pub results: Map<String, Value>,
    /// Its progress messages.
    pub log: Vec<String>,
    /// The message with which it declared itself failed.
    pub failure: Option<String>,
}

impl Action {
    /// The parameter at a path of keys, if there is one.
    pub fn param<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> Option<&Value> {
        let first = self.params.get(path.next()?)?;
        path.try_fold(first, |value, key| value.get(key))
    }

    /// Sets a result. A deeper key replaces a plain value, and the other way
    /// round.
    pub fn set_result(&mut self, keys: &[&str], value: &str) {
        insert(&mut self.results, keys, value.into());
    }

    /// Ends the action: `error` is what is wrong with how its process ended.
    pub fn end(
        mut self,
        error: Option<String>,
        code: Option<i32>,
        stdout: &[u8],
        stderr: &[u8],
    ) -> ActionRecord {
        if let Some(code) = code {
            self.results.insert("return-code".to_owned(), code.into());
        }
        for (name, output) in [("stdout", stdout), ("stderr", stderr)] {
            if output.is_empty() {
                continue;
            }
            let text = match std::str::from_utf8(output) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    self.results
                        .insert(format!("{name}-encoding"), "base64".into());
                    BASE64.encode(output)
                }
            };
            self.results.insert(name.to_owned(), text.into());
        }
        let message = error.or(self.failure);
        ActionRecord {
            name: self.name,
            params: self.params,
            status: if message.is_some() {
                "failed"
            } else {
                "completed"
            },
            message: message.unwrap_or_default(),
            results: self.results,
            log: self.log,
        }
    }
}

/// An action that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionRecord {
    /// Its name.
    pub name: String,
    /// Its parameters, defaults included.
    pub params: Map<String, Value>,
    /// `completed` or `failed`.
    pub status: &'static str,
    /// Why it failed; else empty.
    pub message: String,
    /// What it set, and its output and return code.
    pub results: Map<String, Value>,
    /// Its progress messages.
    pub log: Vec<String>,
}

/// Puts a value at a path of keys, making maps on the way.
pub fn insert(map: &mut Map<String, Value>, keys: &[&str], value: Value) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    if rest.is_empty() {
        map.insert((*first).to_owned(), value);
        return;
    }
    let slot = map
        .entry(*first)
        .or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        insert(inner, rest, value);
    }
}

/// The actions of `actions.yaml`, in their order there.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    definitions: Map<String, Value>,
}

impl Actions {
    /// The actions that an `actions.yaml` defines.
    pub fn new(definitions: Map<String, Value>) -> Self {
        Actions { definitions }
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// Whether there is an action of the name.
    pub fn has(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// Checks parameters and puts in the defaults, as is done before an action
    /// runs. Of JSON Schema `required`, `additionalProperties: false`, and the
    /// `type` and `enum` of a parameter are checked.
    pub fn prepare(
        &self,
        name: &str,
        mut params: Map<String, Value>,
    ) -> Result<Map<String, Value>, Error> {
        let reject = |detail: String| Error::Action {
            action: name.to_owned(),
            detail,
        };
        let Some(definition) = self.definitions.get(name) else {
            let names: Vec<&str> = self.names().collect();
            return Err(reject(match names.is_empty() {
                true => "the charm has no actions".to_owned(),
                false => format!("not defined; the charm has {}", names.join(", ")),
            }));
        };
        let empty = Map::new();
        let schema = definition
            .get("params")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        for (key, property) in schema {
            if let (false, Some(default)) = (params.contains_key(key), property.get("default")) {
                params.insert(key.clone(), default.clone());
            }
        }
        check(definition, schema, &params)
            .map_err(|detail| reject(format!("validation failed: {detail}")))?;
        Ok(params)
    }
}

fn check(
    definition: &Value,
    schema: &Map<String, Value>,
    params: &Map<String, Value>,
) -> Result<(), String> {
    let required = definition.get("required").and_then(Value::as_array);
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if !params.contains_key(key) {
            return Err(format!("(root) : {key:?} property is missing and required"));
        }
    }
    let closed = definition.get("additionalProperties") == Some(&Value::Bool(false));
    for (key, value) in params {
        match schema.get(key) {
            Some(property) => check_property(key, property, value)?,
            None if closed => {
                return Err(format!(
                    "(root) : additional property {key:?} is not allowed"
                ));
            }
            None => {}
        }
    }
    Ok(())
}

fn check_property(key: &str, property: &Value, value: &Value) -> Result<(), String> {
    if let Some(allowed) = property.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed = Value::Array(allowed.clone());
        return Err(format!(
            "(root).{key} : must be one of {allowed}, given {value}"
        ));
    }
    let Some(wanted) = property.get("type").and_then(Value::as_str) else {
        return Ok(());
    };
    let fits = match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "(root).{key} : must be of type {wanted}, given {value}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn actions() -> Actions {
        let definitions = json!({
            "backup": {
                "params": {
                    "count": {"type": "integer", "default": 3},
                    "kind": {"type": "string", "enum": ["full", "fast"]},
                    "to": {"type": "string"},
                },
                "required": ["to"],
                "additionalProperties": false,
            },
            "noop": {},
        });
        Actions {
            definitions: definitions.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn parameters_are_checked_and_defaults_put_in() {
        for (params, wanted) in [
            (json!({"to": "x"}), Ok(json!({"to": "x", "count": 3}))),
            (
                json!({}),
                Err("validation failed: (root) : \"to\" property is missing and required"),
            ),
            (
                json!({"to": 1}),
                Err("validation failed: (root).to : must be of type string, given 1"),
            ),
            (
                json!({"to": "x", "y": 1}),
                Err("validation failed: (root) : additional property \"y\" is not allowed"),
            ),
            (
                json!({"to": "x", "kind": "slow"}),
                Err(
                    "validation failed: (root).kind : must be one of [\"full\",\"fast\"], given \"slow\"",
                ),
            ),
        ] {
            let got = actions().prepare("backup", params.as_object().unwrap().clone());
            let got = got.map(Value::Object).map_err(|error| error.to_string());
            let wanted = wanted.map_err(|text| format!("cannot run action \"backup\": {text}"));
            assert_eq!(got, wanted, "{params}");
        }
        let error = actions()
            .prepare("restore", Map::new())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "cannot run action \"restore\": not defined; the charm has backup, noop"
        );
    }

    #[test]
    fn results_nest_and_replace_each_other() {
        let mut action = Action::default();
        action.set_result(&["a"], "1");
        action.set_result(&["a", "b"], "2");
        action.set_result(&["a", "c", "d"], "3");
        assert_eq!(
            Value::Object(action.results.clone()),
            json!({"a": {"b": "2", "c": {"d": "3"}}})
        );
        action.set_result(&["a", "c"], "4");
        assert_eq!(
            Value::Object(action.results),
            json!({"a": {"b": "2", "c": "4"}})
        );
    }

    #[test]
    fn output_is_a_result_and_base64_if_it_is_not_text() {
        let record = Action::default().end(None, Some(0), b"hello", b"\xff\xfe");
        assert_eq!(
            Value::Object(record.results),
            json!({"return-code": 0, "stdout": "hello", "stderr": "//4=", "stderr-encoding": "base64"})
        );
    }
}
