//! `/v1/warnings` of versions before v1.16; later ones have notices of type
//! `warning` (`pebble §15`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::optional_duration;
use crate::version::Needed;
use crate::{Client, Error, Timestamp};

const WARNINGS: Needed = Needed::Before(16, "list the notices of type `warning` instead");

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Warning {
    /// Its text.
    pub message: String,
    /// When it first occurred.
    pub first_added: Timestamp,
    /// When it last occurred.
    pub last_added: Timestamp,
    /// When it was last shown.
    pub last_shown: Option<Timestamp>,
    /// After how long the daemon forgets it.
    #[serde(default, deserialize_with = "optional_duration")]
    pub expire_after: Option<Duration>,
    /// For how long it is not shown again.
    #[serde(default, deserialize_with = "optional_duration")]
    pub repeat_after: Option<Duration>,
}

#[derive(Serialize)]
struct Okay {
    action: &'static str,
    timestamp: String,
}

impl Client {
    /// Returns the warnings that were not acknowledged, or all of them.
    pub async fn warnings(&self, all: bool) -> Result<Vec<Warning>, Error> {
        let path = match all {
            true => "/v1/warnings?select=all",
            false => "/v1/warnings?select=pending",
        };
        let answer = self.get(path).await;
        let answer = self.explain(WARNINGS, "list warnings", answer).await?;
        let warnings: Option<Vec<Warning>> = answer.result;
        Ok(warnings.unwrap_or_default())
    }

    /// Acknowledges the warnings up to a point in time, and returns how many.
    pub async fn acknowledge_warnings(&self, until: Timestamp) -> Result<u32, Error> {
        let body = Okay {
            action: "okay",
            timestamp: until.to_string(),
        };
        let answer = self.post("/v1/warnings", &body).await;
        let answer = self.explain(WARNINGS, "acknowledge warnings", answer).await;
        Ok(answer?.result)
    }
}
