//! The charm's configuration.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::config as wit;
use crate::bindings::errors;
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Result, Status, normalise, unit};

/// Reads the configuration into a struct of the charm: each field is the option
/// with its name, with `-` for `_`. An option without a value needs a field that is
/// an `Option` or has a default.
///
/// ```
/// # use charmhost::prelude::*;
/// #[derive(serde::Deserialize)]
/// struct Config {
///     greeting: String,
///     port: u16,
/// }
/// # fn handler() -> Result<()> {
/// let config: Config = config()?;
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn config<T: DeserializeOwned>() -> Result<T> {
    let options = wit::all().model()?;
    let values = options
        .into_iter()
        .map(|option| (option.name, value(option.value)));
    let document = normalise::Document {
        name: "the configuration",
        entry: "option",
    };
    normalise::deserialise(&document, values.collect(), without_value)
}

/// Reads the configuration like [`config`]. If a value does not fit its field, sets
/// the unit's status to blocked with the reason, and ends the dispatch early and
/// successfully: an operator has to act, and a retry of the hook would not help.
///
/// ```
/// # use charmhost::prelude::*;
/// # #[derive(serde::Deserialize)]
/// # struct Config { port: u16 }
/// # fn handler() -> Result<()> {
/// let config: Config = config_or_blocked()?;    // `port=99999` blocks the unit
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn config_or_blocked<T: DeserializeOwned>() -> Result<T> {
    config().or_else(|error| match error.kind() {
        ErrorKind::InvalidValue => {
            unit().set_status(Status::blocked(format!("Invalid config: {error}")))?;
            Err(Error::abort())
        }
        _ => Err(error),
    })
}

/// Returns why a field has no value: its option has none, or does not exist.
fn without_value(field: &str) -> Option<String> {
    let names = [field.replace('_', "-"), field.to_owned()];
    let answers = names.each_ref().map(|name| wit::get(name));
    let exists = answers.iter().position(|answer| matches!(answer, Ok(None)));
    match exists.and_then(|place| names.get(place)) {
        Some(name) => Some(format!(
            "the option {name} has no value; give it a default, or make the field an Option"
        )),
        None => match answers {
            [_, Err(errors::Error::NotFound(reason))] => Some(reason),
            _ => None,
        },
    }
}

fn value(value: wit::ConfigValue) -> Value {
    match value {
        wit::ConfigValue::Boolean(value) => value.into(),
        wit::ConfigValue::Integer(value) => value.into(),
        wit::ConfigValue::Float(value) => value.into(),
        wit::ConfigValue::String(value) | wit::ConfigValue::Secret(value) => value.into(),
        wit::ConfigValue::Other(json) => serde_json::from_str(&json).unwrap_or(Value::String(json)),
    }
}
