//! `/v1/services` (`pebble §6`).

use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::client::{each, named, with_query};
use crate::wire::words;
use crate::{Client, Error, Timestamp};

/// How long services may take to start and stop: 30 seconds, as in ops
/// (`pebble §22`).
const SERVICES: Duration = Duration::from_secs(30);

words! {
    /// Whether a service starts by itself.
    ServiceStartup {
        /// It does.
        Enabled = "enabled",
        /// It does not.
        Disabled = "disabled",
    }
}

words! {
    /// What a service does.
    ServiceStatus {
        /// It runs.
        Active = "active",
        /// It does not run.
        Inactive = "inactive",
        /// It exited and is about to be started again.
        Backoff = "backoff",
        /// It failed and is not started again.
        Error = "error",
    }
}

/// A service of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// Whether it starts by itself.
    pub startup: ServiceStartup,
    /// What it does.
    pub current: ServiceStatus,
    /// When that last changed; none if it was never started.
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
        let path = with_query("/v1/services", each("names", names));
        let services: Option<Vec<ServiceInfo>> = self.get(&path).await?.result;
        Ok(services.unwrap_or_default())
    }

    /// Starts the services that start by themselves.
    ///
    /// Like every action on services, it waits 30 seconds without another limit, and
    /// not at all with a limit of zero, and returns the id of the change.
    pub async fn autostart(&self, wait: Option<Duration>) -> Result<String, Error> {
        self.act("autostart", &[], wait).await
    }

    /// Restarts the services whose configuration changed, and starts those that start
    /// by themselves.
    pub async fn replan(&self, wait: Option<Duration>) -> Result<String, Error> {
        self.act("replan", &[], wait).await
    }

    /// Starts services and what they require.
    pub async fn start(
        &self,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        named("start services", services)?;
        self.act("start", services, wait).await
    }

    /// Stops services and what requires them.
    pub async fn stop(&self, services: &[String], wait: Option<Duration>) -> Result<String, Error> {
        named("stop services", services)?;
        self.act("stop", services, wait).await
    }

    /// Stops services if they run, and starts them.
    pub async fn restart(
        &self,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        named("restart services", services)?;
        match self.act("restart", services, wait).await {
            Err(Error::Api { status: 400, .. }) => self.stop_and_start(services, wait).await,
            done => done,
        }
    }

    /// Restarts services with a daemon that rejects `restart` (`ops §18.1`).
    async fn stop_and_start(
        &self,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        let began = Instant::now();
        let running = self.services(services).await?.into_iter();
        let running: Vec<String> = running
            .filter(|service| service.current == ServiceStatus::Active)
            .map(|service| service.name)
            .collect();
        if !running.is_empty() {
            // A service that is still stopping cannot be started (pebble §9).
            let limit = wait.filter(|wait| !wait.is_zero());
            self.act("stop", &running, limit).await?;
        }
        let left = match wait {
            Some(wait) if wait.is_zero() => wait,
            // Zero would mean not to wait.
            wait => wait
                .unwrap_or(SERVICES)
                .saturating_sub(began.elapsed())
                .max(Duration::from_millis(1)),
        };
        self.act("start", services, Some(left)).await
    }

    async fn act(
        &self,
        action: &str,
        services: &[String],
        wait: Option<Duration>,
    ) -> Result<String, Error> {
        let body = Act { action, services };
        let answer = self.post::<IgnoredAny>("/v1/services", &body).await?;
        let id = answer.change()?;
        let wait = wait.unwrap_or(SERVICES);
        if !wait.is_zero() {
            let change = self.wait_change(id, Some(wait)).await?;
            if change.err.is_some() {
                return Err(Error::Change(Box::new(change)));
            }
        }
        Ok(id.to_owned())
    }
}
