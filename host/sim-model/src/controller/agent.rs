//! What an agent's work changes in the controller, beside the changes of the
//! hook itself.

use super::Controller;
use super::relation::{Member, VersionedData};
use super::secret::Owner;
use super::unit::Unit;
use crate::hook_kind::{HookKind, WorkloadEvent};
use crate::status::Status;

impl Controller {
    /// Notes that a unit's agent is about to run a hook: from now on it has seen
    /// what the hook is about, and does not run it again.
    pub fn hook_starts(&mut self, name: &str, hook: &HookKind) {
        self.set_agent_status(name, hook);
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        let app = self.applications.get(&unit.app);
        match hook {
            HookKind::Unit(hook) => match (hook.as_str(), app) {
                ("config-changed", Some(app)) => unit.agent.config_version = app.config_version,
                ("leader-elected", _) => unit.agent.is_leader = Some(true),
                ("leader-settings-changed", Some(app)) => {
                    unit.agent.is_leader = Some(false);
                    unit.agent.leader_settings_version = app.leader_settings_version;
                }
                _ => {}
            },
            HookKind::Storage { what, id } if what == "attached" => {
                unit.agent.storages.insert(id.clone());
            }
            HookKind::Workload {
                container,
                what: WorkloadEvent::Ready,
            } => {
                unit.agent.containers.insert(container.clone());
            }
            HookKind::Relation { what, id, unit, .. } => {
                self.relation_hook_starts(name, *id, what, unit.as_deref());
            }
            HookKind::Secret {
                what, id, revision, ..
            } => self.secret_hook_starts(name, id, what, *revision),
            HookKind::Storage { .. } | HookKind::Workload { .. } | HookKind::Action { .. } => {}
        }
    }

    /// The status that the agent sets itself, before the charm can (juju §1.4).
    fn set_agent_status(&mut self, name: &str, hook: &HookKind) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        let message = match hook.hook_name().as_str() {
            "install" if !unit.status_was_set => "installing charm software",
            "stop" => "stopping charm software",
            "remove" => "cleaning up prior to charm deletion",
            _ => return,
        };
        unit.status = Status::new("maintenance", message);
    }

    fn relation_hook_starts(&mut self, name: &str, id: u32, what: &str, other: Option<&str>) {
        let (Some(relation), Some(unit)) = (self.relations.get_mut(&id), self.units.get_mut(name))
        else {
            return;
        };
        if what == "created"
            && let Some(side) = relation.side_mut(&unit.app)
        {
            // With this the unit enters the relation's scope.
            let data = unit.networks.relation_data();
            let member = || Member {
                data: VersionedData {
                    bag: data,
                    version: 1,
                },
                has_left: false,
            };
            side.members.entry(name.to_owned()).or_insert_with(member);
        }
        let progress = unit.agent.relations.entry(id).or_default();
        let Some(remote) = relation.remote_side(&unit.app) else {
            return;
        };
        match (what, other) {
            ("joined", Some(other)) => {
                progress.members.insert(other.to_owned(), None);
            }
            ("changed", Some(other)) => {
                let member = remote.members.get(other);
                let version = member.map(|member| member.data.version);
                progress
                    .members
                    .insert(other.to_owned(), version.or(Some(0)));
            }
            ("changed", None) => progress.app_version = remote.app_data.version,
            ("departed", Some(other)) => drop(progress.members.remove(other)),
            ("broken", _) => progress.is_broken = true,
            _ => {}
        }
    }

    fn secret_hook_starts(&mut self, name: &str, id: &str, what: &str, revision: Option<u32>) {
        let Some(secret) = self.secrets.get_mut(id) else {
            return;
        };
        let latest = secret.latest;
        match (what, revision) {
            ("changed", _) => {
                if let Some(consumer) = secret.consumers.get_mut(name) {
                    consumer.reported = latest;
                }
            }
            ("remove", Some(revision)) => drop(secret.removals_reported.insert(revision)),
            _ => {}
        }
    }

    /// Notes that a hook of a unit succeeded, and its changes are committed.
    pub fn hook_succeeded(&mut self, name: &str, hook: &HookKind) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        match hook {
            HookKind::Unit(hook) => match hook.as_str() {
                "install" => unit.agent.is_installed = true,
                "start" => {
                    unit.agent.is_started = true;
                    if !unit.status_was_set {
                        unit.status = Status::new("unknown", "");
                    }
                }
                "stop" => unit.agent.is_stopped = true,
                "remove" => self.unit_stopped(name),
                _ => {}
            },
            HookKind::Storage { what, id } if what == "detaching" => {
                unit.storages.remove(id);
                unit.agent.storages.remove(id);
            }
            HookKind::Relation { what, id, .. } if what == "broken" => {
                unit.agent.relations.remove(id);
                self.remove_unused_relation(*id);
            }
            _ => {}
        }
    }

    /// After `remove` the unit is gone, if the model removes it; the hook alone
    /// can also be run by itself.
    fn unit_stopped(&mut self, name: &str) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        unit.status = Status::new("terminated", "");
        if !unit.agent.is_dying {
            return;
        }
        unit.agent.is_removed = true;
        unit.agent.relations.clear();
        let app = unit.app.clone();
        self.secrets.retain(|_, secret| match &secret.owner {
            Owner::Unit(owner) => owner != name,
            Owner::App(_) => true,
        });
        for secret in self.secrets.values_mut() {
            secret.consumers.remove(name);
        }
        let successor = self.units_of(&app).into_iter().find(|other| {
            let unit = self.units.get(other);
            unit.is_some_and(|unit| !unit.agent.is_dying)
        });
        let is_empty = self.units_of(&app).is_empty();
        let Some(application) = self.applications.get_mut(&app) else {
            return;
        };
        if application.leader.as_deref() == Some(name) {
            application.leader = successor;
        }
        if application.is_dying && is_empty {
            self.application_is_gone(&app);
        }
    }

    fn application_is_gone(&mut self, app: &str) {
        self.applications.remove(app);
        self.secrets.retain(|_, secret| secret.owner_app() != app);
        self.relations
            .retain(|_, relation| !relation.is_peer() || relation.side(app).is_none());
    }

    /// Removes a dying relation that no agent has any more, with the grants in
    /// it.
    pub(super) fn remove_unused_relation(&mut self, id: u32) {
        let is_used = |unit: &Unit| unit.agent.relations.contains_key(&id);
        let dying = self.relations.get(&id).is_some_and(|one| one.is_dying);
        if !dying || self.units.values().any(is_used) {
            return;
        }
        self.relations.remove(&id);
        for secret in self.secrets.values_mut() {
            secret.grants.retain(|grant| grant.relation != id);
        }
    }

    /// Whether the agents are of Juju 3 or older.
    pub fn is_before_juju_4(&self) -> bool {
        let major = self.juju_version.split('.').next();
        major
            .and_then(|major| major.parse().ok())
            .is_some_and(|major: u32| major < 4)
    }
}
