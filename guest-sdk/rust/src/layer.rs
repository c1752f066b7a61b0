//! Layers: services and checks of a container's Pebble.

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
    /// Summary in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// The services by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// The checks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Other sections and keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Layer {
    /// Creates an empty layer.
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

/// How an entry is combined with the one of a lower layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// It replaces the lower one.
    #[default]
    Replace,
    /// It is merged into the lower one.
    Merge,
}

/// A service of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Service {
    /// How it is combined with a service of a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// The command with its arguments.
    pub command: String,
    /// Summary in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// `enabled` to start automatically, otherwise `disabled`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub startup: String,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Other keys, for example `on-failure` or `user`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Service {
    /// Creates a service that replaces one of a lower layer and does not start
    /// automatically.
    pub fn new(command: impl Into<String>) -> Self {
        Service {
            command: command.into(),
            ..Service::default()
        }
    }

    /// Makes it start automatically.
    pub fn enabled(mut self) -> Self {
        self.startup = "enabled".to_owned();
        self
    }

    /// Sets the summary.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets any other key.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(key.into(), value.into());
        self
    }
}

/// A check of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// How it is combined with a check of a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// `alive` or `ready`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// Time between two runs, for example `10s`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub period: String,
    /// Time limit of a run, for example `3s`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    /// Number of consecutive failures at which it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// `http`, `tcp` or `exec` with their keys, and other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Check {
    fn of_kind(kind: &str, body: Value) -> Self {
        let mut check = Check::default();
        check.other.insert(kind.to_owned(), body);
        check
    }

    /// Creates a check that succeeds if the response to a request has status 2xx.
    pub fn http(url: impl Into<String>) -> Self {
        Check::of_kind("http", serde_json::json!({ "url": url.into() }))
    }

    /// Creates a check that succeeds if a TCP port of the container accepts
    /// connections.
    pub fn tcp(port: u16) -> Self {
        Check::of_kind("tcp", serde_json::json!({ "port": port }))
    }

    /// Creates a check that succeeds if a command exits with 0.
    pub fn exec(command: impl Into<String>) -> Self {
        Check::of_kind("exec", serde_json::json!({ "command": command.into() }))
    }

    /// Sets the level, `alive` or `ready`.
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.level = level.into();
        self
    }

    /// Sets the time between two runs, for example `10s`.
    pub fn period(mut self, period: impl Into<String>) -> Self {
        self.period = period.into();
        self
    }

    /// Sets the time limit of a run, for example `3s`.
    pub fn timeout(mut self, timeout: impl Into<String>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets the number of consecutive failures at which it is down.
    pub fn threshold(mut self, failures: u32) -> Self {
        self.threshold = Some(failures);
        self
    }
}

/// Text of a layer for [`Container::add_layer`](crate::Container::add_layer): from a
/// [`Layer`], or YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerText(pub(crate) String);

impl From<&Layer> for LayerText {
    fn from(layer: &Layer) -> Self {
        // JSON is valid YAML.
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
    fn a_layer_serialises_only_what_was_set() {
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
