//! `/v1/checks` (`pebble §14`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::client::{each, named, with_query};
use crate::version::Needed;
use crate::wire::{optional_word, words};
use crate::{Client, Error};

/// How long a check may run on demand, unless the caller says otherwise.
const REFRESH: Duration = Duration::from_secs(30);
/// Versions in which checks can be started and stopped.
const STARTED: Needed = Needed::Since(19);
/// Versions in which checks can be run on demand.
const REFRESHED: Needed = Needed::Since(20);

words! {
    /// What a check is about.
    CheckLevel {
        /// Whether the workload is alive.
        Alive = "alive",
        /// Whether the workload is ready to serve.
        Ready = "ready",
    }
}

words! {
    /// Whether a check starts by itself.
    CheckStartup {
        /// It does.
        Enabled = "enabled",
        /// It does not.
        Disabled = "disabled",
    }
}

words! {
    /// What a check has found.
    CheckStatus {
        /// The workload is well, or the check has not run.
        Up = "up",
        /// It failed as often in a row as its threshold.
        Down = "down",
        /// The check was stopped.
        Inactive = "inactive",
    }
}

/// A check of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckInfo {
    /// Its name.
    pub name: String,
    /// Its level.
    #[serde(default, deserialize_with = "optional_word")]
    pub level: Option<CheckLevel>,
    /// Whether it starts by itself; none before v1.19.
    #[serde(default, deserialize_with = "optional_word")]
    pub startup: Option<CheckStartup>,
    /// What it has found.
    pub status: CheckStatus,
    /// How often it succeeded in a row; none before v1.23.
    pub successes: Option<u32>,
    /// How often it failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// With how many failures in a row it is down.
    #[serde(default)]
    pub threshold: u32,
    /// The change that runs it; none if it is inactive, and before v1.11.
    #[serde(default, deserialize_with = "optional_word")]
    pub change_id: Option<String>,
}

/// The result of a check that was run on demand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRefresh {
    /// The check after the run.
    pub info: CheckInfo,
    /// Why the run failed.
    #[serde(default, deserialize_with = "optional_word")]
    pub error: Option<String>,
}

#[derive(Serialize)]
struct Act<'a> {
    action: &'a str,
    checks: &'a [String],
}

#[derive(Deserialize)]
struct Changed {
    /// `null` for none before v1.28.
    changed: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Refresh<'a> {
    name: &'a str,
}

impl Client {
    /// Returns the checks of these names and this level, or all for none, sorted by
    /// name. Skips unknown names.
    pub async fn checks(
        &self,
        names: &[String],
        level: Option<&CheckLevel>,
    ) -> Result<Vec<CheckInfo>, Error> {
        let checks: Option<Vec<CheckInfo>> = self
            .get(&selected("/v1/checks", names, level))
            .await?
            .result;
        Ok(checks.unwrap_or_default())
    }

    /// Starts checks, and returns the names of those that were not running.
    pub async fn start_checks(&self, names: &[String]) -> Result<Vec<String>, Error> {
        self.act_on_checks("start", names).await
    }

    /// Stops checks, and returns the names of those that were running.
    pub async fn stop_checks(&self, names: &[String]) -> Result<Vec<String>, Error> {
        self.act_on_checks("stop", names).await
    }

    async fn act_on_checks(&self, action: &str, names: &[String]) -> Result<Vec<String>, Error> {
        let verb = format!("{action} checks");
        named(&verb, names)?;
        let body = Act {
            action,
            checks: names,
        };
        let answer = self.post::<Changed>("/v1/checks", &body).await;
        let answer = self.explain(STARTED, &verb, answer).await?;
        Ok(answer.result.changed.unwrap_or_default())
    }

    /// Runs a check and waits for it, for 30 seconds without another limit: there are
    /// checks for which the daemon never answers (`pebble §14`).
    pub async fn refresh_check(
        &self,
        name: &str,
        limit: Option<Duration>,
    ) -> Result<CheckRefresh, Error> {
        let limit = limit.unwrap_or(REFRESH);
        let body = Refresh { name };
        let answer = self.post_within::<CheckRefresh>("/v1/checks/refresh", &body, limit);
        let answer = timeout(limit, answer).await.map_err(|_| Error::Timeout {
            doing: format!("run the check {name}"),
            limit,
            change: None,
        })?;
        let answer = self
            .explain(REFRESHED, "run a check on demand", answer)
            .await;
        Ok(answer?.result)
    }
}

/// The path for the checks of these names and this level.
pub(crate) fn selected(path: &str, names: &[String], level: Option<&CheckLevel>) -> String {
    let level = level.map(|level| ("level", level.as_str()));
    with_query(path, each("names", names).chain(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_check_may_be_missing() {
        let old: CheckInfo =
            serde_json::from_str(r#"{"name":"a","level":"","status":"up","threshold":3}"#).unwrap();
        assert_eq!(
            (old.level, old.startup, old.successes, old.change_id),
            (None, None, None, None)
        );
        let new: CheckInfo = serde_json::from_str(
            r#"{"name":"a","level":"alive","startup":"enabled","status":"paused","successes":2,
                "failures":1,"threshold":3,"change-id":"7","prev-change-id":"6"}"#,
        )
        .unwrap();
        assert_eq!(new.level, Some(CheckLevel::Alive));
        assert_eq!(new.startup, Some(CheckStartup::Enabled));
        assert_eq!(new.status, CheckStatus::Other("paused".to_owned()));
        assert_eq!(new.status.as_str(), "paused");
        assert_eq!(
            (new.successes, new.change_id.as_deref()),
            (Some(2), Some("7"))
        );
    }

    #[test]
    fn no_changed_checks_may_be_null() {
        for text in [r#"{"changed":null}"#, "{}"] {
            let changed: Changed = serde_json::from_str(text).unwrap();
            assert_eq!(changed.changed, None);
        }
    }
}
