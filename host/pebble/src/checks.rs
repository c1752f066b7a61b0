//! `/v1/checks` (`pebble §14`).

use serde::Deserialize;

use crate::client::by_names;
use crate::http::encoded;
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
    /// `enabled` or `disabled`; none before v1.19.
    pub startup: Option<String>,
    /// `up`, `down` or `inactive`.
    pub status: String,
    /// The number of successes in a row; none before v1.23.
    pub successes: Option<u32>,
    /// The number of failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// The number of failures in a row with which it is down.
    #[serde(default)]
    pub threshold: u32,
    /// The change that runs it.
    pub change_id: Option<String>,
}

impl Client {
    /// Returns the checks of these names, or all for no names, sorted by name; of a
    /// level, if one is given. Skips unknown names.
    pub async fn checks(
        &self,
        names: &[String],
        level: Option<&str>,
    ) -> Result<Vec<CheckInfo>, Error> {
        let mut path = by_names("/v1/checks", names);
        if let Some(level) = level {
            let separator = if names.is_empty() { '?' } else { '&' };
            path.push_str(&format!("{separator}level={}", encoded(level)));
        }
        let checks: Option<Vec<CheckInfo>> = self.get(&path).await?.result;
        Ok(checks.unwrap_or_default())
    }
}
