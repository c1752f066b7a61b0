//! Layers: what a container's Pebble is to run and to check.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// A layer of a container's configuration.
///
/// ```
/// # use charmhost::prelude::*;
/// let layer = Layer::new()
///     .service("web", Service::new("python3 -m http.server 8080").enabled())
///     .check("up", Check::http("http://localhost:8080/").period("10s"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Layer {
    /// What the layer is for, in a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// The services by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// The checks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Sections and keys that have no field here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Self {
        Layer::default()
    }

    /// Adds a service.
    pub fn service(mut self, name: impl Into<String>, service: Service) -> Self {
        self.services.insert(name.into(), service);
        self
    }

    /// Adds a check.
    pub fn check(mut self, name: impl Into<String>, check: Check) -> Self {
        self.checks.insert(name.into(), check);
        self
    }
}

/// What a layer says of a key that is in a lower layer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// This one counts alone.
    #[default]
    Replace,
    /// What is said here is added to the lower one.
    Merge,
}

/// A service of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Service {
    /// What becomes of a service of this name in a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// The command with its arguments, as one would type it.
    pub command: String,
    /// A line that says what it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// `enabled` to start by itself, else `disabled`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub startup: String,
    /// Variables of its environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Keys that have no field here, as `on-failure` or `user`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Service {
    /// A service that replaces one of the same name and does not start by
    /// itself.
    pub fn new(command: impl Into<String>) -> Self {
        Service {
            command: command.into(),
            ..Service::default()
        }
    }

    /// The same, starting by itself.
    pub fn enabled(mut self) -> Self {
        self.startup = "enabled".to_owned();
        self
    }

    /// The same with a line that says what it is.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// The same with a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The same with any key.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(key.into(), value.into());
        self
    }
}

/// A check of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// What becomes of a check of this name in a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// `alive` or `ready`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// The time between two runs, as `10s`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub period: String,
    /// How long a run may take, as `3s`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    /// With how many failures in a row it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// `http`, `tcp` or `exec` with their keys, and others without a field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Check {
    fn of_kind(kind: &str, body: Value) -> Self {
        let mut check = Check::default();
        check.other.insert(kind.to_owned(), body);
        check
    }

    /// Succeeds when a request for the URL is answered with a status 2xx.
    pub fn http(url: impl Into<String>) -> Self {
        Check::of_kind("http", serde_json::json!({ "url": url.into() }))
    }

    /// Succeeds when a TCP port of the container can be connected to.
    pub fn tcp(port: u16) -> Self {
        Check::of_kind("tcp", serde_json::json!({ "port": port }))
    }

    /// Succeeds when a command exits with 0.
    pub fn exec(command: impl Into<String>) -> Self {
        Check::of_kind("exec", serde_json::json!({ "command": command.into() }))
    }

    /// The same with a level, `alive` or `ready`.
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.level = level.into();
        self
    }

    /// The same with a time between two runs, as `10s`.
    pub fn period(mut self, period: impl Into<String>) -> Self {
        self.period = period.into();
        self
    }

    /// The same with a time that a run may take, as `3s`.
    pub fn timeout(mut self, timeout: impl Into<String>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// The same with a number of failures in a row.
    pub fn threshold(mut self, failures: u32) -> Self {
        self.threshold = Some(failures);
        self
    }
}

/// A layer's text, which [`Container::add_layer`](crate::Container::add_layer)
/// takes: made of a [`Layer`], or YAML as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerText(pub(crate) String);

impl From<&Layer> for LayerText {
    fn from(layer: &Layer) -> Self {
        // All that is in a layer can be written as JSON, which is YAML too.
        LayerText(serde_json::to_string(layer).unwrap_or_default())
    }
}

impl From<Layer> for LayerText {
    fn from(layer: Layer) -> Self {
        LayerText::from(&layer)
    }
}

impl From<&str> for LayerText {
    fn from(yaml: &str) -> Self {
        LayerText(yaml.to_owned())
    }
}

impl From<String> for LayerText {
    fn from(yaml: String) -> Self {
        LayerText(yaml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_says_what_was_said_and_no_more() {
        let layer = Layer::new()
            .service(
                "web",
                Service::new("serve 80")
                    .enabled()
                    .env("A", "b")
                    .with("user-id", 0),
            )
            .service("job", Service::new("job"))
            .check(
                "up",
                Check::http("http://localhost/").level("ready").threshold(2),
            );
        let wanted = serde_json::json!({
            "services": {
                "web": {
                    "override": "replace", "command": "serve 80", "startup": "enabled",
                    "environment": {"A": "b"}, "user-id": 0,
                },
                "job": {"override": "replace", "command": "job"},
            },
            "checks": {
                "up": {
                    "override": "replace", "level": "ready", "threshold": 2,
                    "http": {"url": "http://localhost/"},
                },
            },
        });
        let text = LayerText::from(layer).0;
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), wanted);
    }
}
