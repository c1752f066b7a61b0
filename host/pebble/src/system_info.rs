//! `/v1/system-info` (`pebble §4`).

use serde::Deserialize;

use crate::{Client, Error};

/// The daemon's version and start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SystemInfo {
    /// Its version, for example `v1.32.1`.
    pub version: String,
    /// Changes with every start of the container.
    #[serde(default)]
    pub boot_id: String,
}

impl Client {
    /// Returns the daemon's version. Also the way to find out whether it runs.
    pub async fn system_info(&self) -> Result<SystemInfo, Error> {
        Ok(self.get("/v1/system-info").await?.result)
    }
}
