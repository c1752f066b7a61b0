//! Which hook a unit's agent runs next (juju §1.4).

use super::Controller;
use super::relation::{Relation, RelationSide};
use super::secret::Owner;
use super::unit::{RelationProgress, Unit};
use super::unit_order;
use crate::hook_kind::{HookKind, WorkloadEvent};

impl Controller {
    /// The hook that a unit's agent runs next; none if it is idle, in error, or
    /// gone.
    pub fn next_hook(&self, name: &str) -> Option<HookKind> {
        let unit = self.units.get(name)?;
        let app = self.applications.get(&unit.app)?;
        let agent = &unit.agent;
        if agent.is_removed || agent.failed_hook.is_some() {
            return None;
        }
        if !agent.is_installed {
            let storage = self.storage(unit, "attached").filter(|_| !app.kubernetes);
            return Some(storage.unwrap_or_else(|| HookKind::unit("install")));
        }
        if agent.is_dying {
            return Some(self.next_of_dying(name, unit));
        }
        let idle = || {
            let not_started = (!agent.is_started).then(|| HookKind::unit("start"));
            not_started
                .or_else(|| ready(unit, &app.containers))
                .or_else(|| self.storage(unit, "attached"))
                .or_else(|| self.relation(name, unit))
        };
        let config = agent.config_version < app.config_version;
        let config = config.then(|| HookKind::unit("config-changed"));
        let next = self.created(unit).or_else(|| self.leadership(name, unit));
        let next = next.or_else(|| self.secret(name, unit));
        next.or(config).or_else(idle)
    }

    /// A unit that is removed detaches its storage, leaves its relations, and
    /// stops.
    fn next_of_dying(&self, name: &str, unit: &Unit) -> HookKind {
        let left = self.storage(unit, "detaching");
        let left = left.or_else(|| self.relation(name, unit));
        left.unwrap_or_else(|| match unit.agent.is_stopped {
            false => HookKind::unit("stop"),
            true => HookKind::unit("remove"),
        })
    }

    /// The relations of a unit's application: peer relations come last.
    fn relations_of<'a>(&'a self, unit: &'a Unit) -> Vec<&'a Relation> {
        let relations = self.relations.values();
        let relations = relations.filter(|relation| relation.side(&unit.app).is_some());
        let (peers, mut others): (Vec<_>, Vec<_>) = relations.partition(|one| one.is_peer());
        others.extend(peers);
        others
    }

    fn created(&self, unit: &Unit) -> Option<HookKind> {
        let mut relations = self.relations_of(unit).into_iter();
        let new = relations.find(|relation| {
            !relation.is_dying && !unit.agent.relations.contains_key(&relation.id)
        })?;
        about(new, unit, "created", None, None)
    }

    fn leadership(&self, name: &str, unit: &Unit) -> Option<HookKind> {
        let app = self.applications.get(&unit.app)?;
        let leads = app.leader.as_deref() == Some(name);
        let is_new = unit.agent.is_leader != Some(leads);
        let settings = unit.agent.leader_settings_version < app.leader_settings_version;
        match leads {
            true => is_new.then(|| HookKind::unit("leader-elected")),
            false if !self.is_before_juju_4() => None,
            false => (is_new || settings).then(|| HookKind::unit("leader-settings-changed")),
        }
    }

    fn secret(&self, name: &str, unit: &Unit) -> Option<HookKind> {
        let leads = |app: &str| {
            let app = self.applications.get(app);
            app.is_some_and(|app| app.leader.as_deref() == Some(name))
        };
        let hook = |what: &str, id: &str, label: &str, revision| HookKind::Secret {
            what: what.to_owned(),
            id: id.to_owned(),
            label: label.to_owned(),
            revision,
        };
        for (id, secret) in &self.secrets {
            let manages = match &secret.owner {
                Owner::App(app) => *app == unit.app && leads(app),
                Owner::Unit(owner) => owner == name,
            };
            if manages {
                if let Some(revision) = secret.removable() {
                    return Some(hook("remove", id, &secret.label, Some(revision)));
                }
                continue;
            }
            let Some(consumer) = secret.consumers.get(name) else {
                continue;
            };
            let is_new = consumer.reported.max(consumer.tracked) < secret.latest;
            if is_new && self.may_read(name, &unit.app, secret) {
                let label = consumer.label.as_deref().unwrap_or_default();
                return Some(hook("changed", id, label, None));
            }
        }
        None
    }

