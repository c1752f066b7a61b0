//! What happened: piece by piece while it happens, and all of it at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::{Content, Grant, Level, Model, Relation, Secret, Status, Storage};
use crate::scenario::Unmet;
use crate::veil::Veil;

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

impl ToolCall {
    /// The call as one would type it.
    pub fn line(&self) -> String {
        let words = self.args.iter().map(|arg| quoted(arg));
        let words: Vec<String> = std::iter::once(self.tool.clone()).chain(words).collect();
        words.join(" ")
    }
}

/// An argument as one would type it.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+#".contains(c);
    match !arg.is_empty() && arg.chars().all(plain) {
        true => arg.to_owned(),
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    }
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
    /// The events that the charm keeps deferred afterwards, by their names with
    /// underscores, in their order.
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

/// A secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecretRecord {
    /// Its id, without `secret:`.
    pub id: String,
    /// `application`, `unit`, or the remote application that owns it.
    pub owner: String,
    /// The owner's label.
    pub label: String,
    /// What the owner says of it.
    pub description: String,
    /// When it is rotated, as `daily`.
    pub rotate: Option<String>,
    /// What each revision holds: digests, unless values are to be shown.
    pub revisions: BTreeMap<u32, BTreeMap<String, String>>,
    /// The revision that this unit reads.
    pub tracked_revision: u32,
    /// Whom it is shown to: relation ids, or units in them (`7 mysql/0`).
    pub grants: Vec<String>,
}

/// A workload container.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContainerRecord {
    /// Its name.
    pub name: String,
    /// Whether its Pebble runs.
    pub can_connect: bool,
    /// What its services do, by their names.
    pub services: BTreeMap<String, String>,
    /// Its layers, combined.
    pub plan: Value,
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
    /// The relations with their databags.
    pub relations: Vec<Relation>,
    /// The secrets.
    pub secrets: Vec<SecretRecord>,
    /// The storage instances by their names, as `data/0`.
    pub storages: BTreeMap<String, Storage>,
    /// The storage that the charm asked for: names and how many.
    pub storage_requests: Vec<(String, u32)>,
    /// What the charm keeps with the controller.
    pub state: Map<String, Value>,
    /// Whether the charm asked for a reboot.
    pub reboot: bool,
    /// The workload containers.
    pub containers: Vec<ContainerRecord>,
    /// The actions that ran, in their order.
    pub actions: Vec<ActionRecord>,
}

/// A relation with its databags; a type of its own for what reads reports.
pub type RelationRecord = Relation;

fn secret(secret: &Secret, veil: &Veil) -> SecretRecord {
    let content = |content: &Content| {
        let value = |(key, value): (&String, Vec<u8>)| (key.clone(), veil.value(&value));
        content.values().map(value).collect()
    };
    let revisions = secret.revisions.iter();
    let grant = |grant: &Grant| match &grant.unit {
        Some(unit) => format!("{} {unit}", grant.relation),
        None => grant.relation.to_string(),
    };
    SecretRecord {
        id: secret.id.clone(),
        owner: secret.owner.name().to_owned(),
        label: secret.label.clone(),
        description: secret.description.clone(),
        rotate: secret.rotate.clone(),
        revisions: revisions
            .map(|(number, held)| (*number, content(held)))
            .collect(),
        tracked_revision: secret.tracked,
        grants: secret.grants.iter().map(grant).collect(),
    }
}

impl ModelRecord {
    pub(crate) fn new(
        model: &Model,
        actions: Vec<ActionRecord>,
        containers: Vec<ContainerRecord>,
        veil: &Veil,
    ) -> Self {
        ModelRecord {
            unit: model.unit.clone(),
            config: model.config.values(false),
            leader: model.leader,
            unit_status: model.shown_status(),
            app_status: model.shown_app_status(),
            ports: model.ports.listed(false),
            workload_version: model.workload_version.clone(),
            relations: model.relations.values().cloned().collect(),
            secrets: model
                .secrets
                .values()
                .map(|held| secret(held, veil))
                .collect(),
            storages: model.storages.clone(),
            storage_requests: model.storage_requests.clone(),
            state: model.state.clone(),
            reboot: model.reboot,
            containers,
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
    /// What was expected and did not come.
    pub unmet: Vec<Unmet>,
    /// The dispatches, by their places, whose failure was expected.
    #[serde(skip)]
    pub expected_failures: BTreeSet<usize>,
    /// Whether each action's failure was expected.
    #[serde(skip)]
    pub expected_failed_actions: BTreeSet<usize>,
}

impl Report {
    /// Whether all went as expected: no hook failed, and no action, but for
    /// those that were expected to.
    pub fn succeeded(&self) -> bool {
        let hook_failed = |(place, record): (usize, &DispatchRecord)| {
            matches!(record.outcome, Outcome::Failed(_) | Outcome::Interrupted)
                && !self.expected_failures.contains(&place)
        };
        let action_failed = |(place, record): (usize, &ActionRecord)| {
            record.status == "failed" && !self.expected_failed_actions.contains(&place)
        };
        self.unmet.is_empty()
            && !self.dispatches.iter().enumerate().any(hook_failed)
            && !self.model.actions.iter().enumerate().any(action_failed)
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
    /// What was expected after an event, or at the end, did not come.
    fn unmet(&mut self, _unmet: &[Unmet]) {}
    /// All is over.
    fn finished(&mut self, _report: &Report) {}
}

/// Watches nothing.
impl Observer for () {}
