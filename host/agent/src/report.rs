//! What happened: piece by piece while it happens, and all of it at the end.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::{Level, Model, Status};

/// A message in the model's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// A hook tool that the charm called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolCall {
    /// Its name.
    pub tool: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its input, if the caller supplied any.
    pub stdin: Option<String>,
    /// Its exit code; none if the call was refused.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// Its complaints.
    #[serde(skip)]
    pub stderr: String,
    /// With what the call was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_error: Option<String>,
}

/// Something that happens while a hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The charm called a hook tool, and this was the answer.
    Call(ToolCall),
    /// A message was logged: by the charm, from its output, or by the agent.
    Log(LogLine),
    /// The charm set the unit's status.
    UnitStatus(Status),
    /// The charm set the application's status.
    AppStatus(Status),
    /// The charm set the workload's version.
    WorkloadVersion(String),
}

/// How a dispatch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its changes are applied.
    Succeeded,
    /// Its changes are not applied; what is wrong with it.
    Failed(String),
    /// It was killed as Juju kills hooks when the agent stops: its changes are
    /// not applied, and Juju would run it again.
    Interrupted,
}

/// One run of the charm.
#[derive(Debug, Clone, Serialize)]
pub struct DispatchRecord {
    /// The hook's name, or the action's followed by `-action`.
    pub event: String,
    /// The exit code; none if a signal ended it or it could not be run.
    pub exit_code: Option<i32>,
    /// How long the process ran, in milliseconds.
    #[serde(serialize_with = "to_microseconds")]
    pub duration_ms: f64,
    /// The hook tools it called, in their order.
    pub hook_tools: Vec<ToolCall>,
    /// What was logged meanwhile.
    pub logs: Vec<LogLine>,
    /// The events it deferred.
    pub deferred: Vec<String>,
    /// How it ended.
    #[serde(skip)]
    pub outcome: Outcome,
}

fn to_microseconds<S: Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((ms * 1000.0).round() / 1000.0)
}

/// An action that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionRecord {
    /// Its name.
    pub name: String,
    /// What it was given, defaults included.
    pub params: Map<String, Value>,
    /// `completed` or `failed`.
    pub status: &'static str,
    /// Why it failed; else empty.
    pub message: String,
    /// What it set, and its output and return code.
    pub results: Map<String, Value>,
    /// Its progress messages.
    pub log: Vec<String>,
}

/// The model at the end.
#[derive(Debug, Clone, Serialize)]
pub struct ModelRecord {
    /// The unit's name.
    pub unit: String,
    /// The configuration, options without a value left out.
    pub config: Map<String, Value>,
    /// Whether the unit leads.
    pub leader: bool,
    /// The unit's status.
    pub unit_status: Status,
    /// The application's status.
    pub app_status: Status,
    /// The open ports: `80/tcp`.
    pub ports: Vec<String>,
    /// The workload's version, if the charm set it.
    pub workload_version: Option<String>,
    /// The actions that ran, in their order.
    pub actions: Vec<ActionRecord>,
}

impl ModelRecord {
    pub(crate) fn new(model: &Model, actions: Vec<ActionRecord>) -> Self {
        ModelRecord {
            unit: model.unit.clone(),
            config: model.config.values(false),
            leader: model.leader,
            unit_status: model.shown_status(),
            app_status: model.shown_app_status(),
            ports: model.ports.listed(false),
            workload_version: model.workload_version.clone(),
            actions,
        }
    }
}

/// A whole simulation.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every run of the charm, in their order.
    pub dispatches: Vec<DispatchRecord>,
    /// The model at the end.
    pub model: ModelRecord,
}

impl Report {
    /// Whether nothing failed: no hook, and no action.
    pub fn succeeded(&self) -> bool {
        let hook_failed = |record: &DispatchRecord| {
            matches!(record.outcome, Outcome::Failed(_) | Outcome::Interrupted)
        };
        let action_failed = |record: &ActionRecord| record.status == "failed";
        !self.dispatches.iter().any(hook_failed) && !self.model.actions.iter().any(action_failed)
    }
}

/// Watches a simulation while it runs. It is called on the thread that called
/// [`run`](crate::run), never while the agent holds a lock: an observer may
/// itself call hook tools while a hook runs.
pub trait Observer {
    /// The unit exists; nothing ran yet.
    fn unit_made(&mut self, _model: &Model) {}
    /// The agent listens, and the charm is about to be run for the event.
    /// `environment` is what it will see.
    fn dispatch_starts(&mut self, _event: &str, _environment: &[(String, String)]) {}
    /// Something happened in the running hook.
    fn notice(&mut self, _notice: &Notice) {}
    /// The running hook has taken a second. Comes once.
    fn dispatch_is_slow(&mut self) {}
    /// The hook is over, and the agent no longer listens.
    fn dispatch_ends(&mut self, _record: &DispatchRecord) {}
    /// An event that the unit cannot have now, and why.
    fn event_left_out(&mut self, _event: &str, _reason: &str) {}
    /// All is over.
    fn finished(&mut self, _report: &Report) {}
}

/// Watches nothing.
impl Observer for () {}
