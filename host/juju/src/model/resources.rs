//! The resources of the charm (`resource-get`; ops §7).
//!
//! Cache (ops §9): the path of a resource is asked for once per dispatch; a call
//! that failed is repeated by the next one.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;

use super::Model;

const TOOL: &str = "resource-get";

/// The paths of the resources that were fetched, by name.
#[derive(Debug, Default)]
pub(super) struct ResourceCache(BTreeMap<String, String>);

impl Model {
    /// Returns the path of a resource's file, which Juju downloads if it has not
    /// yet.
    ///
    /// # Errors
    ///
    /// [`ToolError::NotFound`] if the charm has no such resource;
    /// [`ToolError::Other`] if it cannot be downloaded.
    pub fn resource(&mut self, name: &str) -> Result<&str, ToolError> {
        let path = match self.resources.0.remove(name) {
            Some(path) => path,
            None => self.fetch_resource(name)?,
        };
        Ok(self.resources.0.entry(name.to_owned()).or_insert(path))
    }

    fn fetch_resource(&mut self, name: &str) -> Result<String, ToolError> {
        if !self.metadata.resources().any(|known| known == name) {
            let names = self.metadata.resources();
            return Err(ToolError::undeclared(TOOL, "resource", name, names));
        }
        let output = self.call(TOOL, &[name])?;
        let path = str::from_utf8(&output).map(str::trim).unwrap_or_default();
        match path.starts_with('/') {
            true => Ok(path.to_owned()),
            false => Err(ToolError::unexpected(
                TOOL,
                "its output is not an absolute path",
            )),
        }
    }
}
