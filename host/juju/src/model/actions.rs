//! The running action (`action-get`, `action-set`, `action-log`, `action-fail`;
//! ops §14).
//!
//! Nothing is cached: parameters are read once by each handler, and results and
//! progress are written at once.

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// Keys of results that Juju reserves, in any part of a key.
const RESERVED: [&str; 4] = ["stdout", "stdout-encoding", "stderr", "stderr-encoding"];

impl Model {
    /// Returns the parameters of the running action, a map with Juju's defaults
    /// applied.
    pub fn action_params(&mut self) -> Result<Value, ToolError> {
        match self.call_json("action-get", &["--format=json"])? {
            Value::Null => Ok(Value::Object(serde_json::Map::new())),
            params @ Value::Object(_) => Ok(params),
            other => Err(unexpected("action-get", "a map", &other)),
        }
    }

    /// Adds results, in the form of [`flatten_results`].
    pub fn action_set(&mut self, results: &[(String, String)]) -> Result<(), ToolError> {
        let pairs: Vec<String> = results
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        self.call("action-set", &pairs).map(drop)
    }

    /// Reports progress to whoever runs the action.
    pub fn action_log(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-log", &["--", message]).map(drop)
    }

    /// Marks the action as failed; its handler goes on.
    pub fn action_fail(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-fail", &["--", message]).map(drop)
    }
}

/// Flattens a JSON object into the pairs that `action-set` takes: nested objects
/// are joined with dots, strings are unchanged, other values are printed as
/// JSON.
///
/// # Errors
///
/// For a key that Juju would reject, or that occurs twice.
pub fn flatten_results(results: &Value) -> Result<Vec<(String, String)>, ToolError> {
    let Value::Object(_) = results else {
        return Err(invalid("they are not a JSON object".to_owned()));
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    flatten("", results, &mut pairs)?;
    for (position, (key, _)) in pairs.iter().enumerate() {
        if pairs
            .iter()
            .take(position)
            .any(|(earlier, _)| earlier == key)
        {
            return Err(invalid(format!("the key {key:?} occurs twice")));
        }
    }
    Ok(pairs)
}

fn invalid(detail: String) -> ToolError {
    ToolError::invalid(
        "action-set",
        format!("cannot set the action's results: {detail}"),
    )
}

fn flatten(
    prefix: &str,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), ToolError> {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                check_key(key)?;
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&path, value, pairs)?;
            }
        }
        Value::String(text) => pairs.push((prefix.to_owned(), text.clone())),
        other => pairs.push((prefix.to_owned(), other.to_string())),
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ToolError> {
    for part in key.split('.') {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let well_formed = part.starts_with(allowed)
            && part.ends_with(allowed)
            && part.chars().all(|c| allowed(c) || c == '-');
        if !well_formed {
            return Err(invalid(format!(
                "the key {key:?} is malformed; use lower-case letters, digits, hyphens and dots, and begin and end with a letter or digit"
            )));
        }
        if RESERVED.contains(&part) {
            return Err(invalid(format!("the key {part:?} is reserved by Juju")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_results_are_joined_with_dots() {
        let pairs = flatten_results(&json!({
            "text": "a b", "n": 1, "f": 1.5, "yes": true, "nothing": null, "list": [1, "x"],
            "a": {"b": {"c": "deep"}, "empty": {}}
        }))
        .unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            pairs,
            [
                ("text", "a b"),
                ("n", "1"),
                ("f", "1.5"),
                ("yes", "true"),
                ("nothing", "null"),
                ("list", "[1,\"x\"]"),
                ("a.b.c", "deep")
            ]
        );
    }

    #[test]
    fn keys_that_juju_rejects_are_rejected_by_name() {
        for (results, wanted) in [
            (json!({"a_b": 1}), "the key \"a_b\" is malformed"),
            (json!({"A": 1}), "the key \"A\" is malformed"),
            (json!({"a": {"-b": 1}}), "the key \"-b\" is malformed"),
            (json!({"a..b": 1}), "the key \"a..b\" is malformed"),
            (json!({"": 1}), "the key \"\" is malformed"),
            (
                json!({"a": {"stdout": 1}}),
                "the key \"stdout\" is reserved by Juju",
            ),
            (
                json!({"a": {"b": 1}, "a.b": 2}),
                "the key \"a.b\" occurs twice",
            ),
            (json!([1]), "they are not a JSON object"),
        ] {
            let error = flatten_results(&results).unwrap_err().to_string();
            assert!(error.contains(wanted), "{results} gave {error}");
        }
    }
}
