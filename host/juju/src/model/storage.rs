//! The storage instances of this unit (`storage-list`, `storage-get`;
//! ops §16.2).
//!
//! Nothing is cached: what a dispatch may reach is looked up once.

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;

impl Model {
    /// Returns the locations of the unit's storage instances, as far as Juju
    /// has them.
    pub fn storage_locations(&mut self) -> Result<Vec<String>, ToolError> {
        let listed = self.call_json("storage-list", &["--format=json"])?;
        let ids = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut locations = Vec::new();
        for id in ids.iter().filter_map(Value::as_str) {
            // An instance that is not attached yet has no location.
            let found = self.call_json("storage-get", &["--format=json", "-s", id]);
            let location = found.ok().and_then(|found| {
                let location = found.get("location")?.as_str()?;
                Some(location.to_owned())
            });
            locations.extend(location);
        }
        Ok(locations)
    }
}
