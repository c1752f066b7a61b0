//! Changes: work that Pebble does by itself.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::bindings::pebble;
use crate::bindings::pebble_errors as wit;
use crate::error::ModelResult;
use crate::{Container, Result, time};

/// A change of a container: work that its Pebble does by itself, for example the
/// start of services.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Its id.
    pub id: String,
    /// Its kind, for example `start` or `exec`.
    pub kind: String,
    /// What it does, for people.
    pub summary: String,
    /// Its status, for example `Doing`, `Done` or `Error`.
    pub status: String,
    /// Whether it has ended.
    pub ready: bool,
    /// The error, if it ended with one.
    pub err: Option<String>,
    /// When it began.
    pub spawn_time: SystemTime,
    /// When it ended.
    pub ready_time: Option<SystemTime>,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Further data: a JSON object.
    pub data: Value,
}

/// A part of a [`Change`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its kind, for example `start` or `exec`.
    pub kind: String,
    /// What it does, for people.
    pub summary: String,
    /// Its status, for example `Doing`, `Done` or `Error`.
    pub status: String,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// What is counted, how many are done, and how many there are.
    pub progress: (String, u32, u32),
    /// When it began.
    pub spawn_time: SystemTime,
    /// When it ended.
    pub ready_time: Option<SystemTime>,
    /// The exit code, for a command that ended.
    pub exit_code: Option<i32>,
}

/// Which changes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSelection {
    /// All that Pebble remembers.
    All,
    /// Those that have not ended.
    InProgress,
    /// Those that have ended.
    Ready,
}

impl Container {
    /// Returns changes in the order in which they began.
    #[track_caller]
    pub fn changes(&self, selection: ChangeSelection) -> Result<Vec<Change>> {
        let changes = pebble::changes(self.name(), to_wit(selection), None).model()?;
        Ok(changes.into_iter().map(from_wit).collect())
    }

    /// Returns changes of a service in the order in which they began.
    #[track_caller]
    pub fn changes_of(&self, service: &str, selection: ChangeSelection) -> Result<Vec<Change>> {
        let changes = pebble::changes(self.name(), to_wit(selection), Some(service)).model()?;
        Ok(changes.into_iter().map(from_wit).collect())
    }

    /// Returns the change with an id.
    #[track_caller]
    pub fn change(&self, id: &str) -> Result<Change> {
        pebble::change(self.name(), id).model().map(from_wit)
    }

    /// Waits until a change has ended, up to a limit, and returns it, also if it ended
    /// with an error: [`Change::err`].
    #[track_caller]
    pub fn wait_change(&self, id: &str, limit: Duration) -> Result<Change> {
        let limit = Some(limit.as_secs_f64());
        pebble::wait_change(self.name(), id, limit)
            .model()
            .map(from_wit)
    }

    /// Aborts a change, and returns it, usually before it has ended.
    #[track_caller]
    pub fn abort_change(&self, id: &str) -> Result<Change> {
        pebble::abort_change(self.name(), id).model().map(from_wit)
    }
}

fn to_wit(selection: ChangeSelection) -> pebble::ChangeSelection {
    match selection {
        ChangeSelection::All => pebble::ChangeSelection::All,
        ChangeSelection::InProgress => pebble::ChangeSelection::InProgress,
        ChangeSelection::Ready => pebble::ChangeSelection::Ready,
    }
}

impl Change {
    /// Returns its error, and the last line of the log of each task that failed.
    pub(crate) fn failure(&self) -> String {
        let mut text = self.err.clone().unwrap_or_else(|| self.summary.clone());
        for task in &self.tasks {
            if let ("Error", Some(line)) = (task.status.as_str(), task.log.last()) {
                text.push_str("\n  ");
                text.push_str(line);
            }
        }
        text
    }
}

pub(crate) fn from_wit(change: wit::ChangeInfo) -> Change {
    Change {
        id: change.id,
        kind: change.kind,
        summary: change.summary,
        status: change.status,
        ready: change.ready,
        err: change.err,
        spawn_time: time::from_seconds(change.spawn_time),
        ready_time: change.ready_time.map(time::from_seconds),
        tasks: change.tasks.into_iter().map(task).collect(),
        data: serde_json::from_str(&change.data).unwrap_or(Value::String(change.data)),
    }
}

fn task(task: wit::TaskInfo) -> Task {
    let progress = task.progress;
    Task {
        id: task.id,
        kind: task.kind,
        summary: task.summary,
        status: task.status,
        log: task.log,
        progress: (progress.label, progress.done, progress.total),
        spawn_time: time::from_seconds(task.spawn_time),
        ready_time: task.ready_time.map(time::from_seconds),
        exit_code: task.exit_code,
    }
}
