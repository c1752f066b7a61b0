//! Events of relations, and the relations that they are about.

use charmhost_juju::Role;
use charmhost_sim_model::HookKind;

use super::{Resolver, UnusedKeys};
use crate::Error;
use crate::event::{Change, Event};
use crate::scenario::file::{REMOTE_APP, RelationRef, RelationSpec, StepSpec};

/// A relation as far as events are about it.
#[derive(Debug, Clone)]
pub(super) struct KnownRelation {
    pub endpoint: String,
    pub id: u32,
    pub app: String,
    pub units: Vec<String>,
}

impl Resolver<'_> {
    pub(super) fn relation(
        &mut self,
        endpoint: &str,
        what: &str,
        step: &StepSpec,
        unused: &mut UnusedKeys,
    ) -> Result<Event, Error> {
        unused.take("relation");
        let mut changes = Vec::new();
        let index = self.find_relation(endpoint, what, step, &mut changes)?;
        let Some(known) = self.relations.get_mut(index) else {
            return Err(self.reject(step, "the relation is gone"));
        };
        let about = about(known, what, step, unused, &self.app);
        let RelationStep {
            changes: happened,
            unit,
            departing_unit,
        } = about.map_err(|detail| self.reject(step, detail))?;
        changes.extend(happened);
        let Some(known) = self.relations.get(index) else {
            return Err(self.reject(step, "the relation is gone"));
        };
        let (id, app) = (known.id, Some(known.app.clone()));
        if what == "broken" {
            self.relations.remove(index);
        }
        Ok(Event {
            changes,
            kind: HookKind::Relation {
                what: what.to_owned(),
                endpoint: endpoint.to_owned(),
                id,
                app,
                unit,
                departing_unit,
            },
            ..Event::default()
        })
    }

    /// Where the relation of a step stands in the list; a new one is put there.
    fn find_relation(
        &mut self,
        endpoint: &str,
        what: &str,
        step: &StepSpec,
        changes: &mut Vec<Change>,
    ) -> Result<usize, Error> {
        let named = match &step.relation {
            Some(RelationRef::Id(id)) => Some(*id),
            _ => None,
        };
        let is_new = matches!(step.relation, Some(RelationRef::New(_)));
        let fits = |known: &KnownRelation| {
            known.endpoint == endpoint && named.is_none_or(|id| id == known.id)
        };
        let found: Vec<usize> = (0..self.relations.len())
            .filter(|index| self.relations.get(*index).is_some_and(fits))
            .collect();
        match found.as_slice() {
            [index] if !is_new => return Ok(*index),
            [_, _, ..] if !is_new => {
                let detail = format!("{endpoint} has several relations; say which: `relation: ID`");
                return Err(self.reject(step, detail));
            }
            _ => {}
        }
        let has_one = self.is_peer(endpoint) && !found.is_empty();
        if what != "created" || named.is_some() || has_one {
            let detail = match named {
                Some(id) => format!("{endpoint} has no relation {id}"),
                None if is_new => {
                    "only …-relation-created makes a new relation, and peers have one".to_owned()
                }
                None => format!(
                    "{endpoint} has no relation; make one with the event {endpoint}-relation-created, or in state.relations of a scenario"
                ),
            };
            return Err(self.reject(step, detail));
        }
        let spec = self.new_relation(endpoint, step)?;
        changes.push(Change::NewRelation(Box::new(spec)));
        Ok(self.relations.len() - 1)
    }

    /// Makes the relation of a step known, with an id and an application.
    fn new_relation(&mut self, endpoint: &str, step: &StepSpec) -> Result<RelationSpec, Error> {
        let mut spec = match &step.relation {
            Some(RelationRef::New(spec)) => spec.as_ref().clone(),
            _ => RelationSpec::default(),
        };
        spec.endpoint = endpoint.to_owned();
        let next = self.relations.iter().map(|known| known.id + 1).max();
        let id = *spec.id.get_or_insert(next.unwrap_or(1));
        if self.relations.iter().any(|known| known.id == id) {
            return Err(self.reject(step, format!("there is a relation {id} already")));
        }
        let remote = || REMOTE_APP.to_owned();
        let app = match self.is_peer(endpoint) {
            true => self.app.clone(),
            false => spec.remote_app_name.get_or_insert_with(remote).clone(),
        };
        self.add_relation(endpoint, id, &app, Vec::new());
        Ok(spec)
    }

    fn is_peer(&self, endpoint: &str) -> bool {
        let endpoint = self.metadata.relations.get(endpoint);
        endpoint.is_some_and(|endpoint| endpoint.role == Role::Peer)
    }
}

/// What an event is about within its relation, and what happened there before.
#[derive(Default)]
struct RelationStep {
    changes: Vec<Change>,
    unit: Option<String>,
    departing_unit: Option<String>,
}

fn about(
    known: &mut KnownRelation,
    what: &str,
    step: &StepSpec,
    unused: &mut UnusedKeys,
    own_app: &str,
) -> Result<RelationStep, &'static str> {
    let relation = known.id;
    let of_unit = |unit: &str| Change::RemoteUnit {
        relation,
        unit: unit.to_owned(),
        data: step.unit_data.clone(),
    };
    let mut about = RelationStep::default();
    match what {
        "joined" => {
            unused.take("unit");
            unused.take("unit_data");
            let first = u32::from(known.app == own_app);
            let default = || format!("{}/{first}", known.app);
            let name = step.unit.clone().unwrap_or_else(default);
            if !known.units.contains(&name) {
                known.units.push(name.clone());
            }
            about.changes.push(of_unit(&name));
            about.unit = Some(name);
        }
        "changed" => {
            unused.take("unit");
            unused.take("app_data");
            let data = step.app_data.clone();
            let change = data.map(|data| Change::RemoteApp { relation, data });
            about.changes.extend(change);
            if let Some(name) = &step.unit {
                unused.take("unit_data");
                about.changes.push(of_unit(name));
            }
            about.unit = step.unit.clone();
        }
        "departed" => {
            unused.take("unit");
            unused.take("departing_unit");
            let first = || known.units.first().cloned();
            let missing = "there is no unit to depart; name one: `unit: mysql/0`";
            let name = step.unit.clone().or_else(first).ok_or(missing)?;
            known.units.retain(|unit| *unit != name);
            about.changes.push(Change::RemoteUnitGone {
                relation,
                unit: name.clone(),
            });
            let departing = step.departing_unit.clone();
            about.departing_unit = Some(departing.unwrap_or_else(|| name.clone()));
            about.unit = Some(name);
        }
        "broken" => about.changes.push(Change::Breaking { relation }),
        _ => {}
    }
    Ok(about)
}
