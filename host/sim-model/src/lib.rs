//! A simulated Juju controller.
//!
//! A [`Controller`] holds a model with any number of applications and units, and
//! both ends of each relation. [`Controller::next_hook`] returns what a unit runs
//! next (juju §1.4). A [`Hook`] is the transaction of that: it begins with a
//! [`UnitView`], which is what [`Controller::view`] shows one unit, and collects
//! the changes of the hook; [`tools::run`] answers the calls of hook tools in it
//! (juju §3). [`Controller::commit`] takes over the view that the hook leaves.
//!
//! Nothing here reads a file, a clock or the environment: what hook tools need
//! of the machine, a [`UnitHost`] provides.

mod action;
mod config;
pub mod controller;
mod databag;
mod environment;
mod error;
mod hook;
mod hook_context;
mod hook_kind;
mod log;
mod network;
mod ports;
mod relation_view;
mod secret_changes;
mod secret_view;
mod status;
mod storage;
pub mod tools;
mod unit_host;
mod unit_view;

pub use charmhost_hook_tools::Level;

pub use action::{Action, ActionRecord, Actions, insert};
pub use config::Config;
pub use controller::Controller;
pub use databag::{Databag, update};
pub use environment::{AgentPaths, environment};
pub use error::Error;
pub use hook::{Hook, HookEvent};
pub use hook_context::HookContext;
pub use hook_kind::{HookKind, WorkloadEvent};
pub use log::LogLine;
pub use network::{Address, BindAddress, JUJU_KEYS, Network, Networks};
pub use ports::{PortRange, Ports};
pub use relation_view::RelationView;
pub use secret_changes::{Revocation, SecretChanges, SecretUpdate};
pub use secret_view::{Content, Grant, SecretOwner, SecretView, secret_id, secret_id_of};
pub use status::Status;
pub use storage::Storage;
pub use unit_host::{NoHost, UnitHost};
pub use unit_view::UnitView;
