//! What Pebble tells, as it tells it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What the daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SystemInfo {
    /// Its version, as `v1.32.1`.
    pub version: String,
    /// Changes with every start of the container.
    #[serde(default)]
    pub boot_id: String,
}

/// A service of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// `enabled` or `disabled`.
    pub startup: String,
    /// `active`, `inactive`, `backoff` or `error`.
    pub current: String,
    /// When that last changed: RFC 3339.
    pub current_since: Option<String>,
}

/// A check of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckInfo {
    /// Its name.
    pub name: String,
    /// `alive`, `ready`, or empty.
    #[serde(default)]
    pub level: String,
    /// `up`, `down` or `inactive`.
    pub status: String,
    /// How often it failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// With how many failures in a row it is down.
    #[serde(default)]
    pub threshold: u32,
}

/// Something that the daemon does in the background.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Its number.
    pub id: String,
    /// What kind it is, as `start`.
    pub kind: String,
    /// What it is to do, for people.
    #[serde(default)]
    pub summary: String,
    /// Where it stands, as `Done`.
    pub status: String,
    /// Whether it is over.
    #[serde(default)]
    pub ready: bool,
    /// Why it failed.
    pub err: Option<String>,
    /// Its parts.
    #[serde(default)]
    pub tasks: Vec<Task>,
}

/// A part of a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// What it is to do, for people.
    #[serde(default)]
    pub summary: String,
    /// Where it stands, as `Done`.
    #[serde(default)]
    pub status: String,
    /// The last lines that it logged.
    #[serde(default)]
    pub log: Vec<String>,
    /// More, by its kind.
    #[serde(default)]
    pub data: Map<String, Value>,
}
