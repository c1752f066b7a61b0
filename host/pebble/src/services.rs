//! `/v1/services` (`pebble §6`).

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::client::by_names;
use crate::{Client, Error, Timestamp};

/// How long services may take to start and stop: 30 seconds, as in ops
/// (`pebble §22`).
const SERVICES: Duration = Duration::from_secs(30);

/// A service of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// `enabled` or `disabled`.
    pub startup: String,
    /// `active`, `inactive`, `backoff` or `error`.
    pub current: String,
    /// When that last changed.
    pub current_since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Act<'a> {
    action: &'a str,
    services: &'a [String],
}

impl Client {
    /// Returns the services of these names, or all for no names, sorted by name.
    /// Skips unknown names.
    pub async fn services(&self, names: &[String]) -> Result<Vec<ServiceInfo>, Error> {
        let services: Option<Vec<ServiceInfo>> =
            self.get(&by_names("/v1/services", names)).await?.result;
        Ok(services.unwrap_or_default())
    }

    /// Starts the services that are enabled. Waits for the change for 30 seconds,
    /// or for `wait`; not at all if that is 0. Returns the id of the change.
    pub async fn autostart(&self, wait: Option<Duration>) -> Result<String, Error> {
        self.act("autostart", &[], wait).await
    }

    /// Restarts the services whose configuration changed and starts those that
    /// are enabled. Waits as [`Client::autostart`].
    pub async fn replan(&self, wait: Option<Duration>) -> Result<String, Error> {
        self.act("replan", &[], wait).await
    }

    /// Starts services and what they require. Waits as [`Client::autostart`].
    pub async fn start(
        &self,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        self.act_on("start", services, wait).await
    }

    /// Stops services and what requires them. Waits as [`Client::autostart`].
    pub async fn stop(&self, services: &[String], wait: Option<Duration>) -> Result<String, Error> {
        self.act_on("stop", services, wait).await
    }

    /// Stops services if they run, and starts them. Waits as
    /// [`Client::autostart`].
    pub async fn restart(
        &self,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        self.act_on("restart", services, wait).await
    }

    async fn act_on(
        &self,
        action: &str,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        if services.is_empty() {
            let detail = format!("cannot {action} services: name at least one");
            return Err(Error::Invalid(detail));
        }
        self.act(action, services, wait).await
    }

    async fn act(
        &self,
        action: &str,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        let body = Act { action, services };
        let answer = self.post::<IgnoredAny>("/v1/services", &body).await?;
        let change = answer.change()?;
        let wait = wait.unwrap_or(SERVICES);
        if !wait.is_zero() {
            self.wait_change(change, Some(wait)).await?;
        }
        Ok(change.to_owned())
    }
}
