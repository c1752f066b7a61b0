//! Runs a compiled charm.
//!
//! One process handles one event: it maps the charm's compiled component,
//! gives it the interfaces of its world, calls its one export, and turns the
//! outcome into the exit code that Juju sees. Compiling is behind the feature
//! `compiler`, so that `dispatch` carries no compiler.

mod artifact;
mod bindings;
#[cfg(feature = "compiler")]
mod compile;
mod containers;
mod dispatch;
mod engine;
mod interfaces;
mod legacy;
mod settings;
mod state;
mod trap;
mod world;

pub use artifact::LoadError;
#[cfg(feature = "compiler")]
pub use compile::{CompileError, compile};
pub use dispatch::dispatch;
pub use engine::{ARTIFACT_VERSION, engine};
pub use settings::{FILE_NAME as SETTINGS_NAME, Settings};
pub use world::{OFFERED, WorldError};

/// The compiled charm's name beside `dispatch`.
pub const COMPILED_NAME: &str = "charm.cwasm";
