//! The application's configuration (`config-get`; ops §15).
//!
//! Cache (ops §9): the options are read once per dispatch and never refreshed;
//! a read that failed is repeated by the next one.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// The value of a configuration option.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the option type of its name")]
pub enum ConfigValue {
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    /// The URI of a secret.
    Secret(String),
    /// A value of a type of a newer Juju, as JSON text.
    Other(String),
}

/// The options that have a value, once they are read.
#[derive(Debug, Default)]
pub(super) struct ConfigCache(Option<BTreeMap<String, ConfigValue>>);

impl Model {
    /// Returns the options that have a value.
    pub fn config(&mut self) -> Result<&BTreeMap<String, ConfigValue>, ToolError> {
        let config = match self.config.0.take() {
            Some(config) => config,
            None => self.read_config()?,
        };
        Ok(self.config.0.insert(config))
    }

    fn read_config(&mut self) -> Result<BTreeMap<String, ConfigValue>, ToolError> {
        let values = match self.call_json("config-get", &["--format=json"])? {
            Value::Object(map) => map,
            Value::Null => serde_json::Map::new(),
            other => return Err(unexpected("config-get", "a map", &other)),
        };
        // Most charms have no secret among their options, and then config.yaml
        // need not be read.
        let may_be_secret = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.starts_with("secret:"))
        };
        let types = match values.values().any(may_be_secret) {
            true => Some(self.metadata.config_options()),
            false => None,
        };
        let types = types.transpose();
        let types =
            types.map_err(|error| ToolError::unexpected("config-get", error.to_string()))?;
        let is_secret = |name: &str| {
            let ty = types.and_then(|types| types.get(name));
            ty.is_some_and(|ty| ty == "secret")
        };
        let read = |(name, value): (String, Value)| {
            let value = config_value(value, is_secret(&name))?;
            Some((name, value))
        };
        Ok(values.into_iter().filter_map(read).collect())
    }
}

fn config_value(value: Value, is_secret: bool) -> Option<ConfigValue> {
    match value {
        Value::Bool(value) => Some(ConfigValue::Bool(value)),
        Value::Number(number) => number
            .as_i64()
            .map(ConfigValue::Int)
            .or_else(|| number.as_f64().map(ConfigValue::Float)),
        Value::String(uri) if is_secret => Some(ConfigValue::Secret(uri)),
        Value::String(text) => Some(ConfigValue::String(text)),
        Value::Null => None,
        newer @ (Value::Array(_) | Value::Object(_)) => Some(ConfigValue::Other(newer.to_string())),
    }
}
