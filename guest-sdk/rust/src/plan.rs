//! The plan of a container's Pebble.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::layer::LayerText;
use crate::{Check, Container, Error, ErrorKind, LogTarget, Result, Service};

/// All layers of a container's configuration, combined.
///
/// Keys without a field of their own are in `other`, in every entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Plan {
    /// The services by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// The checks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Where logs are sent, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_targets: BTreeMap<String, LogTarget>,
    /// Other sections.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Container {
    /// Adds a layer, a [`Layer`](crate::Layer) or YAML text, with a new label.
    /// Services do not change before [`Container::replan`].
    #[track_caller]
    pub fn add_layer(&self, label: &str, layer: impl Into<LayerText>) -> Result<()> {
        wit::add_layer(self.name(), label, &layer.into().0, false).model()
    }

    /// The same, but merges it into the layer with the label, if there is one.
    #[track_caller]
    pub fn combine_layer(&self, label: &str, layer: impl Into<LayerText>) -> Result<()> {
        wit::add_layer(self.name(), label, &layer.into().0, true).model()
    }

    /// Returns all layers combined.
    #[track_caller]
    pub fn plan(&self) -> Result<Plan> {
        let text = wit::get_plan(self.name()).model()?;
        serde_json::from_str(&text).map_err(|error| {
            let message = format!("cannot read the plan of {}: {error}", self.name());
            Error::new(ErrorKind::InvalidValue, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{CheckLevel, LogTargetType, Override, Reaction, Startup};

    #[test]
    fn every_key_of_a_plan_survives() {
        let value = json!({
            "services": {
                "all": {
                    "summary": "s", "description": "d", "startup": "enabled",
                    "override": "merge", "command": "c", "after": ["a"], "before": ["b"],
                    "requires": ["r"], "workload": "w", "environment": {"K": "v"},
                    "user-id": 0, "user": "u", "group-id": 0, "group": "g",
                    "working-dir": "/", "on-success": "ignore",
                    "on-failure": "failure-shutdown", "on-check-failure": {"up": "restart"},
                    "backoff-delay": "1s", "backoff-factor": 1.5, "backoff-limit": "1m0s",
                    "kill-delay": "2s",
                },
                "new": {"override": "replace", "command": "c", "nice": {"level": 5},
                        "startup": "sometimes", "on-failure": "page"},
            },
            "checks": {
                "up": {
                    "override": "replace", "level": "alive", "startup": "disabled",
                    "period": "10s", "timeout": "3s", "threshold": 3,
                    "http": {"url": "http://x/", "headers": {"A": "b"}, "method": "PUT"},
                },
                "port": {"override": "replace", "threshold": 3,
                         "tcp": {"port": 80, "host": "h", "tls": true}},
                "run": {"override": "replace", "threshold": 3, "jitter": "1s",
                        "exec": {"command": "c", "service-context": "all",
                                 "environment": {"K": "v"}, "user-id": 0, "user": "u",
                                 "group-id": 0, "group": "g", "working-dir": "/", "tty": 1}},
            },
            "log-targets": {
                "loki": {"override": "replace", "type": "loki", "location": "http://l/",
                         "services": [], "labels": {"a": "b"}, "retry": 3},
                "odd": {"override": "replace", "type": "pigeon", "location": "x",
                        "services": ["all", "-new"]},
            },
            "workloads": {"w": {"override": "replace"}},
            "pairing": {"mode": "single"},
        });
        let plan: Plan = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&plan).unwrap(), value);
        let all = &plan.services["all"];
        assert_eq!(all.override_with, Override::Merge);
        assert_eq!(all.startup, Some(Startup::Enabled));
        assert_eq!(all.on_success, Some(Reaction::Ignore));
        assert_eq!(all.on_check_failure["up"], Reaction::Restart);
        assert_eq!(all.user_id, Some(0));
        assert!(all.other.is_empty(), "{:?}", all.other);
        let new = &plan.services["new"];
        assert_eq!(new.on_failure, Some(Reaction::Other("page".to_owned())));
        assert_eq!(new.other["nice"]["level"], 5);
        assert_eq!(plan.checks["up"].level, Some(CheckLevel::Alive));
        assert_eq!(plan.log_targets["loki"].kind, Some(LogTargetType::Loki));
        assert_eq!(plan.other["pairing"]["mode"], "single");
    }
}
