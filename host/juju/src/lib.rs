//! Juju as a charm sees it.
//!
//! What the agent passes to a dispatch ([`Environment`], [`Event`]), the charm's
//! metadata ([`Metadata`]), and the hook tools with types and the caches of ops
//! ([`Model`]). Nothing here depends on WebAssembly.

mod clock;
mod environment;
pub mod events;
mod metadata;
mod model;
mod version;

pub use charmhost_hook_tools::{Level, Stderr};
pub use clock::{Clock, SystemClock};
pub use environment::event_variables::{Form, Variable};
pub use environment::{Environment, EnvironmentError};
pub use events::Event;
pub use events::table::{EventKind, Subject};
pub use metadata::{Endpoint, Metadata, MetadataError, Role};
pub use model::Model;
pub use model::actions::flatten_results;
pub use model::cloud_spec::{CloudCredential, CloudSpec};
pub use model::config::ConfigValue;
pub use model::databags::{Databag, DatabagOwner, OwnDatabag};
pub use model::goal_state::{Goal, GoalState};
pub use model::network::{InterfaceAddress, Network, NetworkInterface};
pub use model::ports::{OpenedPort, Port, Protocol};
pub use model::reboot::RebootTime;
pub use model::relations::Relation;
pub use model::secrets::{
    ContentMode, Rotation, SecretContent, SecretInfo, SecretMetadata, SecretOwner, SecretReference,
};
pub use model::status::{Scope, StatusName, StatusValue};
pub use model::storage::{StorageInstance, StorageKind};
pub use version::JujuVersion;
