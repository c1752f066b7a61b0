//! The lifecycle of a unit: its events in their order (juju §1.4).

use charmhost_juju::{Metadata, Role};
use charmhost_sim_model::{Actions, HookKind, WorkloadEvent};
use serde_json::Map;

use crate::event::{Change, Event};
use crate::scenario::file::RelationSpec;

/// What the events of a whole lifecycle depend on.
pub struct Lifecycle<'a> {
    pub metadata: &'a Metadata,
    pub actions: &'a Actions,
    pub unit: &'a str,
    pub leader: bool,
    /// Whether the agent is one of Juju 3 or older.
    pub before_juju_4: bool,
    /// The relations that will be made, each with its number.
    pub relations: &'a [RelationSpec],
    /// The ids of the storage instances, for example `data/0`.
    pub storages: &'a [String],
}

impl Lifecycle<'_> {
    /// From the installation to the removal, with an action in it if the charm
    /// has one that needs no parameters.
    pub fn events(&self) -> Vec<Event> {
        let kubernetes = !self.metadata.containers.is_empty();
        let attached = self.storages.iter().map(|id| storage("attached", id));
        let (early, late): (Vec<_>, Vec<_>) = attached.partition(|_| !kubernetes);
        let mut events = early;
        events.push(Event::hook("install"));
        let (peers, others): (Vec<_>, Vec<_>) = self
            .relations
            .iter()
            .partition(|relation| self.is_peer(relation));
        let relations: Vec<&RelationSpec> = others.into_iter().chain(peers).collect();
        events.extend(relations.iter().map(|relation| self.created(relation)));
        events.extend(match (self.leader, self.before_juju_4) {
            (true, _) => Some(Event::hook("leader-elected")),
            (false, true) => Some(Event::hook("leader-settings-changed")),
            (false, false) => None,
        });
        events.extend(["config-changed", "start"].map(Event::hook));
        events.extend(self.metadata.containers.keys().map(|name| ready(name)));
        events.extend(late);
        for relation in &relations {
            events.extend(self.joined(relation));
        }
        events.push(Event::hook("update-status"));
        events.extend(self.actions.names().find_map(|name| {
            let params = self.actions.prepare(name, Map::new()).ok()?;
            let name = name.to_owned();
            Some(Event {
                kind: HookKind::Action { name, params },
                ..Event::default()
            })
        }));
        events.extend(self.storages.iter().map(|id| storage("detaching", id)));
        for relation in &relations {
            events.extend(self.left(relation));
        }
        events.extend(["stop", "remove"].map(Event::hook));
        events
    }

    fn is_peer(&self, relation: &RelationSpec) -> bool {
        let endpoint = self.metadata.relations.get(&relation.endpoint);
        endpoint.is_some_and(|endpoint| endpoint.role == Role::Peer)
    }

    /// The relation is made, and nobody has joined yet.
    fn created(&self, relation: &RelationSpec) -> Event {
        let empty = RelationSpec {
            remote_units_data: Default::default(),
            peers_data: Default::default(),
            remote_unit_data: Default::default(),
            ..relation.clone()
        };
        let event = self.about(relation, "created", None);
        event.after(Change::NewRelation(Box::new(empty)))
    }

    /// Each remote unit joins, and writes its databag.
    fn joined(&self, relation: &RelationSpec) -> Vec<Event> {
        let id = relation.id.unwrap_or_default();
        let app = self.remote_app(relation);
        let mut events = Vec::new();
        for (number, data) in relation.remote_units() {
            let unit = format!("{app}/{number}");
            let change = Change::RemoteUnit {
                relation: id,
                unit: unit.clone(),
                data: Some(data.clone()),
            };
            events.push(self.about(relation, "joined", Some(&unit)).after(change));
            events.push(self.about(relation, "changed", Some(&unit)));
        }
        events
    }

    /// The unit goes: it leaves everybody, and then the relation, but for one
    /// among peers.
    fn left(&self, relation: &RelationSpec) -> Vec<Event> {
        let id = relation.id.unwrap_or_default();
        let app = self.remote_app(relation);
        let mut events = Vec::new();
        for (number, _) in relation.remote_units() {
            let unit = format!("{app}/{number}");
            let mut event = self.about(relation, "departed", Some(&unit));
            if let HookKind::Relation { departing_unit, .. } = &mut event.kind {
                *departing_unit = Some(self.unit.to_owned());
            }
            let change = Change::RemoteUnitGone { relation: id, unit };
            events.push(event.after(change));
        }
        if !self.is_peer(relation) {
            let event = self.about(relation, "broken", None);
            events.push(event.after(Change::Breaking { relation: id }));
        }
        events
    }

    fn remote_app(&self, relation: &RelationSpec) -> String {
        let own = || self.unit.split('/').next().unwrap_or_default().to_owned();
        match self.is_peer(relation) {
            true => own(),
            false => relation.remote_app_name.clone().unwrap_or_default(),
        }
    }

    fn about(&self, relation: &RelationSpec, what: &str, unit: Option<&str>) -> Event {
        Event {
            kind: HookKind::Relation {
                what: what.to_owned(),
                endpoint: relation.endpoint.clone(),
                id: relation.id.unwrap_or_default(),
                app: Some(self.remote_app(relation)),
                unit: unit.map(str::to_owned),
                departing_unit: None,
            },
            ..Event::default()
        }
    }
}

