//! The version of the workload (`application-version-set`; ops §10).

use charmhost_hook_tools::ToolError;

use super::Model;

impl Model {
    /// Sets the version of the workload, which `juju status` shows.
    pub fn set_workload_version(&mut self, version: &str) -> Result<(), ToolError> {
        self.call("application-version-set", &["--", version])
            .map(drop)
    }
}
