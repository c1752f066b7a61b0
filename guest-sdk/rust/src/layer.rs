//! Layers and plans: services, checks and log targets of a container's Pebble.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CheckLevel, Startup};

/// A layer of a container's configuration.
///
/// Keys without a field of their own are in `other`, in every entry.
///
/// ```
/// # use charmhost::prelude::*;
/// # use std::time::Duration;
/// let layer = Layer::new()
///     .service("web", Service::new("python3 -m http.server 8080").enabled())
///     .check("up", Check::http("http://localhost:8080/").period(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Layer {
    /// Summary in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The services by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// The checks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Where logs are sent, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_targets: BTreeMap<String, LogTarget>,
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

    /// Adds a log target.
    pub fn log_target(mut self, name: impl Into<String>, target: LogTarget) -> Self {
        self.log_targets.insert(name.into(), target);
        self
    }
}

/// Declares an enum of words of Pebble.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$of_variant])* $variant,)+
            /// A word of a newer Pebble.
            Other(String),
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => $name::$variant,)+
                    _ => $name::Other(word),
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                $name::from(word.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                match word {
                    $($name::$variant => $word.to_owned(),)+
                    $name::Other(word) => word,
                }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// How an entry is combined with the one of a lower layer.
    #[derive(Default)]
    Override {
        /// It replaces the lower one.
        #[default]
        Replace = "replace",
        /// It is merged into the lower one.
        Merge = "merge",
    }
}

words! {
    /// What Pebble does when a service has exited or a check has failed.
    Reaction {
        /// Starts the service again.
        Restart = "restart",
        /// Stops Pebble, as a failure after one and as a success after a success.
        Shutdown = "shutdown",
        /// Stops Pebble, as a failure.
        FailureShutdown = "failure-shutdown",
        /// Stops Pebble, as a success.
        SuccessShutdown = "success-shutdown",
        /// Nothing.
        Ignore = "ignore",
    }
}

words! {
    /// The protocol of a log target.
    LogTargetType {
        /// That of Grafana Loki.
        Loki = "loki",
        /// OTLP with JSON.
        OpenTelemetry = "opentelemetry",
        /// RFC 5424.
        Syslog = "syslog",
    }
}

/// A duration in Pebble's form, for example `1m30s`: from a [`Duration`], or text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(String);

impl Period {
    /// Pebble's form of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Period(match duration.subsec_nanos() {
            0 => format!("{}s", duration.as_secs()),
            nanos => format!("{}.{nanos:09}s", duration.as_secs()),
        })
    }
}

impl From<&str> for Period {
    fn from(text: &str) -> Self {
        Period(text.to_owned())
    }
}

impl From<String> for Period {
    fn from(text: String) -> Self {
        Period(text)
    }
}

/// A service of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Service {
    /// How it is combined with a service of a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// The command with its arguments.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Summary in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it starts automatically; without it, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    /// Services that start before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Services that start after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Services that are started with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// The workload whose environment and user it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The id of the user it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    /// The name of the user it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The id of the group it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u32>,
    /// The name of the group it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The directory it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// What happens when it exits with 0: restart without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Reaction>,
    /// What happens when it exits with another code: restart without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Reaction>,
    /// What happens when a check is down, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub on_check_failure: BTreeMap<String, Reaction>,
    /// The time before the first restart: 500 ms without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_delay: Option<Period>,
    /// The factor between the times before restarts: 2 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_factor: Option<f64>,
    /// The longest time before a restart: 30 seconds without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_limit: Option<Period>,
    /// The time between SIGTERM and SIGKILL: 5 seconds without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_delay: Option<Period>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Methods that set one field.
