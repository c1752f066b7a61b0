//! Runs a compiled charm.
//!
//! A [`Session`] handles one event: it links the charm's compiled component with
//! the interfaces of its world, calls its one export, and turns the result into
//! the exit code that Juju gets. Everything outside of the process is injected
//! as a [`Host`]. Compiling is behind the feature `compiler`, so that `dispatch`
//! carries no compiler.

mod artifact;
#[cfg(feature = "compiler")]
mod compile;
mod containers;
mod engine;
mod failure;
mod guest_tools;
mod session;
mod settings;
mod state;
mod streams;
mod wit;
mod world;

pub use artifact::{CompiledCharm, LoadError, revision};
#[cfg(feature = "compiler")]
pub use compile::{CompileError, compile};
pub use containers::PebbleConnector;
pub use engine::{ARTIFACT_VERSION, engine};
pub use session::{
    Charm, Definition, Ending, Host, LegacyHooks, Outcome, ProcessRestriction, Session,
};
pub use settings::{FILE_NAME as SETTINGS_NAME, Settings};
pub use world::{OFFERED, World, WorldError};

/// The name of the compiled charm's file beside `dispatch`.
pub const COMPILED_NAME: &str = "charm.cwasm";
