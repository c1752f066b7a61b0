//! Resources of the charm.

use std::path::PathBuf;

use crate::Result;
use crate::bindings::resources as wit;
use crate::error::ModelResult;

/// Returns the path of a resource's file, which the charm can read. Juju downloads it
/// first if it has not yet.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// let template = std::fs::read_to_string(resource("template")?)?;
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn resource(name: &str) -> Result<PathBuf> {
    Ok(wit::fetch(name).model()?.into())
}
