//! The charm's metadata.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bindings::metadata as wit;
use crate::error::ModelResult;
use crate::{Error, Result};

/// `metadata.yaml`, `config.yaml` and `actions.yaml`, with the defaults of ops.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Metadata {
    /// The charm's name.
    pub name: String,
    /// A short description.
    pub summary: String,
    /// A long description.
    pub description: String,
    /// Names and addresses of the maintainers.
    pub maintainers: Vec<String>,
    /// Where there is more about the charm.
    pub links: MetadataLinks,
    /// Categories of the charm.
    pub tags: Vec<String>,
    /// Terms that the operator must accept.
    pub terms: Vec<String>,
    /// Series of Ubuntu, in metadata from before bases.
    pub series: Vec<String>,
    /// Whether its units are deployed beside those of a principal.
    pub subordinate: bool,
    /// The oldest Juju that the charm runs on, in metadata from before `assumes`.
    pub min_juju_version: Option<String>,
    /// What the charm needs of Juju, all of it.
    pub assumes: Vec<Assumes>,
    /// The user that runs the charm: `root`, `sudoer` or `non-root`.
    pub charm_user: String,
    /// Endpoints for what the charm uses, by name.
    pub requires: BTreeMap<String, RelationMeta>,
    /// Endpoints for what the charm offers, by name.
    pub provides: BTreeMap<String, RelationMeta>,
    /// Endpoints between the units of the application, by name.
    pub peers: BTreeMap<String, RelationMeta>,
    /// Storage by name.
    #[serde(rename = "storage")]
    pub storages: BTreeMap<String, StorageMeta>,
    /// Resources by name.
    pub resources: BTreeMap<String, ResourceMeta>,
    /// Payloads by name.
    pub payloads: BTreeMap<String, PayloadMeta>,
    /// Additional names for networks, as they are written.
    pub extra_bindings: Map<String, Value>,
    /// Workload containers by name.
    pub containers: BTreeMap<String, ContainerMeta>,
    /// Configuration options by name.
    pub config: BTreeMap<String, ConfigMeta>,
    /// Actions by name.
    pub actions: BTreeMap<String, ActionMeta>,
}

/// Where there is more about the charm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct MetadataLinks {
    /// Web sites.
    pub websites: Vec<String>,
    /// Places of the source.
    pub sources: Vec<String>,
    /// Where problems are reported.
    pub issues: Vec<String>,
    /// The documentation.
    pub documentation: Option<String>,
}

/// What a charm needs of Juju.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Assumes {
    /// A feature, for example `k8s-api` or `juju >= 3.6`.
    Feature(String),
    /// A condition on other ones.
    Condition(AssumesCondition),
}

/// How many of several conditions a charm needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssumesCondition {
    /// All of them.
    AllOf(Vec<Assumes>),
    /// At least one of them.
    AnyOf(Vec<Assumes>),
}

/// The side of a relation that an endpoint is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RelationRole {
    /// The charm uses what the other side offers.
    #[default]
    Requires,
    /// The charm offers what the other side uses.
    Provides,
    /// The endpoint relates the units of one application.
    Peer,
}

impl RelationRole {
    /// Whether it relates the units of one application.
    pub fn is_peer(self) -> bool {
        self == RelationRole::Peer
    }
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RelationMeta {
    /// Its side of relations.
    #[serde(skip)]
    pub role: RelationRole,
    /// The interface of its relations.
    pub interface: String,
    /// How many relations it may have; `None` for any number.
    pub limit: Option<i64>,
    /// `global`, or `container` between a subordinate and its principal.
    pub scope: String,
    /// Whether the charm works without a relation; Juju does not use it.
    pub optional: bool,
}

/// A storage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StorageMeta {
    /// `filesystem` or `block`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    pub description: String,
    /// Whether all units share it.
    pub shared: bool,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// The least size, for example `1G`.
    pub minimum_size: Option<String>,
    /// Where it is mounted.
    pub location: Option<String>,
    /// Properties, for example `transient`.
    pub properties: Vec<String>,
    /// The least and the highest number of instances; `None` if there is one
    /// instance, or no highest number.
    #[serde(rename = "multiple")]
    pub multiple_range: Option<(u32, Option<u32>)>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ResourceMeta {
    /// `file` or `oci-image`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The file's name.
    pub filename: Option<String>,
    /// What it is for.
    pub description: String,
}

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PayloadMeta {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A workload container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ContainerMeta {
    /// The resource with its image.
    pub resource: Option<String>,
    /// The bases that it can be made of, the preferred one first; `None` if its
    /// section is empty.
    pub bases: Option<Vec<ContainerBase>>,
    /// Where storage is mounted, by the name of the storage.
    pub mounts: BTreeMap<String, ContainerStorageMeta>,
}

/// A base of a workload container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ContainerBase {
    /// The operating system, for example `ubuntu`.
    #[serde(rename = "name")]
    pub os_name: String,
    /// Its channel, for example `24.04/stable`.
    pub channel: String,
    /// Architectures, for example `amd64`.
    pub architectures: Vec<String>,
}

/// Where a container has a storage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ContainerStorageMeta {
    locations: Vec<String>,
}

impl ContainerStorageMeta {
    /// Every path at which it is mounted.
    pub fn locations(&self) -> &[String] {
        &self.locations
    }

    /// The path at which it is mounted.
    ///
    /// # Errors
    ///
    /// If there are several.
    #[track_caller]
    pub fn location(&self) -> Result<&str> {
        match self.locations.as_slice() {
            [location] => Ok(location),
            locations => Err(Error::invalid(format!(
                "cannot choose the location of the storage: it is mounted at {}; use locations",
                locations.join(", ")
            ))),
        }
    }
}

/// A configuration option.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ConfigMeta {
    /// `boolean`, `int`, `float`, `string` or `secret`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value without a setting of the operator; null if there is none.
    pub default: Value,
    /// What it does.
    pub description: Option<String>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ActionMeta {
    /// A short description.
    pub title: String,
    /// What it does.
    pub description: String,
    /// JSON schemas of its parameters, by name.
    pub parameters: Map<String, Value>,
    /// The parameters that must be given.
    pub required: Vec<String>,
    /// Whether Juju accepts parameters that are not declared.
    pub additional_properties: bool,
}

impl Metadata {
    /// Returns the endpoints of all roles by name. Of several with a name, the last of
    /// requires, provides and peers is returned.
    pub fn relations(&self) -> BTreeMap<&str, &RelationMeta> {
        let roles = [&self.requires, &self.provides, &self.peers];
        let endpoints = roles.into_iter().flatten();
        endpoints
            .map(|(name, endpoint)| (name.as_str(), endpoint))
            .collect()
    }
}

/// Reads the charm's metadata.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// let metadata = metadata()?;
/// log::info!("{} has {} options", metadata.name, metadata.config.len());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn metadata() -> Result<Metadata> {
    let document = metadata_json()?;
    let read = serde_json::from_str(&document);
    let mut metadata: Metadata = read.map_err(|error| {
        Error::with_code("metadata", format!("cannot read the metadata: {error}"))
    })?;
    let roles = [
        (RelationRole::Provides, &mut metadata.provides),
        (RelationRole::Peer, &mut metadata.peers),
    ];
    for (role, endpoints) in roles {
        for endpoint in endpoints.values_mut() {
            endpoint.role = role;
        }
    }
    Ok(metadata)
}

/// Reads the charm's metadata as a JSON document, with the keys that
/// `charmhost:metadata` documents.
#[track_caller]
pub fn metadata_json() -> Result<String> {
    wit::get().model()
}
