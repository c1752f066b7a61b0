//! Simulated Juju unit agents.
//!
//! [`run`] takes a charm through the lifecycle of a unit: it sets up a simulated
//! controller ([`charmhost_sim_model`]), serves the hook tools over Juju's own
//! protocol, runs the charm's `dispatch` for each event as the real agent does,
//! and reports what the charm did. Any charm can be run, whatever language it is
//! written in.

mod charm_files;
mod containers;
mod deferred_events;
mod error;
mod event;
mod execution_target;
mod hook_tool_server;
mod interrupt;
mod lifecycle;
mod model_changes;
mod model_runner;
mod model_simulation;
mod options;
mod process;
mod random;
mod redactor;
mod report;
mod scenario;
mod scenario_runner;
mod sim_event;
mod sim_event_queue;
mod simulation;
mod timeline;
mod unit_agent;
mod unit_dirs;
mod unit_setup;
mod work_dir;

pub use error::Error;
pub use interrupt::Interrupt;
pub use model_simulation::{Model, run_model};
pub use options::{HookTools, Network, Options};
pub use report::{
    ApplicationRecord, ContainerRecord, DispatchRecord, FailedExpectation, ModelRecord,
    ModelReport, Observer, Outcome, Progress, RelationRecord, Report, SecretRecord, UnitDispatch,
};
pub use sim_event::{SimEvent, ToolCall};
pub use simulation::{check, run};
pub use timeline::{Detail, Timeline};
