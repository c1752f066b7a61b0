//! Compiling a component at pack time.

use wasmtime::component::Component;

use crate::engine;
use crate::world::{self, WorldError};

/// Why a component cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It is not a component, or uses a feature that the host does not support.
    #[error("{0}")]
    Invalid(String),
    /// It is a component, but does not fit the world of a charm.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// Compiles a component for a target, for example `x86_64-unknown-linux-gnu`,
/// and checks that it fits the world of a charm.
///
/// The result runs under a `dispatch` of the same release only, on any processor
/// of the target's architecture.
pub fn compile(component: &[u8], target: &str) -> Result<Vec<u8>, CompileError> {
    let invalid = |error: wasmtime::Error| CompileError::Invalid(format!("{error:#}"));
    let compiler = engine::compiler(target).map_err(invalid)?;
    let compiled = compiler.precompile_component(component).map_err(invalid)?;
    check(component)?;
    Ok(compiled)
}

/// Links the component as `dispatch` will. It is compiled once more, without
/// optimisation and for this machine, because code for another target cannot be
/// loaded here.
fn check(component: &[u8]) -> Result<(), CompileError> {
    let invalid = |error: wasmtime::Error| CompileError::Invalid(format!("{error:#}"));
    let engine = engine::checker().map_err(invalid)?;
    let component = Component::new(&engine, component).map_err(invalid)?;
    let linker = world::linker(&engine, &component).map_err(invalid)?;
    world::prepare(&linker, &component)?;
    Ok(())
}
