//! What one unit sees of a relation.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::databag::Databag;

/// A relation as one unit sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RelationView {
    /// The 7 of `db:7`.
    pub id: u32,
    /// The endpoint's name in the charm's metadata.
    pub endpoint: String,
    /// The endpoint's interface.
    pub interface: String,
    /// The remote application; this application among peers.
    pub remote_app: String,
    /// The remote application's databag.
    pub remote_app_data: Databag,
    /// The databags of the remote units, by name.
    pub remote_units_data: BTreeMap<String, Databag>,
    /// This application's databag.
    pub local_app_data: Databag,
    /// This unit's databag.
    pub local_unit_data: Databag,
    /// The model of the other side, if it is another one.
    #[serde(skip)]
    pub remote_model_uuid: Option<String>,
    /// Whether it is being broken: it is no longer listed.
    #[serde(skip)]
    pub broken: bool,
    /// Whether it is among peers.
    #[serde(skip)]
    pub peer: bool,
}

impl RelationView {
    /// Its name: `db:7`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.endpoint, self.id)
    }
}
