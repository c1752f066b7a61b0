//! One hook or action that runs, and what it has changed so far.

use serde::Serialize;
use serde_json::{Map, Value};

use std::collections::BTreeMap;
use std::path::Path;

use super::{Action, Content, Context, Model, Ports, Relation, Secret, SecretChanges, Status};
use crate::report::{LogLine, Notice};

/// How important a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are Juju's own")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// The level of a name, in any case.
    pub fn named(name: &str) -> Option<Level> {
        Some(match name.to_uppercase().as_str() {
            "TRACE" => Level::Trace,
            "DEBUG" => Level::Debug,
            "INFO" => Level::Info,
            "WARNING" | "WARN" => Level::Warning,
            "ERROR" => Level::Error,
            "CRITICAL" => Level::Critical,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

/// What a hook changed that counts only if it succeeds. A part is a copy of the
/// model's, made at the first write; so reads within the hook see the writes.
#[derive(Debug, Default)]
struct Buffer {
    ports: Option<Ports>,
    state: Option<Map<String, Value>>,
    relations: Option<BTreeMap<u32, Relation>>,
    secrets: SecretChanges,
    storage: Vec<(String, u32)>,
    reboot: bool,
    /// Why Juju will not take the changes.
    refused: Option<String>,
}

/// A hook or action that runs: the model as the charm sees it meanwhile.
#[derive(Debug, Default)]
pub struct Hook {
    model: Model,
    buffer: Buffer,
    context: Context,
    notices: Vec<Notice>,
    /// The unit's status as it was first read.
    unit_status_read: Option<Status>,
    /// The application's, with the unit's at that time.
    app_status_read: Option<(Status, Status)>,
}

impl Hook {
    /// Starts a hook, or an action.
    pub fn new(model: Model, context: Context) -> Self {
        Hook {
            model,
            context,
            ..Hook::default()
        }
    }

    /// What is current in it.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The relations, with this hook's changes.
    pub fn relations(&self) -> &BTreeMap<u32, Relation> {
        self.buffer
            .relations
            .as_ref()
            .unwrap_or(&self.model.relations)
    }

    /// A relation, to change it when the hook succeeds.
    pub fn relation_mut(&mut self, id: u32) -> Option<&mut Relation> {
        let relations = &mut self.buffer.relations;
        relations
            .get_or_insert_with(|| self.model.relations.clone())
            .get_mut(&id)
    }

    /// The changes of secrets that this hook asks for, to add to them.
    pub fn secret_changes_mut(&mut self) -> &mut SecretChanges {
        &mut self.buffer.secrets
    }

    /// The secrets that this unit's agent knows as an owner, see
    /// [`SecretChanges::owned`].
    pub fn owned_secrets(&self) -> BTreeMap<String, Secret> {
        self.buffer.secrets.owned(&self.model)
    }

    /// The content that this hook set for a committed secret that the agent
    /// knows as an owner.
    pub fn pending_content(&self, id: &str) -> Option<&Content> {
        let content = self.buffer.secrets.content(id)?;
        self.owned_secrets().contains_key(id).then_some(content)
    }

    /// A secret: one that this hook made, or a committed one without this
    /// hook's changes.
    pub fn secret(&self, id: &str) -> Option<&Secret> {
        let made = self.buffer.secrets.made(id);
        made.or_else(|| self.model.secrets.get(id))
    }

    /// Changes how this unit reads a secret, at once.
    pub fn read_secret(&mut self, id: &str, change: impl FnOnce(&mut Secret)) {
        let made = self.buffer.secrets.made_mut(id);
        if let Some(secret) = made.or_else(|| self.model.secrets.get_mut(id)) {
            change(secret);
        }
    }

    /// The contents of all revisions of all secrets, committed or not.
    pub fn secret_contents(&self) -> impl Iterator<Item = &Content> {
        let committed = self.model.secrets.values();
        let committed = committed.flat_map(|secret| secret.revisions.values());
        committed.chain(self.buffer.secrets.contents())
    }

    /// Takes an id for a new secret, at once.
    pub fn new_secret_id(&mut self) -> String {
        self.model.secret_ids += 1;
        super::secret_id_of(self.model.secret_ids)
    }

    /// The leader's settings, to change them at once.
    pub fn leader_settings_mut(&mut self) -> &mut super::Databag {
        &mut self.model.leader_settings
    }

    /// Reads a file that an argument of a tool names: relative to the caller's
    /// directory, and in the charm's file system, also through links.
    pub fn read_file(&self, dir: &Path, file: &str) -> std::io::Result<Vec<u8>> {
        self.model.root.read(dir.join(file))
    }

    /// Writes such a file.
    pub fn write_file(&self, dir: &Path, file: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.model.root.write(dir.join(file), bytes)
    }

    /// Asks for storage when the hook succeeds.
    pub fn request_storage(&mut self, name: &str, count: u32) {
        self.buffer.storage.push((name.to_owned(), count));
    }

    /// Asks for a reboot when the hook succeeds.
    pub fn request_reboot(&mut self) {
        self.buffer.reboot = true;
    }

    /// Makes Juju refuse all changes in the end.
    pub fn refuse(&mut self, reason: String) {
        self.buffer.refused.get_or_insert(reason);
    }

    /// The model, without what is buffered.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The ports, with this hook's changes.
    pub fn ports(&self) -> &Ports {
        self.buffer.ports.as_ref().unwrap_or(&self.model.ports)
    }

    /// The ports, to change them when the hook succeeds.
    pub fn ports_mut(&mut self) -> &mut Ports {
        self.buffer
            .ports
            .get_or_insert_with(|| self.model.ports.clone())
    }

    /// The state kept with the controller, with this hook's changes.
    pub fn state(&self) -> &Map<String, Value> {
        self.buffer.state.as_ref().unwrap_or(&self.model.state)
    }

    /// The same state, to change it when the hook succeeds.
    pub fn state_mut(&mut self) -> &mut Map<String, Value> {
        self.buffer
            .state
            .get_or_insert_with(|| self.model.state.clone())
    }

    /// The running action, if it is one.
    pub fn action_mut(&mut self) -> Option<&mut Action> {
        match &mut self.context {
            Context::Action(action) => Some(action),
            _ => None,
        }
    }

    /// The unit's status. It is read once: what the hook sets afterwards is not
    /// seen (juju-hook-tools §3.3).
    pub fn read_unit_status(&mut self) -> &Status {
        let read = &mut self.unit_status_read;
        read.get_or_insert_with(|| self.model.unit_status.clone())
    }

    /// The statuses of the application and of the unit in it, also read once.
    pub fn read_app_status(&mut self) -> &(Status, Status) {
        let read = &mut self.app_status_read;
        let model = &self.model;
        read.get_or_insert_with(|| {
            let of_app = model.app_status.as_ref().unwrap_or(&model.unit_status);
            (of_app.clone(), model.unit_status.clone())
        })
    }

    /// Sets the unit's status, at once.
    pub fn set_unit_status(&mut self, status: Status) {
        self.model.unit_status = status.clone();
        self.model.status_was_set = true;
        self.notices.push(Notice::UnitStatus(status));
    }

    /// Sets the application's status, at once.
    pub fn set_app_status(&mut self, status: Status) {
        self.model.app_status = Some(status.clone());
        self.notices.push(Notice::AppStatus(status));
    }

    /// Sets the workload's version, at once.
    pub fn set_workload_version(&mut self, version: String) {
        self.model.workload_version = Some(version.clone());
        self.notices.push(Notice::WorkloadVersion(version));
    }

    /// Writes to the model's log, at once.
    pub fn log(&mut self, level: Level, message: impl Into<String>) {
        self.notices.push(Notice::Log(LogLine {
            level,
            message: message.into(),
        }));
    }

    /// Takes what happened since the last time.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Ends it: what is buffered becomes part of the model if it succeeded and
    /// Juju accepts it. The error is why Juju does not.
    pub fn end(self, succeeded: bool) -> (Model, Option<Action>, Result<(), String>) {
        let mut model = self.model;
        let accepted = match succeeded {
            true => self.buffer.check(&model),
            false => Ok(()),
        };
        if succeeded && accepted.is_ok() {
            self.buffer.apply(&mut model);
        }
        let action = match self.context {
            Context::Action(action) => Some(action),
            _ => None,
        };
        (model, action, accepted)
    }
}

/// How many bytes a charm may keep with the controller.
const MAX_STATE: usize = 2 * 1024 * 1024;

impl Buffer {
    /// Why Juju will not take it.
    fn check(&self, model: &Model) -> Result<(), String> {
        if let Some(reason) = &self.refused {
            return Err(reason.clone());
        }
        self.secrets.check(model)?;
        if let Some(ports) = &self.ports {
            check_ports(model, ports)?;
        }
        let size = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
        let size: usize = self.state.iter().flatten().map(size).sum();
        match size > MAX_STATE {
            true => Err(format!(
                "max allowed size ({MAX_STATE}): quota limit exceeded"
            )),
            false => Ok(()),
        }
    }

    fn apply(self, model: &mut Model) {
        if let Some(mut ports) = self.ports {
            ports.settle(&model.endpoints);
            model.ports = ports;
        }
        if let Some(state) = self.state {
            model.state = state;
        }
        if let Some(relations) = self.relations {
            model.relations = relations;
        }
        self.secrets.apply(model);
        model.storage_requests.extend(self.storage);
        model.reboot |= self.reboot;
    }
}

/// Kubernetes services have no ICMP; that is found out only when the changes
/// arrive there.
fn check_ports(model: &Model, ports: &Ports) -> Result<(), String> {
    let icmp = ports.ranges().any(|range| range.is_icmp());
    match model.kubernetes && icmp {
        true => Err("cannot open icmp: it is not supported for k8s applications".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::PortRange;
    use super::*;

    fn changed(kubernetes: bool, port: &str) -> Hook {
        let model = Model {
            kubernetes,
            ..Model::default()
        };
        let mut hook = Hook::new(model, Context::Plain);
        hook.set_unit_status(Status::new("blocked", "need db"));
        hook.set_workload_version("1.2".to_owned());
        let port = PortRange::parse(port).unwrap();
        hook.ports_mut().open(port, BTreeSet::new()).unwrap();
        hook.state_mut().insert("k".to_owned(), "v".into());
        hook
    }

    #[test]
    fn a_hook_reads_what_it_wrote_before_it_counts() {
        let hook = changed(false, "80");
        assert_eq!(hook.ports().listed(false), ["80/tcp"]);
        assert_eq!(hook.state().len(), 1);
        assert!(hook.model().ports.listed(false).is_empty());
    }

    #[test]
    fn a_hook_that_succeeds_is_applied_whole() {
        let (model, _, accepted) = changed(false, "80").end(true);
        assert_eq!(accepted, Ok(()));
        assert_eq!(model.ports.listed(false), ["80/tcp"]);
        assert_eq!(model.state.len(), 1);
    }

    #[test]
    fn of_a_hook_that_fails_only_the_immediate_is_kept() {
        let refused = changed(true, "icmp").end(true);
        assert!(refused.2.unwrap_err().starts_with("cannot open icmp"));
        for model in [changed(false, "80").end(false).0, refused.0] {
            assert!(model.ports.listed(false).is_empty());
            assert!(model.state.is_empty());
            assert_eq!(model.unit_status, Status::new("blocked", "need db"));
            assert_eq!(model.workload_version.as_deref(), Some("1.2"));
        }
    }
}
