//! The charm's configuration: options, types and values (juju §3.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::Error;

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OptionType {
    String,
    Int,
    Float,
    Boolean,
    Secret,
}

impl OptionType {
    fn named(name: &str) -> Option<OptionType> {
        Some(match name {
            "string" => OptionType::String,
            "int" => OptionType::Int,
            "float" => OptionType::Float,
            "boolean" => OptionType::Boolean,
            "secret" => OptionType::Secret,
            _ => return None,
        })
    }

    /// Reads a value that an operator typed.
    fn read(self, text: &str) -> Result<Value, String> {
        let expected = |what: &str| format!("it takes {what}, and got {text:?}");
        match self {
            OptionType::String => Ok(text.into()),
            OptionType::Int => match text.parse::<i64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(expected("a whole number")),
            },
            OptionType::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number.into()),
                _ => Err(expected("a number")),
            },
            OptionType::Boolean => match charmhost_hook_tools::parse_bool(text) {
                Some(value) => Ok(value.into()),
                None => Err(expected("true or false")),
            },
            OptionType::Secret if text.is_empty() || text.starts_with("secret:") => Ok(text.into()),
            OptionType::Secret => Err("it takes a secret's URI, secret:…".to_owned()),
        }
    }

    /// Checks a default: a string passes for any type that can be read from it.
    fn check(self, default: &Value) -> Result<Value, String> {
        match (self, default) {
            (OptionType::String | OptionType::Secret, Value::String(text)) => self.read(text),
            (OptionType::Boolean, Value::Bool(_)) => Ok(default.clone()),
            (OptionType::Int, Value::Number(number)) if number.is_i64() => Ok(default.clone()),
            (OptionType::Float, Value::Number(number)) => match number.as_f64() {
                Some(number) => Ok(number.into()),
                None => Err(format!("its default {number} is out of range")),
            },
            (OptionType::Int | OptionType::Float | OptionType::Boolean, Value::String(text)) => {
                self.read(text)
            }
            _ => Err(format!("its default {default} is not of its type")),
        }
    }
}

#[derive(Debug, Clone)]
struct ConfigOption {
    kind: OptionType,
    value: Option<Value>,
}

/// The options of `config.yaml` with their present values.
#[derive(Debug, Clone, Default)]
pub struct Config {
    options: BTreeMap<String, ConfigOption>,
}

impl Config {
    /// The options and defaults that a `config.yaml` defines.
    ///
    /// Juju rejects a `config.yaml` without `options`, and types other than
    /// string, int, float, boolean and secret; an option without a type is a
    /// string.
    ///
    /// # Errors
    ///
    /// What is wrong with the document.
    pub fn new(document: &Map<String, Value>) -> Result<Self, String> {
        let options = match document.get("options") {
            Some(Value::Object(options)) => options.clone(),
            Some(Value::Null) => Map::new(),
            Some(_) => return Err("options is not a map".to_owned()),
            None => return Err("it has no options; leave the file out".to_owned()),
        };
        let mut config = Config::default();
        for (name, body) in options {
            let option =
                read_option(&body).map_err(|detail| format!("option {name:?}: {detail}"))?;
            config.options.insert(name, option);
        }
        Ok(config)
    }

    /// Sets an option to what an operator typed, read by the option's type.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let reject = |detail: String| Error::Config {
            option: name.to_owned(),
            detail,
        };
        let names = self.names();
        let Some(option) = self.options.get_mut(name) else {
            let detail = if names.is_empty() {
                "the charm has no config options".to_owned()
            } else {
                format!("the charm has no such option; it has {names}")
            };
            return Err(reject(detail));
        };
        option.value = Some(option.kind.read(text).map_err(reject)?);
        Ok(())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.options.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// The value of an option, if there is such an option and it has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.options.get(name)?.value.as_ref()
    }

    /// All values; those of options without one, as null, only if asked for.
    pub fn values(&self, with_unset: bool) -> Map<String, Value> {
        let shown = |(name, option): (&String, &ConfigOption)| match &option.value {
            Some(value) => Some((name.clone(), value.clone())),
            None if with_unset => Some((name.clone(), Value::Null)),
            None => None,
        };
        self.options.iter().filter_map(shown).collect()
    }
}

fn read_option(body: &Value) -> Result<ConfigOption, String> {
    let kind = match body.get("type") {
        None | Some(Value::Null) => OptionType::String,
        Some(ty) => {
            let known = ty.as_str().and_then(OptionType::named);
            known.ok_or_else(|| {
                format!("unknown type {ty}; there are string, int, float, boolean and secret")
            })?
        }
    };
    let value = match body.get("default") {
        None | Some(Value::Null) => None,
        Some(default) => Some(kind.check(default)?),
    };
    Ok(ConfigOption { kind, value })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let document = charmhost_yaml::parse(text).unwrap();
        Config::new(document.as_object().unwrap_or(&Map::new()))
    }

    const OPTIONS: &str = "options:
  name: {default: blog}
  port: {type: int, default: 80}
  ratio: {type: float, default: 1}
  debug: {type: boolean, default: 'yes'}
  token: {type: secret}
";

    #[test]
    fn values_are_read_by_the_type_of_the_option() {
        let mut config = load(&OPTIONS.replace("'yes'", "'true'")).unwrap();
        assert_eq!(
            Value::Object(config.values(true)),
            json!({"debug": true, "name": "blog", "port": 80, "ratio": 1.0, "token": null})
        );
        for (name, text, wanted) in [
            ("port", "8080", Ok(json!(8080))),
            (
                "port",
                "1.5",
                Err("cannot set config \"port\": it takes a whole number, and got \"1.5\""),
            ),
            ("name", "1.5", Ok(json!("1.5"))),
            ("name", "", Ok(json!(""))),
            ("ratio", "2", Ok(json!(2.0))),
            (
                "ratio",
                "NaN",
                Err("cannot set config \"ratio\": it takes a number, and got \"NaN\""),
            ),
            ("debug", "F", Ok(json!(false))),
            (
                "debug",
                "yes",
                Err("cannot set config \"debug\": it takes true or false, and got \"yes\""),
            ),
            ("token", "secret:abc", Ok(json!("secret:abc"))),
            (
                "token",
                "hunter2",
                Err("cannot set config \"token\": it takes a secret's URI, secret:…"),
            ),
            (
                "prot",
                "1",
                Err(
                    "cannot set config \"prot\": the charm has no such option; it has debug, name, port, ratio, token",
                ),
            ),
        ] {
            let set = config.set(name, text).map_err(|error| error.to_string());
            let got = set.map(|()| config.get(name).cloned().unwrap());
            assert_eq!(got, wanted.map_err(str::to_owned), "{name}={text}");
        }
    }

    #[test]
    fn what_juju_rejects_is_rejected() {
        for (text, wanted) in [
            ("", "it has no options; leave the file out"),
            ("options: 1", "options is not a map"),
            ("options: {a: {type: list}}", "unknown type \"list\""),
            (
                "options: {a: {type: int, default: 1.5}}",
                "its default 1.5 is not of its type",
            ),
            (
                "options: {a: {type: string, default: 5}}",
                "its default 5 is not of its type",
            ),
            (
                OPTIONS,
                "option \"debug\": it takes true or false, and got \"yes\"",
            ),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(wanted), "{text:?} gave {error:?}");
        }
    }
}
