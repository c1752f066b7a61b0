//! Wire structs of `/v1/changes` (`pebble §5`).

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::wire::nullable;

/// Work that the daemon does in the background.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Its id.
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
    pub spawn_time: Timestamp,
    /// When it was over.
    pub ready_time: Option<Timestamp>,
    /// Its tasks.
    #[serde(default, deserialize_with = "nullable")]
    pub tasks: Vec<Task>,
    /// Further data.
    #[serde(default, deserialize_with = "nullable")]
    pub data: Map<String, Value>,
}

/// A task of a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Its id.
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
    #[serde(default, deserialize_with = "nullable")]
    pub log: Vec<String>,
    /// How far it is.
    #[serde(default, deserialize_with = "nullable")]
    pub progress: Progress,
    /// When it began.
    pub spawn_time: Timestamp,
    /// When it was over.
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

impl Change {
    /// Whether it runs a check. A daemon that aborts such a change loses the check,
    /// and crashes when the check is stopped (`pebble §5`).
    pub(crate) fn runs_a_check(&self) -> bool {
        matches!(self.kind.as_str(), "perform-check" | "recover-check")
    }

    /// The order in which changes began. Ids are counters.
    pub(crate) fn order(&self, other: &Change) -> Ordering {
        let key = |change: &Change| (change.spawn_time, change.id.len());
        key(self)
            .cmp(&key(other))
            .then_with(|| self.id.cmp(&other.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_change_may_be_missing() {
        let change: Change = serde_json::from_str(
            r#"{"id":"1","kind":"replan","status":"Doing","spawn-time":"2026-11-22T00:00:00Z"}"#,
        )
        .unwrap();
        assert!(!change.ready && change.tasks.is_empty() && change.data.is_empty());
        let change: Change = serde_json::from_str(
            r#"{"id":"1","kind":"exec","status":"Done","ready":true,"data":null,
                "spawn-time":"2026-11-22T00:00:00+01:00",
                "tasks":[
                    {"spawn-time":"2026-11-22T00:00:00Z","data":{"exit-code":137,"other":[]}},
                    {"spawn-time":"2026-11-22T00:00:00Z","data":null,"progress":null},
                    {"spawn-time":"2026-11-22T00:00:00Z","progress":{"label":"l","done":1,"total":2}}
                ]}"#,
        )
        .unwrap();
        let codes: Vec<_> = change.tasks.iter().map(Task::exit_code).collect();
        assert_eq!(codes, [Some(137), None, None]);
        let totals: Vec<_> = change
            .tasks
            .iter()
            .map(|task| task.progress.total)
            .collect();
        assert_eq!(totals, [0, 0, 2]);
    }

    #[test]
    fn changes_are_ordered_by_their_begin_and_then_by_number() {
        let change = |id: &str, time: &str| -> Change {
            let text =
                format!(r#"{{"id":"{id}","kind":"start","status":"Done","spawn-time":"{time}"}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let mut changes = [
            change("10", "2026-11-22T00:00:00Z"),
            change("3", "2026-11-22T00:00:00.000000001Z"),
            change("9", "2026-11-22T00:00:00Z"),
            change("1", "2026-11-22T00:59:59+01:00"),
        ];
        changes.sort_by(Change::order);
        let ids: Vec<_> = changes.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(ids, ["1", "9", "10", "3"]);
    }
}
