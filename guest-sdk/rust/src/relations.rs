//! Relations and their databags.

use std::collections::BTreeMap;

use crate::bindings::relations as wit;
use crate::databags::{self, FromDatabag, ToDatabag};
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Result};

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

/// Returns the relation of an endpoint, if there is one.
///
/// If there are several, the error has the code `too-many-relations`: see
/// [`relations`].
#[track_caller]
pub fn relation(endpoint: &str) -> Result<Option<Relation>> {
    let mut listed = relations(endpoint)?;
    if listed.len() > 1 {
        let ids: Vec<String> = listed.iter().map(Relation::name).collect();
        return Err(Error::with_code(
            "too-many-relations",
            format!(
                "cannot choose a relation of {endpoint}: there are {}; use relations({endpoint:?})",
                ids.join(", ")
            ),
        ));
    }
    Ok(listed.pop())
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

    /// The relation's name for people, for example `db:7`.
    fn name(&self) -> String {
        format!("{}:{}", self.endpoint, self.id)
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

    /// Loads this unit's databag as a type of the charm; `None` if it is empty.
    #[track_caller]
    pub fn load_unit<T: FromDatabag>(&self) -> Result<Option<T>> {
        self.load(&wit::DatabagOwner::ThisUnit)
    }

    /// Loads this application's databag as a type of the charm; `None` if it is
    /// empty. Only the leader may read it, except in a peer relation.
    #[track_caller]
    pub fn load_app<T: FromDatabag>(&self) -> Result<Option<T>> {
        self.load(&wit::DatabagOwner::ThisApp)
    }

    /// Loads the databag of a remote unit as a type of the charm; `None` if its charm
    /// has written nothing.
    #[track_caller]
    pub fn load_remote_unit<T: FromDatabag>(&self, unit: impl Into<String>) -> Result<Option<T>> {
        self.load(&wit::DatabagOwner::Unit(unit.into()))
    }

    /// Loads the remote application's databag as a type of the charm; `None` if it is
    /// empty, or if Juju no longer knows the application.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "kebab-case")]
    /// struct Provided {
    ///     database: String,
    ///     read_only_endpoints: Option<Vec<String>>,
    /// }
    /// # fn handler(event: RelationChangedEvent) -> Result<Settlement> {
    /// let Some(provided) = event.relation().load_remote_app::<Provided>()? else {
    ///     return event.defer("the database has not answered yet");
    /// };
    /// # log::info!("{}", provided.database);
    /// # Ok(Settlement::Handled)
    /// # }
    /// ```
    #[track_caller]
    pub fn load_remote_app<T: FromDatabag>(&self) -> Result<Option<T>> {
        match &self.app {
            Some(app) => self.load(&wit::DatabagOwner::App(app.clone())),
            None => Ok(None),
        }
    }

    #[track_caller]
    fn load<T: FromDatabag>(&self, owner: &wit::DatabagOwner) -> Result<Option<T>> {
        let databag = self.read(owner)?;
        if databags::is_empty(&databag) {
            return Ok(None);
        }
        match T::from_databag(&databag) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(Error::new(
                ErrorKind::InvalidValue,
                format!("cannot load the data of {}: {error}", self.name()),
            )),
        }
    }

    /// Saves a value's fields to this unit's databag. Other keys stay; `None` removes
    /// its key.
    #[track_caller]
    pub fn save_unit(&self, value: &impl ToDatabag) -> Result<()> {
        self.save(wit::OwnDatabag::Unit, value)
    }

    /// Saves a value's fields to this application's databag. Other keys stay; `None`
    /// removes its key. Only the leader may.
    #[track_caller]
    pub fn save_app(&self, value: &impl ToDatabag) -> Result<()> {
        self.save(wit::OwnDatabag::App, value)
    }

    #[track_caller]
    fn save(&self, databag: wit::OwnDatabag, value: &impl ToDatabag) -> Result<()> {
        match value.to_databag() {
            Ok(entries) => {
                let change = |(key, value)| wit::DatabagChange { key, value };
                let changes: Vec<_> = entries.into_iter().map(change).collect();
                wit::write(&self.endpoint, self.id, databag, &changes).model()
            }
            Err(error) => Err(Error::invalid(format!(
                "cannot save to {}: {error}",
                self.name()
            ))),
        }
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
