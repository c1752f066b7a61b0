//! The report of a simulation, and who watches it while it runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use charmhost_sim_model::{
    ActionRecord, Content, Grant, LogLine, RelationView, SecretView, Status, Storage, UnitView,
};

use crate::redactor::Redactor;
use crate::sim_event::{SimEvent, ToolCall};

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
    /// The events that are deferred afterwards, by their names with
    /// underscores, in their order.
    pub deferred: Vec<String>,
    /// How it ended.
    #[serde(skip)]
    pub outcome: Outcome,
}

fn to_microseconds<S: Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((ms * 1000.0).round() / 1000.0)
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
    /// The owner's description.
    pub description: String,
    /// The rotation policy, for example `daily`.
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
    pub relations: Vec<RelationView>,
    /// The secrets.
    pub secrets: Vec<SecretRecord>,
    /// The storage instances by id, for example `data/0`.
    pub storages: BTreeMap<String, Storage>,
    /// The storage that the charm asked for: names and how many.
    pub storage_requests: Vec<(String, u32)>,
    /// The charm's state in the controller.
    pub state: Map<String, Value>,
    /// Whether the charm asked for a reboot.
    pub reboot: bool,
    /// The workload containers.
    pub containers: Vec<ContainerRecord>,
    /// The actions that ran, in their order.
    pub actions: Vec<ActionRecord>,
}

/// A relation with its databags.
pub type RelationRecord = RelationView;

fn secret_record(secret: &SecretView, redactor: &Redactor) -> SecretRecord {
    let content = |content: &Content| {
        let value = |(key, value): (&String, Vec<u8>)| (key.clone(), redactor.value(&value));
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
            .map(|(number, values)| (*number, content(values)))
            .collect(),
        tracked_revision: secret.tracked,
        grants: secret.grants.iter().map(grant).collect(),
    }
}

impl ModelRecord {
    pub(crate) fn new(
        view: &UnitView,
        actions: Vec<ActionRecord>,
        containers: Vec<ContainerRecord>,
        redactor: &Redactor,
    ) -> Self {
        ModelRecord {
            unit: view.unit.clone(),
            config: view.config.values(false),
            leader: view.leader,
            unit_status: view.shown_status(),
            app_status: view.shown_app_status(),
            ports: view.ports.listed(false),
            workload_version: view.workload_version.clone(),
            relations: view.relations.values().cloned().collect(),
            secrets: view
                .secrets
                .values()
                .filter(|secret| secret.readable)
                .map(|view| secret_record(view, redactor))
                .collect(),
            storages: view.storages.clone(),
            storage_requests: view.storage_requests.clone(),
            state: view.state.clone(),
            reboot: view.reboot,
            containers,
            actions,
        }
    }
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedExpectation {
    /// After which event, with its number in the scenario: `2 config-changed`;
    /// `end` for what is expected at the end.
    pub after: String,
    /// Of what: `unit_status`, `files web /etc/motd`.
    pub of: String,
    /// What was expected.
    pub wanted: Value,
    /// What came.
    pub got: Value,
}

/// A whole simulation.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every run of the charm, in their order.
    pub dispatches: Vec<DispatchRecord>,
    /// The model at the end.
    pub model: ModelRecord,
    /// What was expected and did not come.
    pub unmet: Vec<FailedExpectation>,
    /// The dispatches, by their indices, whose failure was expected.
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
        let hook_failed = |(index, record): (usize, &DispatchRecord)| {
            matches!(record.outcome, Outcome::Failed(_) | Outcome::Interrupted)
                && !self.expected_failures.contains(&index)
        };
        let action_failed = |(index, record): (usize, &ActionRecord)| {
            record.status == "failed" && !self.expected_failed_actions.contains(&index)
        };
        self.unmet.is_empty()
            && !self.dispatches.iter().enumerate().any(hook_failed)
            && !self.model.actions.iter().enumerate().any(action_failed)
    }
}

