//! Write Juju charms in Rust.
//!
//! A charm is a struct. Its [`Charm::new`] registers a method for each event that it
//! observes; [`main!`] makes a component of it that `charmhost build` turns into a
//! charm.
//!
//! ```
//! use charmhost::prelude::*;
//!
//! struct Hello;
//!
//! impl Charm for Hello {
//!     fn new(on: &mut Observe<Self>) -> Result<Self> {
//!         on.config_changed(Self::on_config_changed);
//!         on.collect_unit_status(Self::on_collect_unit_status);
//!         Ok(Hello)
//!     }
//! }
//!
//! impl Hello {
//!     fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
//!         unit().set_ports([Port::tcp(8080)])?;
//!         log::info!("listening");
//!         Ok(())
//!     }
//!
//!     fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
//!         event.add_status(Status::active("ready"))
//!     }
//! }
//!
//! charmhost::main!(Hello);
//! ```
//!
//! An error that a handler returns, or a panic, fails the hook: it is in `juju
//! debug-log`, and Juju retries the hook.
//!
//! # Logging
//!
//! Records of the `log` crate are written to Juju's log from level DEBUG up, as
//! with ops. [`log::set_max_level`] in [`Charm::new`] sets another limit:
//!
//! ```
//! # use charmhost::prelude::*;
//! # struct Hello;
//! # impl Charm for Hello {
//! fn new(on: &mut Observe<Self>) -> Result<Self> {
//!     log::set_max_level(log::LevelFilter::Info);
//! #   let _ = on;
//!     Ok(Hello)
//! }
//! # }
//! ```
//!
//! With `LevelFilter::Trace`, TRACE records of the charm's own crate are written too.
//! Those of other crates never are: HTTP clients, for example, write the data that
//! they send and receive at this level, and each record is a call to the agent.

mod actions;
mod bindings;
mod changes;
mod charm;
mod checks;
mod config;
mod container;
mod context;
mod databags;
mod error;
mod events;
mod exec;
mod files;
mod identities;
mod juju_version;
mod layer;
mod logging;
mod logs;
mod metadata;
mod model;
mod network;
mod normalise;
mod notice_reader;
mod notices;
mod objects;
mod observe;
mod plan;
mod ports;
mod readiness;
mod relations;
mod resources;
mod run;
mod secrets;
mod services;
mod settlement;
mod socket;
mod status;
mod storage;
mod stored;
mod time;
mod tools;
mod unit;

pub use changes::{Change, ChangeSelection, Task};
pub use charm::Charm;
pub use checks::{CheckInfo, CheckLevel, CheckRefresh, CheckStatus};
pub use config::{config, config_or_blocked};
pub use container::{Container, SystemInfo};
pub use context::{Context, context};
pub use databags::{FromDatabag, Plain, ToDatabag};
pub use error::{Error, ErrorKind, PathErrorKind, Result};
pub use events::*;
pub use exec::{Command, Output, Process, StandardStream};
pub use files::{FileInfo, FileKind, FileOptions, FileReader, FileWriter};
pub use identities::{Identity, IdentityAccess};
pub use juju_version::JujuVersion;
pub use layer::{
    Check, ExecCheck, HttpCheck, Layer, LayerText, LogTarget, LogTargetType, Override, Period,
    Reaction, Service, TcpCheck,
};
pub use logs::{LogEntry, LogReader, Logs};
pub use metadata::{
    ActionMeta, Assumes, AssumesCondition, ConfigMeta, ContainerBase, ContainerMeta,
    ContainerStorageMeta, Metadata, MetadataLinks, PayloadMeta, RelationMeta, RelationRole,
    ResourceMeta, StorageMeta, metadata, metadata_json,
};
pub use model::{CloudCredential, CloudSpec, Goal, GoalState};
pub use network::{InterfaceAddress, Network, NetworkInterface, network};
pub use notice_reader::NoticeReader;
pub use notices::{Notice, NoticeFilter, Warning};
pub use objects::{Custom, Object, Source};
pub use observe::{
    Fallible, Handler, Observe, ObserveContainer, ObserveRelation, ObserveStorage, Value,
};
pub use plan::Plan;
pub use ports::{OpenedPort, Port, Protocol};
pub use readiness::{Pollable, poll};
pub use relations::{Databag, Relation, relation, relation_with_id, relations};
pub use resources::resource;
pub use secrets::{Rotation, Secret, SecretContent, SecretInfo, SecretMetadata, owned_secrets};
pub use services::{ServiceInfo, ServiceStatus, Startup, Waiting};
pub use settlement::{Deferral, Deferred, Settlement};
pub use socket::{Connection, Direction};
pub use status::{Status, StatusKind};
pub use storage::{Storage, StorageKind, request_storage, storages};
pub use stored::Stored;
pub use tools::{ToolOutput, has_hook_tool, hook_tool};
pub use unit::{App, RebootTime, Unit, app, unit};

pub use log;
pub use serde;
pub use serde_json;

/// The items that most charms need.
pub mod prelude {
    pub use crate::events::*;
    pub use crate::{
        Charm, Check, Container, Custom, Databag, Error, ErrorKind, FileOptions, Layer, Object,
        Observe, Port, Protocol, Relation, Result, Rotation, Secret, SecretMetadata, Service,
        Settlement, Source, Status, Storage, Stored, app, config, config_or_blocked, context,
        hook_tool, log, metadata, network, relation, relations, request_storage, resource,
        storages, unit,
    };
    pub use serde_json::json;
}

/// Items that [`main!`] expands to. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{Guest, Outcome, export, exports};
    pub use crate::run::run;
}

/// Makes a component of a charm.
///
/// ```
/// # use charmhost::prelude::*;
/// struct Hello;
/// impl Charm for Hello {
///     fn new(_on: &mut Observe<Self>) -> Result<Self> { Ok(Hello) }
/// }
/// charmhost::main!(Hello);
/// ```
#[macro_export]
macro_rules! main {
    ($charm:ty) => {
        const _: () = {
            #[allow(dead_code, reason = "the export of a component, which only wasm has")]
            struct Component;

            impl $crate::__private::Guest for Component {
                fn run() -> $crate::__private::Outcome {
                    $crate::__private::run::<$charm>(::core::module_path!())
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::__private::export!(Component with_types_in $crate::__private);
        };
    };
}