    fn storage(&self, unit: &Unit, what: &str) -> Option<HookKind> {
        let is_attached = |id: &&String| unit.agent.storages.contains(*id);
        let mut ids = unit.storages.keys();
        let id = match what {
            "attached" => ids.find(|id| !is_attached(id)),
            _ => ids.find(is_attached),
        };
        id.map(|id| HookKind::Storage {
            what: what.to_owned(),
            id: id.clone(),
        })
    }

    /// The next hook of a relation: those that leave before those that come, and
    /// the application's databag before those of units.
    fn relation(&self, name: &str, unit: &Unit) -> Option<HookKind> {
        self.relations_of(unit).into_iter().find_map(|relation| {
            let progress = unit.agent.relations.get(&relation.id)?;
            let remote = relation.remote_side(&unit.app)?;
            let ends = relation.is_dying || unit.agent.is_dying;
            let (what, other) = departure(progress, remote, ends).or_else(|| match ends {
                true => ending(relation, progress),
                false => arrival(name, progress, remote),
            })?;
            let departing = (what == "departed").then(|| match unit.agent.is_dying {
                true => name.to_owned(),
                false => other.clone().unwrap_or_default(),
            });
            about(relation, unit, what, other, departing)
        })
    }
}

type Step = (&'static str, Option<String>);

/// The first of the members that leaves.
fn departure(progress: &RelationProgress, remote: &RelationSide, ends: bool) -> Option<Step> {
    let has_left = |unit: &str| {
        let member = remote.members.get(unit);
        member.is_none_or(|member| member.has_left)
    };
    let members = progress.members.keys();
    let mut leaving: Vec<&String> = members.filter(|unit| ends || has_left(unit)).collect();
    leaving.sort_by(|a, b| unit_order(a).cmp(&unit_order(b)));
    let first = leaving.first()?;
    Some(("departed", Some((*first).clone())))
}

/// Peer relations are never broken.
fn ending(relation: &Relation, progress: &RelationProgress) -> Option<Step> {
    (!relation.is_peer() && !progress.is_broken).then_some(("broken", None))
}

fn arrival(name: &str, progress: &RelationProgress, remote: &RelationSide) -> Option<Step> {
    let mut members: Vec<_> = remote.members.iter().collect();
    members.retain(|(unit, member)| *unit != name && !member.has_left);
    members.sort_by(|(a, _), (b, _)| unit_order(a).cmp(&unit_order(b)));
    let seen = |unit: &str| progress.members.get(unit);
    let joined = members.iter().find(|(unit, _)| seen(unit) == Some(&None));
    if let Some((unit, _)) = joined {
        return Some(("changed", Some((*unit).clone())));
    }
    if progress.app_version < remote.app_data.version {
        return Some(("changed", None));
    }
    if let Some((unit, _)) = members.iter().find(|(unit, _)| seen(unit).is_none()) {
        return Some(("joined", Some((*unit).clone())));
    }
    let is_changed = |unit: &str, version: u64| match seen(unit) {
        Some(Some(seen)) => *seen < version,
        _ => false,
    };
    let mut members = members.into_iter();
    let changed = members.find(|(unit, member)| is_changed(unit, member.data.version));
    changed.map(|(unit, _)| ("changed", Some(unit.clone())))
}

fn ready(unit: &Unit, containers: &[String]) -> Option<HookKind> {
    let mut containers = containers.iter();
    let container = containers.find(|name| !unit.agent.containers.contains(*name))?;
    Some(HookKind::Workload {
        container: container.clone(),
        what: WorkloadEvent::Ready,
    })
}

fn about(
    relation: &Relation,
    unit: &Unit,
    what: &str,
    other: Option<String>,
    departing_unit: Option<String>,
) -> Option<HookKind> {
    Some(HookKind::Relation {
        what: what.to_owned(),
        endpoint: relation.side(&unit.app)?.endpoint.clone(),
        id: relation.id,
        app: Some(relation.remote_side(&unit.app)?.app.clone()),
        unit: other,
        departing_unit,
    })
}
