//! `charmhost:relations/relations`.

use charmhost_juju::{Own, Owner, Relation};

use super::{Error, error};
use crate::bindings::relations::{self as wit, Host};
use crate::state::State;

impl Host for State {
    fn list_relations(&mut self, endpoint: String) -> Result<Vec<wit::RelationInfo>, Error> {
        let charm = &mut self.charm;
        let listed = charm.relations.list(&mut charm.model, &endpoint);
        Ok(listed.map_err(error)?.iter().cloned().map(info).collect())
    }

    fn get_relation(&mut self, endpoint: String, id: u32) -> Result<wit::RelationInfo, Error> {
        let charm = &mut self.charm;
        let relation = charm.relations.get(&mut charm.model, &endpoint, id);
        relation.map(info).map_err(error)
    }

    fn read(
        &mut self,
        endpoint: String,
        id: u32,
        owner: wit::DatabagOwner,
    ) -> Result<Vec<wit::DatabagEntry>, Error> {
        let owner = match owner {
            wit::DatabagOwner::ThisUnit => Owner::ThisUnit,
            wit::DatabagOwner::ThisApp => Owner::ThisApp,
            wit::DatabagOwner::Unit(name) => Owner::Unit(name),
            wit::DatabagOwner::App(name) => Owner::App(name),
        };
        let charm = &mut self.charm;
        let databag = charm
            .relations
            .read(&mut charm.model, &endpoint, id, &owner)
            .map_err(error)?;
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
        let own = match databag {
            wit::OwnDatabag::Unit => Own::Unit,
            wit::OwnDatabag::App => Own::App,
        };
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| (change.key, change.value))
            .collect();
        let charm = &mut self.charm;
        charm
            .relations
            .write(&mut charm.model, &endpoint, id, own, &changes)
            .map_err(error)
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
