//! The controller: the model's applications, units, relations and secrets.

mod agent;
mod application;
mod commit;
mod next_hook;
mod relation;
mod secret;
#[cfg(test)]
mod tests;
mod unit;
mod view;

use std::collections::BTreeMap;

pub use application::{Application, Endpoint, Role};
pub use relation::{Member, Relation, RelationSide, VersionedData};
pub use secret::{Consumer, Owner, Secret};
pub use unit::{AgentState, RelationProgress, Unit};

use crate::error::Error;
use crate::network::Networks;
use crate::status::Status;

/// A model with any number of applications and units.
#[derive(Debug, Clone, Default)]
pub struct Controller {
    /// The model's name.
    pub model_name: String,
    /// The model's UUID.
    pub model_uuid: String,
    /// The version of Juju.
    pub juju_version: String,
    /// The applications by name.
    pub applications: BTreeMap<String, Application>,
    /// The units that have an agent, by name.
    pub units: BTreeMap<String, Unit>,
    /// The relations by id.
    pub relations: BTreeMap<u32, Relation>,
    /// The secrets by id.
    pub secrets: BTreeMap<String, Secret>,
    /// How many ids of secrets were given out.
    pub secret_ids: u64,
    /// The highest id of a relation that was given out.
    pub relation_ids: u32,
}

/// The application and the number of a unit's name, to order units by.
pub fn unit_order(unit: &str) -> (&str, u32) {
    let (app, number) = unit.split_once('/').unwrap_or((unit, "0"));
    (app, number.parse().unwrap_or_default())
}

