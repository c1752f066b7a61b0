//! `/v1/checks` (`pebble §14`).

use serde::Deserialize;

use crate::client::by_names;
use crate::{Client, Error};

/// A check of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckInfo {
    /// Its name.
    pub name: String,
    /// `alive`, `ready`, or empty.
    #[serde(default)]
    pub level: String,
    /// `up`, `down` or `inactive`.
    pub status: String,
    /// The number of failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// The number of failures in a row with which it is down.
    #[serde(default)]
    pub threshold: u32,
}

impl Client {
    /// Returns the checks of these names, or all for no names, sorted by name.
    /// Skips unknown names.
    pub async fn checks(&self, names: &[String]) -> Result<Vec<CheckInfo>, Error> {
        let checks: Option<Vec<CheckInfo>> = self.get(&by_names("/v1/checks", names)).await?.result;
        Ok(checks.unwrap_or_default())
    }
}
