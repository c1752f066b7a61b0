//! Relations of the model, both ends of each.

use std::collections::BTreeMap;

use crate::databag::Databag;

/// A relation between two applications, or among the units of one.
#[derive(Debug, Clone, Default)]
pub struct Relation {
    /// Its id: the 7 of `db:7`.
    pub id: u32,
    /// The interface of its endpoints.
    pub interface: String,
    /// Its two sides; a peer relation has one.
    pub sides: Vec<RelationSide>,
    /// The model of the other side, where that is another one.
    pub remote_model_uuid: Option<String>,
    /// Whether it is being removed.
    pub is_dying: bool,
}

/// One application's side of a relation.
#[derive(Debug, Clone, Default)]
pub struct RelationSide {
    /// The application.
    pub app: String,
    /// The endpoint of its charm; empty for a made-up application.
    pub endpoint: String,
    /// The application's databag.
    pub app_data: VersionedData,
    /// The units that have entered the relation's scope, by name.
    pub members: BTreeMap<String, Member>,
}

/// A unit in a relation.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// The unit's databag.
    pub data: VersionedData,
    /// Whether it has left the relation's scope.
    pub has_left: bool,
}

/// A databag that counts its changes.
#[derive(Debug, Clone, Default)]
pub struct VersionedData {
    /// The content.
    pub bag: Databag,
    /// The number of changes so far.
    pub version: u64,
}

impl VersionedData {
    /// Replaces the content. The same content is no change.
    pub fn replace(&mut self, bag: Databag) {
        if self.bag != bag {
            self.bag = bag;
            self.version += 1;
        }
    }
}

impl Relation {
    /// Whether it is a peer relation.
    pub fn is_peer(&self) -> bool {
        self.sides.len() < 2
    }

    /// The side of an application.
    pub fn side(&self, app: &str) -> Option<&RelationSide> {
        self.sides.iter().find(|side| side.app == app)
    }

    /// The side of an application, to change it.
    pub fn side_mut(&mut self, app: &str) -> Option<&mut RelationSide> {
        self.sides.iter_mut().find(|side| side.app == app)
    }

    /// The side opposite to an application: its own among peers.
    pub fn remote_side(&self, app: &str) -> Option<&RelationSide> {
        let other = self.sides.iter().find(|side| side.app != app);
        other.or_else(|| self.side(app))
    }

    /// The side opposite to an application, to change it.
    pub fn remote_side_mut(&mut self, app: &str) -> Option<&mut RelationSide> {
        match self.sides.iter().position(|side| side.app != app) {
            Some(index) => self.sides.get_mut(index),
            None => self.side_mut(app),
        }
    }
}
