//! `charmhost:config/config`: options with their types (ops §15).

use charmhost_juju::ConfigValue;

use super::bindings::config::{self as wit, Host};
use super::{Error, code, error, other};
use crate::state::State;

impl Host for State {
    fn all(&mut self) -> Result<Vec<wit::ConfigOption>, Error> {
        let options = self.charm.model.config().map_err(error)?;
        let options = options.iter();
        Ok(options
            .map(|(name, option)| wit::ConfigOption {
                name: name.clone(),
                value: value(option),
            })
            .collect())
    }

    fn get(&mut self, name: String) -> Result<Option<wit::ConfigValue>, Error> {
        let options = self.charm.model.config().map_err(error)?;
        if let Some(option) = options.get(&name) {
            return Ok(Some(value(option)));
        }
        let known = self.charm.metadata.config_options().map_err(|error| {
            other(
                code::METADATA,
                format!("cannot look up the option {name:?}: {error}"),
            )
        })?;
        if known.contains_key(&name) {
            return Ok(None);
        }
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        Err(Error::NotFound(format!(
            "cannot find the option {name:?}: the charm has {}",
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        )))
    }
}

fn value(value: &ConfigValue) -> wit::ConfigValue {
    match value {
        ConfigValue::Bool(value) => wit::ConfigValue::Boolean(*value),
        ConfigValue::Int(value) => wit::ConfigValue::Integer(*value),
        ConfigValue::Float(value) => wit::ConfigValue::Float(*value),
        ConfigValue::String(value) => wit::ConfigValue::String(value.clone()),
        ConfigValue::Secret(uri) => wit::ConfigValue::Secret(uri.clone()),
        ConfigValue::Other(json) => wit::ConfigValue::Other(json.clone()),
    }
}
