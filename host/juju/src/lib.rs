//! Juju as a charm sees it.
//!
//! What the agent says when it runs a charm ([`Environment`], [`Event`]), what
//! the charm says of itself ([`Metadata`]), and what the charm can ask for: the
//! hook tools, typed with ops's caches in a [`Model`]. Nothing here knows of
//! WebAssembly.

mod dispatch_event;
mod environment;
mod event;
mod metadata;
mod model;
mod relations;
mod results;
mod security;
mod snapshot;
mod stderr;
mod values;
mod version;

pub use environment::{Environment, EnvironmentError, StorageId};
pub use event::{
    ActionEvent, CheckEvent, Event, NoticeEvent, RelationEvent, SecretEvent, SecretRevisionEvent,
    StorageEvent, WorkloadEvent,
};
pub use metadata::{Endpoint, Metadata, MetadataError, Role};
pub use model::Model;
pub use relations::{Databag, Own, Owner, Relation, Relations};
pub use results::flatten_results;
pub use stderr::print_error;
pub use values::{ConfigValue, Level, Port, Protocol, Scope, StatusName, StatusValue};
pub use version::JujuVersion;
