//! Wire structs of `/v1/changes` (`pebble §5`).

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Timestamp;

/// Work that the daemon does in the background.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Its number.
    pub id: String,
    /// Its kind, for example `start`.
    pub kind: String,
    /// A description for people.
    #[serde(default)]
    pub summary: String,
    /// Its status, for example `Done`.
    pub status: String,
    /// Whether it is over.
    #[serde(default)]
    pub ready: bool,
    /// Why it failed.
    pub err: Option<String>,
    /// When it began.
    #[serde(default)]
    pub spawn_time: Timestamp,
    /// When it ended.
    pub ready_time: Option<Timestamp>,
    /// Its tasks.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Further data.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// A task of a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Its number.
    #[serde(default)]
    pub id: String,
    /// Its kind, for example `start`.
    #[serde(default)]
    pub kind: String,
    /// A description for people.
    #[serde(default)]
    pub summary: String,
    /// Its status, for example `Done`.
    #[serde(default)]
    pub status: String,
    /// The last lines that it logged.
    #[serde(default)]
    pub log: Vec<String>,
    /// How far it is.
    #[serde(default)]
    pub progress: Progress,
    /// When it began.
    #[serde(default)]
    pub spawn_time: Timestamp,
    /// When it ended.
    pub ready_time: Option<Timestamp>,
    #[serde(default)]
    data: Option<TaskData>,
}

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Progress {
    /// What is counted.
    #[serde(default)]
    pub label: String,
    /// How many are done.
    #[serde(default)]
    pub done: u32,
    /// How many there are.
    #[serde(default)]
    pub total: u32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TaskData {
    exit_code: Option<i32>,
}

impl Task {
    /// The exit code of a command that it ran.
    pub fn exit_code(&self) -> Option<i32> {
        self.data.as_ref()?.exit_code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_change_may_be_missing() {
        let change: Change =
            serde_json::from_str(r#"{"id":"1","kind":"replan","status":"Doing"}"#).unwrap();
        assert!(!change.ready && change.tasks.is_empty());
        let change: Change = serde_json::from_str(
            r#"{"id":"1","kind":"exec","status":"Done","ready":true,
                "tasks":[{"data":{"exit-code":137,"other":[]}},{"data":null},{}]}"#,
        )
        .unwrap();
        let codes: Vec<_> = change.tasks.iter().map(Task::exit_code).collect();
        assert_eq!(codes, [Some(137), None, None]);
    }
}
