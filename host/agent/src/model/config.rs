//! The charm's configuration: its options, their types, and their values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Error;
use crate::files::read_map;

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Int,
    Float,
    Boolean,
    Secret,
}

impl Kind {
    fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "string" => Kind::String,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "boolean" => Kind::Boolean,
            "secret" => Kind::Secret,
            _ => return None,
        })
    }

    /// Reads a value that an operator typed.
    fn read(self, text: &str) -> Result<Value, String> {
        let expected = |what: &str| format!("it takes {what}, and got {text:?}");
        match self {
            Kind::String => Ok(text.into()),
            Kind::Int => match text.parse::<i64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(expected("a whole number")),
            },
            Kind::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number.into()),
                _ => Err(expected("a number")),
            },
            Kind::Boolean => match charmhost_hook_tools::parse_bool(text) {
                Some(value) => Ok(value.into()),
                None => Err(expected("true or false")),
            },
            Kind::Secret if text.is_empty() || text.starts_with("secret:") => Ok(text.into()),
            Kind::Secret => Err("it takes a secret's URI, secret:…".to_owned()),
        }
    }

    /// Checks a default: a string passes for any type that can be read from it.
    fn check(self, default: &Value) -> Result<Value, String> {
        match (self, default) {
            (Kind::String | Kind::Secret, Value::String(text)) => self.read(text),
            (Kind::Boolean, Value::Bool(_)) => Ok(default.clone()),
            (Kind::Int, Value::Number(number)) if number.is_i64() => Ok(default.clone()),
            (Kind::Float, Value::Number(number)) => match number.as_f64() {
                Some(number) => Ok(number.into()),
                None => Err(format!("its default {number} is no number it can hold")),
            },
            (Kind::Int | Kind::Float | Kind::Boolean, Value::String(text)) => self.read(text),
            _ => Err(format!("its default {default} is not of its type")),
        }
    }
}

#[derive(Debug, Clone)]
struct ConfigOption {
    kind: Kind,
    value: Option<Value>,
}

/// The options of `config.yaml` with their present values.
#[derive(Debug, Clone, Default)]
pub struct Config {
    options: BTreeMap<String, ConfigOption>,
}

impl Config {
    /// Reads the options and defaults of a charm; without `config.yaml` there
    /// are none.
    ///
    /// Juju refuses a `config.yaml` without `options`, and types other than
    /// string, int, float, boolean and secret; an option without a type is a
    /// string.
    pub fn load(charm_dir: &Path) -> Result<Self, Error> {
        let path = charm_dir.join("config.yaml");
        let Some(document) = read_map(&path)? else {
            return Ok(Config::default());
        };
        let options = match document.get("options") {
            Some(Value::Object(options)) => options.clone(),
            Some(Value::Null) => Map::new(),
            Some(_) => return Err(fail(path, "options is not a map")),
            None => return Err(fail(path, "it has no options; leave the file out")),
        };
        let mut config = Config::default();
        for (name, body) in options {
            let option = read_option(&body)
                .map_err(|detail| fail(path.clone(), format!("option {name:?}: {detail}")))?;
            config.options.insert(name, option);
        }
        Ok(config)
    }

    /// Sets an option to what an operator typed, read by the option's type.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let refuse = |detail: String| Error::Config {
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
            return Err(refuse(detail));
        };
        option.value = Some(option.kind.read(text).map_err(refuse)?);
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
        None | Some(Value::Null) => Kind::String,
        Some(ty) => {
            let known = ty.as_str().and_then(Kind::named);
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

fn fail(path: PathBuf, detail: impl Into<String>) -> Error {
    Error::File {
        path,
        detail: detail.into(),
    }
}

/// Splits `K=V`, as options are given on a command line.
pub fn split_config(text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::Config {
            option: text.to_owned(),
            detail: "give it as NAME=VALUE".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.yaml"), text).unwrap();
        let shown = dir.path().display().to_string();
        Config::load(dir.path()).map_err(|error| error.to_string().replace(&shown, "DIR"))
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
    fn what_juju_refuses_is_refused() {
        for (text, wanted) in [
            (
                "",
                "cannot read DIR/config.yaml: it has no options; leave the file out",
            ),
            (
                "options: 1",
                "cannot read DIR/config.yaml: options is not a map",
            ),
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

    #[test]
    fn options_on_the_command_line_have_an_equals_sign() {
        assert_eq!(
            split_config("a=b=c").unwrap(),
            ("a".to_owned(), "b=c".to_owned())
        );
        for text in ["a", "=a", ""] {
            let error = split_config(text).unwrap_err().to_string();
            assert!(error.ends_with("give it as NAME=VALUE"), "{error}");
        }
    }
}
