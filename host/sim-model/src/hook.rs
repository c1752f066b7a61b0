//! The transaction of one hook or action: what is immediate and what is buffered
//! until it succeeds (juju §4).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use charmhost_hook_tools::Level;
use serde_json::{Map, Value};

use crate::action::Action;
use crate::databag::Databag;
use crate::hook_context::HookContext;
use crate::log::LogLine;
use crate::ports::Ports;
use crate::relation_view::RelationView;
use crate::secret_changes::SecretChanges;
use crate::secret_view::{Content, SecretView, secret_id_of};
use crate::status::Status;
use crate::unit_host::{NoHost, UnitHost};
use crate::unit_view::UnitView;

/// Something that a hook did at once, whether it succeeds or not (juju §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEvent {
    /// It logged a message.
    Log(LogLine),
    /// It set the unit's status.
    UnitStatus(Status),
    /// It set the application's status.
    AppStatus(Status),
    /// It set the workload's version.
    WorkloadVersion(String),
}

/// The changes of a hook that are committed only if it succeeds. A part is a copy
/// of the view's, made at the first write: reads of the hook see its writes.
#[derive(Debug, Default)]
struct Buffer {
    ports: Option<Ports>,
    state: Option<Map<String, Value>>,
    relations: Option<BTreeMap<u32, RelationView>>,
    secrets: SecretChanges,
    storage: Vec<(String, u32)>,
    reboot: bool,
    /// Why the controller rejects the changes.
    rejected: Option<String>,
}