/// One run of the charm of one of several units.
#[derive(Debug, Clone, Serialize)]
pub struct UnitDispatch {
    /// The unit.
    pub unit: String,
    /// The run.
    #[serde(flatten)]
    pub record: DispatchRecord,
}

/// An application at the end.
#[derive(Debug, Clone, Serialize)]
pub struct ApplicationRecord {
    /// Its status.
    pub status: Status,
    /// The unit that leads.
    pub leader: Option<String>,
    /// Its units.
    pub units: Vec<String>,
}

/// A whole simulation of a model with several applications or units.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// Every run of a charm, in their order.
    pub dispatches: Vec<UnitDispatch>,
    /// The applications at the end, by name.
    pub applications: BTreeMap<String, ApplicationRecord>,
    /// The units at the end, by name; those that were removed as they were then.
    pub units: BTreeMap<String, ModelRecord>,
    /// What was expected and did not come.
    pub unmet: Vec<FailedExpectation>,
    /// The dispatches, by their indices, whose failure was expected.
    #[serde(skip)]
    pub expected_failures: BTreeSet<usize>,
    /// The actions whose failure was expected, by their units and indices.
    #[serde(skip)]
    pub expected_failed_actions: BTreeSet<(String, usize)>,
}

impl ModelReport {
    /// Whether all went as expected: no hook failed, and no action, but for
    /// those that were expected to.
    pub fn succeeded(&self) -> bool {
        let hook_failed = |(index, dispatch): (usize, &UnitDispatch)| {
            dispatch.record.outcome != Outcome::Succeeded
                && !self.expected_failures.contains(&index)
        };
        let actions = self.units.iter().flat_map(|(unit, record)| {
            let actions = record.actions.iter().enumerate();
            actions.map(move |(index, action)| ((unit.clone(), index), action))
        });
        let mut failed_actions = actions.filter(|(index, action)| {
            action.status == "failed" && !self.expected_failed_actions.contains(index)
        });
        self.unmet.is_empty()
            && !self.dispatches.iter().enumerate().any(hook_failed)
            && failed_actions.next().is_none()
    }
}

/// How far the units of a model are on their way to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many units have no hook to run.
    pub idle: usize,
    /// How many units there are.
    pub units: usize,
    /// How many dispatches ran since the step began.
    pub dispatches: usize,
}

/// Watches a simulation while it runs. It is called on the thread that called
/// [`run`](crate::run), never while the agent holds a lock: an observer may
/// itself call hook tools while a hook runs.
pub trait Observer {
    /// The unit exists; nothing ran yet.
    fn unit_created(&mut self, _model: &UnitView) {}
    /// The agent listens, and the charm is about to be run for the event.
    /// `environment` is what it will see.
    fn dispatch_starts(&mut self, _event: &str, _environment: &[(String, String)]) {}
    /// Something happened in the running hook.
    fn sim_event(&mut self, _event: &SimEvent) {}
    /// The running hook has taken a second. Comes once.
    fn dispatch_is_slow(&mut self) {}
    /// The hook is over, and the agent no longer listens.
    fn dispatch_ends(&mut self, _record: &DispatchRecord) {}
    /// An event that the unit cannot have now, and why.
    fn event_skipped(&mut self, _event: &str, _reason: &str) {}
    /// What was expected after an event, or at the end, did not come.
    fn unmet(&mut self, _unmet: &[FailedExpectation]) {}
    /// All is over.
    fn finished(&mut self, _report: &Report) {}
    /// A step begins, in a model with several units.
    fn step_starts(&mut self, _title: &str) {}
    /// The next dispatch is one of this unit, in a model with several units.
    fn unit_acts(&mut self, _unit: &str) {}
    /// Each unit that had a hook to run has run one.
    fn progress(&mut self, _progress: &Progress) {}
    /// All is over, in a model with several units.
    fn model_finished(&mut self, _report: &ModelReport) {}
}

/// Watches nothing.
impl Observer for () {}
