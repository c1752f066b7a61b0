//! A simulated Juju unit agent.
//!
//! [`run`] takes a charm through the life of a unit: it makes a model of one
//! application with one unit, serves the hook tools over Juju's own protocol,
//! runs the charm's `dispatch` for each event as the real agent does, and
//! reports what the charm did. Any charm can be run, whatever it is written in.

mod changes;
mod containers;
mod deferred;
mod environment;
mod error;
mod event;
mod files;
mod home;
mod interrupt;
mod life;
mod model;
mod notices;
mod options;
mod place;
mod play;
mod process;
mod report;
mod scenario;
mod server;
mod sim;
mod timeline;
mod tools;
mod unit;
mod veil;

pub use error::Error;
pub use interrupt::Interrupt;
pub use model::{Config, Level, Model, PortRange, Ports, Status, split_config};
pub use model::{Relation, Storage};
pub use options::{HookTools, Network, Options};
pub use report::{
    ActionRecord, ContainerRecord, DispatchRecord, LogLine, ModelRecord, Notice, Observer, Outcome,
    Report, SecretRecord, ToolCall,
};
pub use scenario::Unmet;
pub use sim::{check, run};
pub use timeline::{Detail, Timeline};