/// The transaction of one hook or action: the view of its unit, and the changes
/// that are not committed yet.
pub struct Hook {
    view: UnitView,
    buffer: Buffer,
    context: HookContext,
    host: Box<dyn UnitHost>,
    events: Vec<HookEvent>,
    /// The unit's status as it was first read.
    unit_status_read: Option<Status>,
    /// The application's, with the unit's at that time.
    app_status_read: Option<(Status, Status)>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("unit", &self.view.unit)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Hook {
    /// Begins a hook or an action on a machine without files.
    pub fn new(view: UnitView, context: HookContext) -> Self {
        Hook {
            view,
            buffer: Buffer::default(),
            context,
            host: Box::new(NoHost),
            events: Vec::new(),
            unit_status_read: None,
            app_status_read: None,
        }
    }

    /// The same on the machine of a unit.
    pub fn with_host(self, host: Box<dyn UnitHost>) -> Self {
        Hook { host, ..self }
    }

    /// The relation, storage or action that the hook is about.
    pub fn context(&self) -> &HookContext {
        &self.context
    }

    /// The relations, with this hook's changes.
    pub fn relations(&self) -> &BTreeMap<u32, RelationView> {
        self.buffer
            .relations
            .as_ref()
            .unwrap_or(&self.view.relations)
    }

    /// A relation, to change it when the hook succeeds.
    pub fn relation_mut(&mut self, id: u32) -> Option<&mut RelationView> {
        let relations = &mut self.buffer.relations;
        relations
            .get_or_insert_with(|| self.view.relations.clone())
            .get_mut(&id)
    }

    /// The changes of secrets that this hook asks for, to add to them.
    pub fn secret_changes_mut(&mut self) -> &mut SecretChanges {
        &mut self.buffer.secrets
    }

    /// The secrets that this unit's agent knows as an owner, see
    /// [`SecretChanges::owned`].
    pub fn owned_secrets(&self) -> BTreeMap<String, SecretView> {
        self.buffer.secrets.owned(&self.view)
    }

    /// The content that this hook set for a committed secret that the agent
    /// knows as an owner.
    pub fn pending_content(&self, id: &str) -> Option<&Content> {
        let content = self.buffer.secrets.content(id)?;
        self.owned_secrets().contains_key(id).then_some(content)
    }

    /// A secret: one that this hook made, or a committed one without this
    /// hook's changes.
    pub fn secret(&self, id: &str) -> Option<&SecretView> {
        let made = self.buffer.secrets.made(id);
        made.or_else(|| self.view.secrets.get(id))
    }

    /// Changes how this unit reads a secret, at once.
    pub fn read_secret(&mut self, id: &str, change: impl FnOnce(&mut SecretView)) {
        let made = self.buffer.secrets.made_mut(id);
        if let Some(secret) = made.or_else(|| self.view.secrets.get_mut(id)) {
            change(secret);
        }
    }

    /// The contents of all revisions of all secrets, committed or not.
    pub fn secret_contents(&self) -> impl Iterator<Item = &Content> {
        let committed = self.view.secrets.values();
        let committed = committed.flat_map(|secret| secret.revisions.values());
        committed.chain(self.buffer.secrets.contents())
    }

    /// Takes an id for a new secret, at once.
    pub fn new_secret_id(&mut self) -> String {
        self.view.secret_ids += 1;
        secret_id_of(self.view.secret_ids)
    }

    /// The leader's settings, to change them at once.
    pub fn leader_settings_mut(&mut self) -> &mut Databag {
        &mut self.view.leader_settings
    }

    /// Reads a file that an argument of a tool names: relative to the caller's
    /// directory, and in the charm's file system, also through links.
    pub fn read_file(&self, dir: &Path, file: &str) -> std::io::Result<Vec<u8>> {
        self.host.read(&dir.join(file))
    }

    /// Writes such a file.
    pub fn write_file(&self, dir: &Path, file: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.host.write(&dir.join(file), bytes)
    }

    /// The present time on the unit's machine.
    pub fn now(&self) -> SystemTime {
        self.host.now()
    }

    /// Asks for storage when the hook succeeds.
    pub fn request_storage(&mut self, name: &str, count: u32) {
        self.buffer.storage.push((name.to_owned(), count));
    }

    /// Asks for a reboot when the hook succeeds.
    pub fn request_reboot(&mut self) {
        self.buffer.reboot = true;
    }

    /// Makes the controller reject all changes when the hook has succeeded.
    pub fn reject(&mut self, reason: String) {
        self.buffer.rejected.get_or_insert(reason);
    }

    /// The view of the unit, without buffered changes.
    pub fn view(&self) -> &UnitView {
        &self.view
    }

    /// The ports, with this hook's changes.
    pub fn ports(&self) -> &Ports {
        self.buffer.ports.as_ref().unwrap_or(&self.view.ports)
    }

    /// The ports, to change them when the hook succeeds.
    pub fn ports_mut(&mut self) -> &mut Ports {
        self.buffer
            .ports
            .get_or_insert_with(|| self.view.ports.clone())
    }

    /// The charm's state in the controller, with this hook's changes.
    pub fn state(&self) -> &Map<String, Value> {
        self.buffer.state.as_ref().unwrap_or(&self.view.state)
    }

    /// The same state, to change it when the hook succeeds.
    pub fn state_mut(&mut self) -> &mut Map<String, Value> {
        self.buffer
            .state
            .get_or_insert_with(|| self.view.state.clone())
    }

    /// The running action, if it is one.
    pub fn action_mut(&mut self) -> Option<&mut Action> {
        match &mut self.context {
            HookContext::Action(action) => Some(action),
            _ => None,
        }
    }

    /// The unit's status. It is read once: what the hook sets afterwards is not
    /// seen (juju-hook-tools §3.3).
    pub fn read_unit_status(&mut self) -> &Status {
        let read = &mut self.unit_status_read;
        read.get_or_insert_with(|| self.view.unit_status.clone())
    }

    /// The statuses of the application and of the unit in it, also read once.
    pub fn read_app_status(&mut self) -> &(Status, Status) {
        let read = &mut self.app_status_read;
        let view = &self.view;
        read.get_or_insert_with(|| {
            let own = view.unit_status.clone();
            let others = view.other_units.values().cloned();
            let derived = || Status::derived(others.chain([own.clone()]));
            (view.app_status.clone().unwrap_or_else(derived), own)
        })
    }

    /// Sets the unit's status, at once.
    pub fn set_unit_status(&mut self, status: Status) {
        self.view.unit_status = status.clone();
        self.view.status_was_set = true;
        self.events.push(HookEvent::UnitStatus(status));
    }

    /// Sets the application's status, at once.
    pub fn set_app_status(&mut self, status: Status) {
        self.view.app_status = Some(status.clone());
        self.events.push(HookEvent::AppStatus(status));
    }

    /// Sets the workload's version, at once.
    pub fn set_workload_version(&mut self, version: String) {
        self.view.workload_version = Some(version.clone());
        self.events.push(HookEvent::WorkloadVersion(version));
    }

    /// Writes to the model's log, at once.
    pub fn log(&mut self, level: Level, message: impl Into<String>) {
        self.events.push(HookEvent::Log(LogLine {
            level,
            message: message.into(),
        }));
    }

    /// Returns what happened since the last call.
    pub fn take_events(&mut self) -> Vec<HookEvent> {
        std::mem::take(&mut self.events)
    }

    /// Ends the hook: buffered changes are committed if it succeeded and the
    /// controller accepts them (juju §4). The error is why it does not.
    pub fn end(self, succeeded: bool) -> (UnitView, Option<Action>, Result<(), String>) {
        let mut view = self.view;
        let accepted = match succeeded {
            true => self.buffer.check(&view),
            false => Ok(()),
        };
        if succeeded && accepted.is_ok() {
            self.buffer.apply(&mut view);
        }
        let action = match self.context {
            HookContext::Action(action) => Some(action),
            _ => None,
        };
        (view, action, accepted)
    }
}

/// The limit of a charm's state in the controller, in bytes (juju §3.3).
const MAX_STATE: usize = 2 * 1024 * 1024;

impl Buffer {
    /// The reason why the controller rejects it.
    fn check(&self, view: &UnitView) -> Result<(), String> {
        if let Some(reason) = &self.rejected {
            return Err(reason.clone());
        }
        self.secrets.check(view)?;
        if let Some(ports) = &self.ports {
            check_ports(view, ports)?;
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

    fn apply(self, view: &mut UnitView) {
        if let Some(mut ports) = self.ports {
            ports.settle(&view.endpoints);
            view.ports = ports;
        }
        if let Some(state) = self.state {
            view.state = state;
        }
        if let Some(relations) = self.relations {
            view.relations = relations;
        }
        self.secrets.apply(view);
        view.storage_requests.extend(self.storage);
        view.reboot |= self.reboot;
    }
}

/// Kubernetes services have no ICMP; that is found out only when the changes
/// arrive there.
fn check_ports(view: &UnitView, ports: &Ports) -> Result<(), String> {
    let icmp = ports.ranges().any(|range| range.is_icmp());
    match view.kubernetes && icmp {
        true => Err("cannot open icmp: it is not supported for k8s applications".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ports::PortRange;

    fn changed(kubernetes: bool, port: &str) -> Hook {
        let view = UnitView {
            kubernetes,
            ..UnitView::default()
        };
        let mut hook = Hook::new(view, HookContext::Plain);
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
        assert!(hook.view().ports.listed(false).is_empty());
    }

    #[test]
    fn a_hook_that_succeeds_is_committed_whole() {
        let (view, _, accepted) = changed(false, "80").end(true);
        assert_eq!(accepted, Ok(()));
        assert_eq!(view.ports.listed(false), ["80/tcp"]);
        assert_eq!(view.state.len(), 1);
    }

    #[test]
    fn a_failed_hook_applies_only_immediate_changes() {
        let rejected = changed(true, "icmp").end(true);
        assert!(rejected.2.unwrap_err().starts_with("cannot open icmp"));
        for view in [changed(false, "80").end(false).0, rejected.0] {
            assert!(view.ports.listed(false).is_empty());
            assert!(view.state.is_empty());
            assert_eq!(view.unit_status, Status::new("blocked", "need db"));
            assert_eq!(view.workload_version.as_deref(), Some("1.2"));
        }
    }
}
