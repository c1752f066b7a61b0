//! Relations and their databags.

use std::collections::BTreeMap;

use crate::Result;
use crate::bindings::relations as wit;
use crate::error::ModelResult;

/// Content of a databag.
pub type Databag = BTreeMap<String, String>;

/// A relation with another application, or between the units of this one.
///
/// Writes take effect when the hook succeeds, and are visible to reads in the same
/// dispatch immediately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    endpoint: String,
    id: u32,
    app: Option<String>,
}

/// Returns the relations of an endpoint, without one that is being broken.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// for relation in relations("db")? {
///     let data = relation.remote_app_data()?;
///     log::info!("{:?} is at {:?}", relation.app(), data.get("host"));
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn relations(endpoint: &str) -> Result<Vec<Relation>> {
    let listed = wit::list(endpoint).model()?;
    Ok(listed.into_iter().map(from_wit).collect())
}

/// Returns the relation of an endpoint, if there is one; the one with the lowest id
/// if there are several.
#[track_caller]
pub fn relation(endpoint: &str) -> Result<Option<Relation>> {
    let listed = relations(endpoint)?;
    Ok(listed.into_iter().min_by_key(Relation::id))
}

/// Returns a relation of an endpoint by its id, also one that is being broken or is
/// gone: see [`Relation::is_active`].
#[track_caller]
pub fn relation_with_id(endpoint: &str, id: u32) -> Result<Relation> {
    wit::get(endpoint, id).model().map(from_wit)
}

fn from_wit(info: wit::RelationInfo) -> Relation {
    Relation {
        endpoint: info.endpoint,
        id: info.id,
        app: info.app,
    }
}

impl Relation {
    pub(crate) fn of_event(endpoint: &str, id: u32, app: Option<String>) -> Self {
        Relation {
            endpoint: endpoint.to_owned(),
            id,
            app,
        }
    }

    /// The endpoint's name.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The relation's id, for example 7 of `db:7`.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The remote application, which is this application in a peer relation; `None`
    /// if Juju no longer knows it.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// The remote units, without this one.
    #[track_caller]
    pub fn units(&self) -> Result<Vec<String>> {
        Ok(self.info()?.units)
    }

    /// Whether it exists; `false` while it is being broken, and afterwards.
    #[track_caller]
    pub fn is_active(&self) -> Result<bool> {
        Ok(self.info()?.active)
    }

    #[track_caller]
    fn info(&self) -> Result<wit::RelationInfo> {
        wit::get(&self.endpoint, self.id).model()
    }

    /// This unit's databag.
    #[track_caller]
    pub fn unit_data(&self) -> Result<Databag> {
        self.read(&wit::DatabagOwner::ThisUnit)
    }

    /// This application's databag. Only the leader may read it, except in a peer
    /// relation.
    #[track_caller]
    pub fn app_data(&self) -> Result<Databag> {
        self.read(&wit::DatabagOwner::ThisApp)
    }

    /// The databag of a remote unit.
    #[track_caller]
    pub fn remote_unit_data(&self, unit: impl Into<String>) -> Result<Databag> {
        self.read(&wit::DatabagOwner::Unit(unit.into()))
    }

    /// The remote application's databag; empty if Juju no longer knows the
    /// application.
    #[track_caller]
    pub fn remote_app_data(&self) -> Result<Databag> {
        match &self.app {
            Some(app) => self.read(&wit::DatabagOwner::App(app.clone())),
            None => Ok(Databag::new()),
        }
    }

    #[track_caller]
    fn read(&self, owner: &wit::DatabagOwner) -> Result<Databag> {
        let entries = wit::read(&self.endpoint, self.id, owner).model()?;
        let pairs = entries.into_iter().map(|entry| (entry.key, entry.value));
        Ok(pairs.collect())
    }

    /// Sets keys of this unit's databag; an empty value removes the key.
    #[track_caller]
    pub fn set_unit_data<K, V>(&self, data: impl IntoIterator<Item = (K, V)>) -> Result<()>
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.write(wit::OwnDatabag::Unit, data)
    }

    /// Sets keys of this application's databag; an empty value removes the key. Only
    /// the leader may.
    #[track_caller]
    pub fn set_app_data<K, V>(&self, data: impl IntoIterator<Item = (K, V)>) -> Result<()>
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.write(wit::OwnDatabag::App, data)
    }

    #[track_caller]
    fn write<K, V>(
        &self,
        databag: wit::OwnDatabag,
        data: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let change = |(key, value): (K, V)| wit::DatabagChange {
            key: key.into(),
            value: Some(value.into()),
        };
        let changes: Vec<_> = data.into_iter().map(change).collect();
        wit::write(&self.endpoint, self.id, databag, &changes).model()
    }
}
