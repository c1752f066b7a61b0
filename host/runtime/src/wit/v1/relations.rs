//! `charmhost:relations/relations`: relations and their databags (ops §11).

use charmhost_juju::{DatabagOwner, OwnDatabag, Relation};

use super::bindings::relations::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn list(&mut self, endpoint: String) -> Result<Vec<wit::RelationInfo>, Error> {
        let listed = self.charm.model.relations(&endpoint);
        Ok(listed.map_err(error)?.iter().cloned().map(info).collect())
    }

    fn get(&mut self, endpoint: String, id: u32) -> Result<wit::RelationInfo, Error> {
        let relation = self.charm.model.relation(&endpoint, id);
        relation.map(info).map_err(error)
    }

    fn read(
        &mut self,
        endpoint: String,
        id: u32,
        owner: wit::DatabagOwner,
    ) -> Result<Vec<wit::DatabagEntry>, Error> {
        let owner = match owner {
            wit::DatabagOwner::ThisUnit => DatabagOwner::ThisUnit,
            wit::DatabagOwner::ThisApp => DatabagOwner::ThisApp,
            wit::DatabagOwner::Unit(name) => DatabagOwner::Unit(name),
            wit::DatabagOwner::App(name) => DatabagOwner::App(name),
        };
        let databag = self.charm.model.relation_data(&endpoint, id, &owner);
        let databag = databag.map_err(error)?;
        let entry = |(key, value): (&String, &String)| wit::DatabagEntry {
            key: key.clone(),
            value: value.clone(),
        };
        Ok(databag.iter().map(entry).collect())
    }

    fn write(
        &mut self,
        endpoint: String,
        id: u32,
        databag: wit::OwnDatabag,
        changes: Vec<wit::DatabagChange>,
    ) -> Result<(), Error> {
        let databag = match databag {
            wit::OwnDatabag::Unit => OwnDatabag::Unit,
            wit::OwnDatabag::App => OwnDatabag::App,
        };
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| (change.key, change.value))
            .collect();
        let model = &mut self.charm.model;
        model
            .update_relation_data(&endpoint, id, databag, &changes)
            .map_err(error)
    }

    fn model_uuid(&mut self, endpoint: String, id: u32) -> Result<String, Error> {
        let model = &mut self.charm.model;
        model.relation_model_uuid(&endpoint, id).map_err(error)
    }
}

fn info(relation: Relation) -> wit::RelationInfo {
    wit::RelationInfo {
        endpoint: relation.endpoint,
        id: relation.id,
        app: relation.app,
        units: relation.units,
        active: relation.active,
    }
}