impl Controller {
    /// Deploys an application without units, with its peer relations.
    ///
    /// # Errors
    ///
    /// Another application has the name.
    pub fn deploy(&mut self, name: &str, app: Application) -> Result<(), Error> {
        if self.applications.contains_key(name) {
            return Err(Error::Model(format!("there are two applications {name:?}")));
        }
        let peers = app
            .endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.role == Role::Peer);
        for (endpoint, Endpoint { interface, .. }) in peers {
            let id = self.next_relation();
            let relation = Relation {
                id,
                interface: interface.clone(),
                sides: vec![side(name, endpoint)],
                ..Relation::default()
            };
            self.relations.insert(id, relation);
        }
        self.applications.insert(name.to_owned(), app);
        Ok(())
    }

    /// Adds a unit to an application, and returns its name. The first one leads.
    ///
    /// # Errors
    ///
    /// There is no such application.
    pub fn add_unit(&mut self, app: &str) -> Result<String, Error> {
        // Each unit has an address of its own.
        let host = u8::try_from(self.units.len() % 200).unwrap_or_default() + 7;
        let application = self.application_mut(app)?;
        let name = format!("{app}/{}", application.next_unit);
        application.next_unit += 1;
        if application.leader.is_none() {
            application.leader = Some(name.clone());
        }
        let networks = Networks::with_address(application.kubernetes, host);
        self.units.insert(name.clone(), Unit::new(app, networks));
        Ok(name)
    }

    /// Relates two endpoints, and returns the relation's id.
    ///
    /// # Errors
    ///
    /// An application or endpoint does not exist, or the two do not fit.
    pub fn relate(&mut self, [first, second]: [(&str, &str); 2]) -> Result<u32, Error> {
        let (one, other) = (self.endpoint(first)?, self.endpoint(second)?);
        let shown = format!("{}:{} and {}:{}", first.0, first.1, second.0, second.1);
        if one.interface != other.interface {
            return Err(Error::Model(format!(
                "cannot relate {shown}: their interfaces are {} and {}",
                one.interface, other.interface
            )));
        }
        if one.role == other.role {
            return Err(Error::Model(format!(
                "cannot relate {shown}: one of them must require what the other one provides"
            )));
        }
        if first.0 == second.0 {
            return Err(Error::Model(format!(
                "cannot relate {shown}: they belong to the same application"
            )));
        }
        let has_both = |relation: &Relation| {
            let has = |(app, endpoint): (&str, &str)| {
                let side = relation.side(app);
                side.is_some_and(|side| side.endpoint == endpoint)
            };
            has(first) && has(second)
        };
        if self.relations.values().any(has_both) {
            return Err(Error::Model(format!(
                "cannot relate {shown}: they are related already"
            )));
        }
        let interface = one.interface.clone();
        let id = self.next_relation();
        let relation = Relation {
            id,
            interface,
            sides: vec![side(first.0, first.1), side(second.0, second.1)],
            ..Relation::default()
        };
        self.relations.insert(id, relation);
        Ok(id)
    }

    /// Begins to remove the relation of two endpoints.
    ///
    /// # Errors
    ///
    /// They have no relation.
    pub fn remove_relation(&mut self, ends: [(&str, &str); 2]) -> Result<(), Error> {
        let has = |relation: &Relation, (app, endpoint): (&str, &str)| {
            let side = relation.side(app);
            side.is_some_and(|side| side.endpoint == endpoint)
        };
        let mut relations = self.relations.values_mut();
        let found = relations.find(|relation| ends.iter().all(|end| has(relation, *end)));
        let [first, second] = ends;
        let relation = found.ok_or_else(|| {
            Error::Model(format!(
                "there is no relation of {}:{} and {}:{}",
                first.0, first.1, second.0, second.1
            ))
        })?;
        relation.is_dying = true;
        let id = relation.id;
        self.remove_unused_relation(id);
        Ok(())
    }

    /// Begins to remove an application with its relations and units.
    ///
    /// # Errors
    ///
    /// There is no such application.
    pub fn remove_application(&mut self, name: &str) -> Result<(), Error> {
        self.application_mut(name)?.is_dying = true;
        let relations = self.relations.values_mut();
        for relation in relations.filter(|one| !one.is_peer() && one.side(name).is_some()) {
            relation.is_dying = true;
        }
        let units = self.units_of(name);
        units.iter().try_for_each(|unit| self.remove_unit(unit))
    }

    /// Begins to remove a unit: it leaves the scope of its relations.
    ///
    /// # Errors
    ///
    /// There is no such unit.
    pub fn remove_unit(&mut self, name: &str) -> Result<(), Error> {
        let unit = self.unit_mut(name)?;
        unit.agent.is_dying = true;
        for relation in self.relations.values_mut() {
            let sides = relation.sides.iter_mut();
            for member in sides.filter_map(|side| side.members.get_mut(name)) {
                member.has_left = true;
            }
        }
        Ok(())
    }

    /// Gives the leadership of its application to a unit.
    ///
    /// # Errors
    ///
    /// There is no such unit, or it is being removed.
    pub fn set_leader(&mut self, name: &str) -> Result<(), Error> {
        let unit = self.unit_mut(name)?;
        if unit.agent.is_dying {
            return Err(Error::Model(format!(
                "{name} cannot lead: it is being removed"
            )));
        }
        let app = unit.app.clone();
        let former = self.application_mut(&app)?.leader.replace(name.to_owned());
        // From Juju 4 on no hook follows from a lost leadership (juju §1.4).
        let is_silent = !self.is_before_juju_4();
        let former = former.filter(|former| is_silent && former != name);
        if let Some(former) = former.and_then(|former| self.units.get_mut(&former)) {
            former.agent.is_leader = Some(false);
        }
        Ok(())
    }

    /// Sets options of an application.
    ///
    /// # Errors
    ///
    /// There is no such application or option, or it cannot have the value.
    pub fn configure<'a>(
        &mut self,
        app: &str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        let application = self.application_mut(app)?;
        for (name, value) in options {
            application.config.set(name, value)?;
        }
        application.config_version += 1;
        Ok(())
    }

    /// The units of an application that are not gone, in their order.
    pub fn units_of(&self, app: &str) -> Vec<String> {
        let units = self.units.iter();
        let units = units.filter(|(_, unit)| unit.app == app && !unit.agent.is_removed);
        let mut names: Vec<String> = units.map(|(name, _)| name.clone()).collect();
        names.sort_by_key(|name| unit_order(name).1);
        names
    }

    /// The status that an operator sees of an application: the leader's, or the
    /// one of its units that needs most attention.
    pub fn shown_app_status(&self, app: &str) -> Status {
        let set = self
            .applications
            .get(app)
            .and_then(|app| app.status.clone());
        let of_units = || {
            let units = self.units_of(app);
            let statuses = units.iter().filter_map(|unit| self.units.get(unit));
            Status::derived(statuses.map(Unit::shown_status))
        };
        set.unwrap_or_else(of_units)
    }

    /// The application of a name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn application_mut(&mut self, name: &str) -> Result<&mut Application, Error> {
        let known = self.names_of_applications();
        let missing = || {
            Error::Model(format!(
                "there is no application {name:?}; there are {known}"
            ))
        };
        self.applications.get_mut(name).ok_or_else(missing)
    }

    /// The unit of a name.
    ///
    /// # Errors
    ///
    /// There is none, or it is gone.
    pub fn unit_mut(&mut self, name: &str) -> Result<&mut Unit, Error> {
        let units = self.units.iter().filter(|(_, unit)| !unit.agent.is_removed);
        let known: Vec<&str> = units.map(|(name, _)| name.as_str()).collect();
        let missing = Error::Model(format!(
            "there is no unit {name:?}; there are {}",
            known.join(", ")
        ));
        let unit = self.units.get_mut(name);
        unit.filter(|unit| !unit.agent.is_removed).ok_or(missing)
    }

    fn endpoint(&self, (app, name): (&str, &str)) -> Result<&Endpoint, Error> {
        let Some(application) = self.applications.get(app) else {
            let known = self.names_of_applications();
            let text = format!("there is no application {app:?}; there are {known}");
            return Err(Error::Model(text));
        };
        let names: Vec<&str> = application.endpoints.keys().map(String::as_str).collect();
        let endpoint = application.endpoints.get(name);
        endpoint
            .filter(|endpoint| endpoint.role != Role::Peer)
            .ok_or_else(|| {
                Error::Model(format!(
                    "{app} has no endpoint {name:?} to relate; it has {}",
                    names.join(", ")
                ))
            })
    }

    fn names_of_applications(&self) -> String {
        let names: Vec<&str> = self.applications.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// The id of a new relation; none is given out twice.
    fn next_relation(&mut self) -> u32 {
        let last = self.relations.keys().next_back().copied();
        self.relation_ids = self.relation_ids.max(last.unwrap_or_default()) + 1;
        self.relation_ids
    }

    /// Whether a unit of an application may read a secret.
    fn may_read(&self, unit: &str, app: &str, secret: &Secret) -> bool {
        let is_granted = secret.grants.iter().any(|grant| match &grant.unit {
            Some(granted) => granted == unit,
            None => {
                let relation = self.relations.get(&grant.relation);
                let remote = relation.and_then(|relation| relation.remote_side(secret.owner_app()));
                remote.is_some_and(|side| side.app == app)
            }
        });
        is_granted
            || secret.is_owned_by(unit, app)
            || secret.readers.contains(unit)
            || secret.readers.contains(app)
    }
}

fn side(app: &str, endpoint: &str) -> RelationSide {
    RelationSide {
        app: app.to_owned(),
        endpoint: endpoint.to_owned(),
        ..RelationSide::default()
    }
}
