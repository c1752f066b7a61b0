//! Maps names of options and parameters to names of fields.

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Result};

/// Source of a struct, for error messages.
pub struct Document {
    /// For example `the configuration`.
    pub name: &'static str,
    /// One of its entries: `option`, `parameter`.
    pub entry: &'static str,
}

/// Reads a struct from a map whose keys may contain hyphens, which names of fields
/// cannot. `missing` returns why there is no entry for a field, if it knows more
/// than the list of entries.
#[track_caller]
pub fn deserialise<T: DeserializeOwned>(
    document: &Document,
    map: Map<String, Value>,
    missing: impl Fn(&str) -> Option<String>,
) -> Result<T> {
    let renamed = |map: &Map<String, Value>| -> Map<String, Value> {
        let pairs = map.iter();
        pairs
            .map(|(key, value)| (key.replace('-', "_"), value.clone()))
            .collect()
    };
    let error = match serde_json::from_value(Value::Object(renamed(&map))) {
        Ok(value) => return Ok(value),
        Err(error) => error.to_string(),
    };
    let Document { name, entry } = document;
    let names: Vec<&str> = map.keys().map(String::as_str).collect();
    let detail = if let Some(culprit) = culprit::<T>(&map) {
        format!("{entry} {culprit}: {error}")
    } else if let Some(field) = missing_field(&error) {
        let reason = missing(field).unwrap_or_else(|| match names.is_empty() {
            true => format!("there is no {entry}"),
            false => format!("the {entry}s are {}", names.join(", ")),
        });
        let meant = closest(field, &names);
        let meant = meant.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        format!("{error}: {reason}{meant}")
    } else {
        error
    };
    let message = format!("cannot read {name}: {detail}");
    Err(Error::new(ErrorKind::InvalidValue, message))
}

/// Returns the entry whose value does not fit its field: the one at which reading
/// stopped. `None` if all values were read, or if the struct can only be read from
/// JSON.
fn culprit<T: DeserializeOwned>(map: &Map<String, Value>) -> Option<String> {
    let current = RefCell::new(None);
    let mut pairs = map.iter();
    let pairs = std::iter::from_fn(|| {
        let next = pairs.next();
        *current.borrow_mut() = next.map(|(key, _)| key.clone());
        next.map(|(key, value)| (key.replace('-', "_"), value.clone()))
    });
    let read: Result<T, serde_json::Error> = T::deserialize(MapDeserializer::new(pairs));
    read.err().and_then(|_| current.take())
}

/// Returns the field for which serde found no entry.
fn missing_field(error: &str) -> Option<&str> {
    let rest = error.strip_prefix("missing field `")?;
    rest.split('`').next()
}

/// Returns the name that was probably meant: at most a third of its letters differ,
/// or two.
fn closest<'a>(field: &str, names: &[&'a str]) -> Option<&'a str> {
    let field: Vec<char> = field.replace('_', "-").chars().collect();
    let distance = |name: &str| distance(&field, &name.chars().collect::<Vec<char>>());
    let closest = names.iter().copied().min_by_key(|name| distance(name))?;
    let allowed = (closest.chars().count() / 3).max(2);
    let distance = distance(closest);
    (distance <= allowed && distance < closest.chars().count()).then_some(closest)
}

/// Edit distance of two names.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (number, letter) in from.iter().enumerate() {
        let mut left = number + 1;
        let mut next = vec![left];
        for (pair, other) in row.windows(2).zip(to) {
            let [diagonal, above] = pair else { continue };
            let replaced = diagonal + usize::from(letter != other);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
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

    const CONFIGURATION: Document = Document {
        name: "the configuration",
        entry: "option",
    };

    fn read_as<T: DeserializeOwned>(value: Value) -> Result<T> {
        match value {
            Value::Object(map) => deserialise(&CONFIGURATION, map, |field| {
                (field == "unset").then(|| "it has no value".to_owned())
            }),
            _ => unreachable!(),
        }
    }

    fn read(value: Value) -> Result<Config> {
        read_as(value)
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
    fn what_does_not_fit_is_reported_by_name() {
        for (value, wanted) in [
            (
                json!({"log-levl": "x", "port": 80}),
                "cannot read the configuration: missing field `log_level`: the options are log-levl, port; did you mean log-levl?",
            ),
            (
                json!({"log-level": "x"}),
                "cannot read the configuration: missing field `port`: the options are log-level",
            ),
            (
                json!({}),
                "cannot read the configuration: missing field `log_level`: there is no option",
            ),
            (
                json!({"log-level": "x", "port": 70000, "z": 1}),
                "cannot read the configuration: option port: invalid value: integer `70000`, expected u16",
            ),
            (
                json!({"log-level": 1, "port": 1}),
                "cannot read the configuration: option log-level: invalid type: integer `1`, expected a string",
            ),
        ] {
            assert_eq!(read(value).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn any_type_that_json_has_a_map_for_can_be_read() {
        #[derive(serde::Deserialize, Debug)]
        struct Outer(Config);
        #[derive(serde::Deserialize, Debug)]
        struct Unset {
            #[serde(rename = "unset")]
            _unset: String,
        }
        let good = json!({"log-level": "x", "port": 80});
        assert_eq!(read_as::<Outer>(good.clone()).unwrap().0.port, 80);
        assert!(read_as::<Option<Config>>(good.clone()).unwrap().is_some());
        assert_eq!(read_as::<Value>(good).unwrap()["log_level"], "x");
        let error = read_as::<Outer>(json!({"log-level": "x", "port": "y"})).unwrap_err();
        assert!(
            error.to_string().contains("invalid type: string \"y\""),
            "{error}"
        );
        let error = read_as::<Unset>(json!({"port": 80})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the configuration: missing field `unset`: it has no value"
        );
    }
}
