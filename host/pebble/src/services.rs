//! `/v1/services` (`pebble §6`).

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::client::by_names;
use crate::{Client, Error};

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
    /// When that last changed: RFC 3339.
    pub current_since: Option<String>,
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

    /// Starts the services that are enabled, and waits for the change.
    pub async fn autostart(&self) -> Result<(), Error> {
        self.act("autostart", &[]).await
    }

    /// Restarts the services whose configuration changed, starts those that
    /// are enabled, and waits for the change.
    pub async fn replan(&self) -> Result<(), Error> {
        self.act("replan", &[]).await
    }

    /// Starts services and what they require, and waits for the change.
    pub async fn start(&self, services: &[String]) -> Result<(), Error> {
        self.act_on("start", services).await
    }

    /// Stops services and what requires them, and waits for the change.
    pub async fn stop(&self, services: &[String]) -> Result<(), Error> {
        self.act_on("stop", services).await
    }

    /// Stops services if they run, starts them, and waits for the change.
    pub async fn restart(&self, services: &[String]) -> Result<(), Error> {
        self.act_on("restart", services).await
    }

    async fn act_on(&self, action: &str, services: &[String]) -> Result<(), Error> {
        if services.is_empty() {
            let detail = format!("cannot {action} services: name at least one");
            return Err(Error::Invalid(detail));
        }
        self.act(action, services).await
    }

    /// Waits at most 30 seconds, and fails with the error of the change.
    async fn act(&self, action: &str, services: &[String]) -> Result<(), Error> {
        let body = Act { action, services };
        let answer = self.post::<IgnoredAny>("/v1/services", &body).await?;
        self.wait_change(answer.change()?, Some(SERVICES))
            .await
            .map(drop)
    }
}
