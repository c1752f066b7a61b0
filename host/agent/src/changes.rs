//! What happens in the world between two events.

use charmhost_juju::Metadata;

use crate::Error;
use crate::event::{Change, Event, Kind, Workload};
use crate::model::{Content, Context, Model, update};
use crate::scenario::build;
use crate::unit::Unit;

impl Unit {
    /// Lets happen what an event says happened before it.
    pub fn change(&mut self, event: &mut Event) -> Result<(), Error> {
        for change in std::mem::take(&mut event.changes) {
            match change {
                Change::StartContainer { name } => self.containers.start(&name, &self.place)?,
                Change::RestartContainer { name } => {
                    self.containers.restart(&name, &self.place)?;
                }
                Change::NewPod => self.containers.stop_all(),
                Change::Notify {
                    container,
                    key,
                    data,
                } => {
                    self.containers.start(&container, &self.place)?;
                    let made = self.containers.notify(&container, &key, &data)?;
                    if let Kind::Workload {
                        what: Workload::CustomNotice { id, .. },
                        ..
                    } = &mut event.kind
                    {
                        *id = Some(made);
                    }
                }
                Change::Storage { id } => {
                    let storage = build::storage(&id, &self.metadata, &self.dirs)?;
                    self.model.storages.entry(id).or_insert(storage);
                }
                change => change_model(&mut self.model, &self.metadata, change)?,
            }
        }
        Ok(())
    }

    /// What an event ends when it was handled.
    pub fn settle(&mut self, event: &Event) {
        match &event.kind {
            Kind::Relation { what, id, .. } if what == "broken" => {
                self.model.relations.remove(id);
            }
            Kind::Storage { what, id } if what == "detaching" => {
                self.model.storages.remove(id);
            }
            _ => {}
        }
    }
}

fn change_model(model: &mut Model, metadata: &Metadata, change: Change) -> Result<(), Error> {
    match change {
        Change::Config(config) => {
            for (name, value) in &config {
                model.config.set(name, &build::typed(value))?;
            }
        }
        Change::Leader(leader) => model.leader = leader,
        Change::Resolved => model.failed_hook = None,
        Change::NewRelation(spec) => {
            let relation = build::relation(&spec, model, metadata);
            model.relations.insert(relation.id, relation);
        }
        Change::RemoteUnit {
            relation,
            unit,
            data,
        } => {
            if let Some(relation) = model.relations.get_mut(&relation) {
                let bag = relation.remote_units_data.entry(unit).or_default();
                update(bag, data.iter().flat_map(build::plain));
            }
        }
        Change::RemoteApp { relation, data } => {
            if let Some(relation) = model.relations.get_mut(&relation) {
                // Among peers the application is one and the same.
                let bag = match relation.peer {
                    true => &mut relation.local_app_data,
                    false => &mut relation.remote_app_data,
                };
                update(bag, build::plain(&data));
            }
        }
        Change::RemoteUnitGone { relation, unit } => {
            if let Some(relation) = model.relations.get_mut(&relation) {
                relation.remote_units_data.remove(&unit);
            }
        }
        Change::Breaking { relation } => {
            if let Some(relation) = model.relations.get_mut(&relation) {
                relation.broken = true;
            }
        }
        Change::SecretRevision { secret, content } => {
            if let Some(secret) = model.secrets.get_mut(&secret) {
                secret.add_revision(Content::text(build::plain(&content)));
            }
        }
        Change::StartContainer { .. }
        | Change::RestartContainer { .. }
        | Change::NewPod
        | Change::Notify { .. }
        | Change::Storage { .. } => {}
    }
    Ok(())
}

/// What is current in the hook of an event.
pub fn context(event: &Event, action: impl FnOnce() -> Option<crate::model::Action>) -> Context {
    match &event.kind {
        Kind::Relation { id, app, unit, .. } => Context::Relation {
            id: *id,
            remote_app: app.clone(),
            remote_unit: unit.clone(),
        },
        Kind::Storage { id, .. } => Context::Storage(id.clone()),
        Kind::Action { .. } => action().map_or(Context::Plain, Context::Action),
        _ => Context::Plain,
    }
}
