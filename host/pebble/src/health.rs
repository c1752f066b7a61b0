//! `/v1/health` (`pebble §4`).

use serde::Deserialize;

use crate::checks::selected;
use crate::{CheckLevel, Client, Error};

#[derive(Deserialize)]
struct Health {
    healthy: bool,
}

impl Client {
    /// Returns whether none of the checks of these names and this level, or of all of
    /// them, is down. Ignores unknown names.
    pub async fn health(
        &self,
        names: &[String],
        level: Option<&CheckLevel>,
    ) -> Result<bool, Error> {
        // An unhealthy daemon answers with status 502, and without an error.
        let health: Health = self
            .get(&selected("/v1/health", names, level))
            .await?
            .result;
        Ok(health.healthy)
    }
}