macro_rules! setters {
    ($($(#[$about:meta])* $name:ident: $field:ident($value:ident: $type:ty) = $set:expr;)+) => {
        $(
            $(#[$about])*
            pub fn $name(mut self, $value: $type) -> Self {
                self.$field = $set;
                self
            }
        )+
    };
}

/// Converts names to a list.
fn list<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
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

    /// Creates changes that are merged into a service of a lower layer.
    pub fn merge() -> Self {
        Service {
            override_with: Override::Merge,
            ..Service::default()
        }
    }

    /// Makes it start automatically.
    pub fn enabled(mut self) -> Self {
        self.startup = Some(Startup::Enabled);
        self
    }

    /// Keeps it from starting automatically.
    pub fn disabled(mut self) -> Self {
        self.startup = Some(Startup::Disabled);
        self
    }

    setters! {
        /// Sets the command with its arguments.
        command: command(command: impl Into<String>) = command.into();
        /// Sets the summary.
        summary: summary(summary: impl Into<String>) = Some(summary.into());
        /// Sets the description.
        description: description(text: impl Into<String>) = Some(text.into());
        /// Sets the workload whose environment and user it has.
        workload: workload(name: impl Into<String>) = Some(name.into());
        /// Sets the services that start before it.
        after: after(names: impl IntoIterator<Item = impl Into<String>>) = list(names);
        /// Sets the services that start after it.
        before: before(names: impl IntoIterator<Item = impl Into<String>>) = list(names);
        /// Sets the services that are started with it.
        requires: requires(names: impl IntoIterator<Item = impl Into<String>>) = list(names);
        /// Sets the user it runs as, by id.
        user_id: user_id(id: u32) = Some(id);
        /// Sets the user it runs as, by name.
        user: user(name: impl Into<String>) = Some(name.into());
        /// Sets the group it runs as, by id.
        group_id: group_id(id: u32) = Some(id);
        /// Sets the group it runs as, by name.
        group: group(name: impl Into<String>) = Some(name.into());
        /// Sets the directory it runs in.
        working_dir: working_dir(path: impl Into<String>) = Some(path.into());
        /// Sets what happens when it exits with 0.
        on_success: on_success(reaction: Reaction) = Some(reaction);
        /// Sets what happens when it exits with another code.
        on_failure: on_failure(reaction: Reaction) = Some(reaction);
        /// Sets the time before the first restart.
        backoff_delay: backoff_delay(time: impl Into<Period>) = Some(time.into());
        /// Sets the factor between the times before restarts, at least 1.
        backoff_factor: backoff_factor(factor: f64) = Some(factor);
        /// Sets the longest time before a restart.
        backoff_limit: backoff_limit(time: impl Into<Period>) = Some(time.into());
        /// Sets the time between SIGTERM and SIGKILL.
        kill_delay: kill_delay(time: impl Into<Period>) = Some(time.into());
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets what happens when a check is down.
    pub fn on_check_failure(mut self, check: impl Into<String>, reaction: Reaction) -> Self {
        self.on_check_failure.insert(check.into(), reaction);
        self
    }

    /// Sets a key that has no method, for example of a newer Pebble.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(key.into(), value.into());
        self
    }
}

/// A check of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Check {
    /// How it is combined with a check of a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<CheckLevel>,
    /// Whether it starts automatically; without it, it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    /// Time between two runs: 10 seconds without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Time limit of a run: 3 seconds without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// Number of consecutive failures at which it is down: 3 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// Succeeds if the response to a request has status 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    /// Succeeds if a TCP port accepts connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheck>,
    /// Succeeds if a command exits with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecCheck>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The request of a [`Check`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct HttpCheck {
    /// The URL.
    pub url: String,
    /// Headers of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The connection of a [`Check`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TcpCheck {
    /// The port.
    pub port: u16,
    /// The host: the container itself without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The command of a [`Check`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ExecCheck {
    /// The command with its arguments.
    pub command: String,
    /// The service whose environment, user and directory it gets unless they are set
    /// here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_context: Option<String>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The id of the user it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    /// The name of the user it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The id of the group it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u32>,
    /// The name of the group it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The directory it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Check {
    /// Creates a check that succeeds if the response to a request has status 2xx.
    pub fn http(url: impl Into<String>) -> Self {
        Check {
            http: Some(HttpCheck {
                url: url.into(),
                ..HttpCheck::default()
            }),
            ..Check::default()
        }
    }

    /// Creates a check that succeeds if a TCP port of the container accepts
    /// connections.
    pub fn tcp(port: u16) -> Self {
        Check {
            tcp: Some(TcpCheck {
                port,
                ..TcpCheck::default()
            }),
            ..Check::default()
        }
    }

    /// Creates a check that succeeds if a command exits with 0.
    pub fn exec(command: impl Into<String>) -> Self {
        Check {
            exec: Some(ExecCheck {
                command: command.into(),
                ..ExecCheck::default()
            }),
            ..Check::default()
        }
    }

    /// Creates changes that are merged into a check of a lower layer.
    pub fn merge() -> Self {
        Check {
            override_with: Override::Merge,
            ..Check::default()
        }
    }

    /// Keeps it from starting automatically.
    pub fn disabled(mut self) -> Self {
        self.startup = Some(Startup::Disabled);
        self
    }

    setters! {
        /// Sets the level, for example `ready`.
        level: level(level: impl Into<CheckLevel>) = Some(level.into());
        /// Sets the time between two runs, for example `10s`.
        period: period(period: impl Into<Period>) = Some(period.into());
        /// Sets the time limit of a run, for example `3s`.
        timeout: timeout(timeout: impl Into<Period>) = Some(timeout.into());
        /// Sets the number of consecutive failures at which it is down.
        threshold: threshold(failures: u32) = Some(failures);
    }
}

/// A target to which Pebble sends what services print.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LogTarget {
    /// How it is combined with a target of a lower layer.
    #[serde(rename = "override")]
    pub override_with: Override,
    /// Its protocol.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<LogTargetType>,
    /// Its URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// The services whose logs it gets: names, `all`, `-NAME`, `-all`.
    pub services: Vec<String>,
    /// Labels of its lines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl LogTarget {
    /// Creates a target that gets the logs of all services.
    pub fn new(kind: LogTargetType, location: impl Into<String>) -> Self {
        LogTarget {
            kind: Some(kind),
            location: location.into(),
            services: vec!["all".to_owned()],
            ..LogTarget::default()
        }
    }

    setters! {
        /// Sets the services whose logs it gets: names, `all`, `-NAME`, `-all`.
        services: services(names: impl IntoIterator<Item = impl Into<String>>) = list(names);
    }

    /// Sets a label.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
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
                    .user_id(0)
                    .with("nice", 5),
            )
            .service("job", Service::merge().requires(["web"]))
            .check(
                "up",
                Check::http("http://localhost/").level("ready").threshold(2),
            );
        let wanted = serde_json::json!({
            "services": {
                "web": {
                    "override": "replace", "command": "serve 80", "startup": "enabled",
                    "environment": {"A": "b"}, "user-id": 0, "nice": 5,
                },
                "job": {"override": "merge", "requires": ["web"]},
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

    #[test]
    fn durations_are_written_as_pebble_reads_them() {
        for (duration, wanted) in [
            (Duration::from_secs(90), "90s"),
            (Duration::from_millis(1500), "1.500000000s"),
        ] {
            assert_eq!(Period::from(duration).as_str(), wanted);
        }
    }
}
