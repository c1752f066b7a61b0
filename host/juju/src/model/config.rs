//! The charm's configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Model;
use crate::{ConfigOption, ToolError, config_options};

/// An option's value.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    /// Of an option of type `boolean`.
    Bool(bool),
    /// Of an option of type `int`; also of a `float` without a fraction, which
    /// Juju writes as a whole number.
    Int(i64),
    /// Of an option of type `float`.
    Float(f64),
    /// Of an option of type `string`.
    String(String),
    /// Of an option of type `secret`: the secret's URI, `secret:…`.
    Secret(String),
    /// Of a type of a newer Juju: the value as JSON text.
    Other(String),
}

impl Model {
    /// Every option that has a value, by name: `config-get` at the first call,
    /// then as it was.
    pub fn config(&mut self) -> Result<&BTreeMap<String, ConfigValue>, ToolError> {
        let config = match self.config.take() {
            Some(config) => config,
            None => {
                let values: Map<String, Value> = self.json("config-get", &["--format=json"])?;
                self.typed(values)?
            }
        };
        Ok(self.config.insert(config))
    }

    fn typed(
        &self,
        values: Map<String, Value>,
    ) -> Result<BTreeMap<String, ConfigValue>, ToolError> {
        let mut options: Option<BTreeMap<String, ConfigOption>> = None;
        let mut config = BTreeMap::new();
        for (name, value) in values {
            let value = match value {
                Value::Null => continue,
                Value::Bool(flag) => ConfigValue::Bool(flag),
                Value::String(text) if text.starts_with("secret:") => {
                    // Only here does the type decide, so that most dispatches
                    // need not read the file.
                    let options = match &mut options {
                        Some(options) => options,
                        None => options.insert(
                            config_options(&self.charm_dir)
                                .map_err(|error| ToolError::other("config-get", error.to_string()))?,
                        ),
                    };
                    let secret = options.get(&name).is_some_and(|option| option.kind == "secret");
                    if secret { ConfigValue::Secret(text) } else { ConfigValue::String(text) }
                }
                Value::String(text) => ConfigValue::String(text),
                Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => ConfigValue::Int(whole),
                    (None, Some(float)) => ConfigValue::Float(float),
                    (None, None) => ConfigValue::Other(number.to_string()),
                },
                other => ConfigValue::Other(other.to_string()),
            };
            config.insert(name, value);
        }
        Ok(config)
    }
}
