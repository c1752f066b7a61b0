//! The action that is being run.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Model;
use crate::ToolError;

impl Model {
    /// The parameters: an object, with defaults filled in by Juju.
    pub fn action_params(&mut self) -> Result<Value, ToolError> {
        let params: Option<Map<String, Value>> = self.json("action-get", &["--format=json"])?;
        Ok(Value::Object(params.unwrap_or_default()))
    }

    /// Adds results, as dotted keys and values, in one call; also if there are
    /// none. A key that is not of lower-case letters, digits, hyphens and dots,
    /// or does not begin and end with a letter or digit, or comes twice, is an
    /// error, and then nothing was added.
    pub fn action_set(&mut self, results: &[(String, String)]) -> Result<(), ToolError> {
        let mut seen = BTreeSet::new();
        for (key, _) in results {
            check_key(key)?;
            if !seen.insert(key) {
                return Err(ToolError::invalid(
                    "action-set",
                    format!("cannot set the result {key}: it is given twice"),
                ));
            }
        }
        let args: Vec<String> = results.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.run_checked("action-set", &args, None).map(drop)
    }

    /// Shows a line of progress to the operator at once.
    pub fn action_log(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-log", &["--", message]).map(drop)
    }

    /// Marks the action as failed. Does not end it.
    pub fn action_fail(&mut self, message: &str) -> Result<(), ToolError> {
        self.call("action-fail", &["--", message]).map(drop)
    }
}

/// Makes the results for [`Model::action_set`] of an object: nested objects
/// are joined with dots, empty ones vanish, other values become text as JSON
/// writes them, strings as they are. The key of every level is checked.
pub fn flatten_results(results: &Map<String, Value>) -> Result<Vec<(String, String)>, ToolError> {
    let mut flat = Vec::new();
    flatten("", results, &mut flat)?;
    Ok(flat)
}

fn flatten(
    prefix: &str,
    results: &Map<String, Value>,
    flat: &mut Vec<(String, String)>,
) -> Result<(), ToolError> {
    for (key, value) in results {
        check_key(key)?;
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(nested) => flatten(&key, nested, flat)?,
            Value::String(text) => flat.push((key, text.clone())),
            other => flat.push((key, other.to_string())),
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ToolError> {
    let edge = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let inner = |byte: u8| edge(Some(byte)) || byte == b'-' || byte == b'.';
    if edge(key.bytes().next()) && edge(key.bytes().next_back()) && key.bytes().all(inner) {
        return Ok(());
    }
    Err(ToolError::invalid(
        "action-set",
        format!(
            "cannot set the result {key:?}: a key is of lower-case letters, digits, hyphens and dots, and begins and ends with a letter or digit"
        ),
    ))
}
