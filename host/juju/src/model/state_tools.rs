//! The calls of `state-get`, `state-set` and `state-delete`, for state of this unit
//! that the controller saves. Changes are applied when the hook succeeds. What is
//! saved there, and in which form, is decided by `host/store/src/controller`.
//!
//! Nothing is cached: the store reads everything once.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

impl Model {
    /// Returns every value by its key.
    pub fn state_all(&mut self) -> Result<BTreeMap<String, String>, ToolError> {
        let entries = match self.call_json("state-get", &["--format=json"])? {
            Value::Object(map) => map,
            Value::Null => serde_json::Map::new(),
            other => return Err(unexpected("state-get", "a map", &other)),
        };
        let text = |(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            other => Err(unexpected("state-get", "a map of strings", &other)),
        };
        entries.into_iter().map(text).collect()
    }

    /// Returns the value of a key, followed by a newline; an empty string if
    /// there is none.
    pub fn state(&mut self, key: &str) -> Result<String, ToolError> {
        let output = self.call("state-get", &[key])?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Saves values; `entries` is a YAML map of strings.
    pub fn state_set(&mut self, entries: &str) -> Result<(), ToolError> {
        let args = ["--file", "-"];
        self.call_with_input("state-set", &args, Some(entries.as_bytes()))?;
        Ok(())
    }

    /// Deletes a key.
    pub fn state_delete(&mut self, key: &str) -> Result<(), ToolError> {
        self.call("state-delete", &[key]).map(drop)
    }
}
