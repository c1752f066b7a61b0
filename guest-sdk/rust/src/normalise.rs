//! Names of options and parameters as names of fields.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Reads a struct from a map whose keys may contain hyphens, which names of
/// fields cannot.
#[track_caller]
pub fn deserialise<T: DeserializeOwned>(what: &str, map: Map<String, Value>) -> Result<T> {
    let renamed = map
        .into_iter()
        .map(|(key, value)| (key.replace('-', "_"), value))
        .collect();
    match serde_json::from_value(Value::Object(renamed)) {
        Ok(value) => Ok(value),
        Err(error) => Err(Error::invalid(format!("cannot read {what}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Config {
        log_level: String,
        port: u16,
        #[serde(default)]
        extra: Option<String>,
    }

    fn read(value: Value) -> Result<Config> {
        match value {
            Value::Object(map) => deserialise("the configuration", map),
            _ => unreachable!(),
        }
    }

    #[test]
    fn hyphens_become_underscores_and_unknown_names_are_left_out() {
        let config = read(json!({"log-level": "info", "port": 80, "other": 1})).unwrap();
        assert_eq!(
            config,
            Config {
                log_level: "info".into(),
                port: 80,
                extra: None
            }
        );
    }

    #[test]
    fn what_does_not_fit_is_told_by_name() {
        for (value, wanted) in [
            (
                json!({"port": 80}),
                "cannot read the configuration: missing field `log_level`",
            ),
            (
                json!({"log-level": "x", "port": 70000}),
                "invalid value: integer `70000`, expected u16",
            ),
            (
                json!({"log-level": 1, "port": 1}),
                "invalid type: integer `1`, expected a string",
            ),
        ] {
            let error = read(value).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