fn storage(what: &str, id: &str) -> Event {
    let event = Event {
        kind: HookKind::Storage {
            what: what.to_owned(),
            id: id.to_owned(),
        },
        ..Event::default()
    };
    match what {
        "attached" => event.after(Change::Storage { id: id.to_owned() }),
        _ => event,
    }
}

fn ready(container: &str) -> Event {
    let event = Event {
        kind: HookKind::Workload {
            container: container.to_owned(),
            what: WorkloadEvent::Ready,
        },
        ..Event::default()
    };
    event.after(Change::StartContainer {
        name: container.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn names(dir: &Path, leader: bool, before_juju_4: bool) -> String {
        let metadata = Metadata::load(dir).unwrap();
        let actions = crate::charm_files::read_actions(dir).unwrap();
        let relation = |endpoint: &str, id, app: Option<&str>| RelationSpec {
            endpoint: endpoint.to_owned(),
            id: Some(id),
            remote_app_name: app.map(str::to_owned),
            remote_units_data: app
                .map(|_| ("0".to_owned(), Default::default()))
                .into_iter()
                .collect(),
            ..RelationSpec::default()
        };
        let lifecycle = Lifecycle {
            metadata: &metadata,
            actions: &actions,
            unit: "x/0",
            leader,
            before_juju_4,
            relations: &[relation("ring", 1, None), relation("db", 2, Some("pg"))],
            storages: &["data/0".to_owned()],
        };
        let names = lifecycle
            .events()
            .iter()
            .map(Event::name)
            .collect::<Vec<_>>();
        names.join(" ")
    }

    #[test]
    fn a_lifecycle_has_its_events_in_the_order_of_juju() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let parts = "name: x\nrequires: {db: {interface: pg}}\npeers: {ring: {interface: r}}\nstorage: {data: {type: filesystem}}\n";
        file("metadata.yaml", parts);
        file(
            "actions.yaml",
            "backup:\n  params: {count: {type: integer}}\n  required: [count]\nnoop: {}\n",
        );
        assert_eq!(
            names(dir.path(), true, true),
            "data-storage-attached install db-relation-created ring-relation-created leader-elected config-changed start db-relation-joined db-relation-changed update-status noop-action data-storage-detaching db-relation-departed db-relation-broken stop remove"
        );
        file("metadata.yaml", &format!("{parts}containers: {{app: }}\n"));
        assert_eq!(
            names(dir.path(), false, true),
            "install db-relation-created ring-relation-created leader-settings-changed config-changed start app-pebble-ready data-storage-attached db-relation-joined db-relation-changed update-status noop-action data-storage-detaching db-relation-departed db-relation-broken stop remove"
        );
        assert!(!names(dir.path(), false, false).contains("leader"));
    }
}
