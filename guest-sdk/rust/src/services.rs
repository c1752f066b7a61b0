//! Services of workload containers.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::bindings::pebble as wit;
use crate::container::names;
use crate::error::ModelResult;
use crate::layer::words;
use crate::{Container, Result, time};

words! {
    /// Whether a service or a check starts automatically.
    Startup {
        /// It does.
        Enabled = "enabled",
        /// It does not.
        Disabled = "disabled",
    }
}

/// What a service does now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceStatus {
    /// It runs.
    Active,
    /// It does not run.
    Inactive,
    /// It exited and is about to be started again.
    Backoff,
    /// It failed and is not started again.
    Error,
    /// A word of a newer Pebble.
    Other(String),
}

/// A service of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// Whether it starts automatically.
    pub startup: Startup,
    /// What it does now.
    pub current: ServiceStatus,
    /// When `current` last changed; `None` if it was never started.
    pub current_since: Option<SystemTime>,
}

impl ServiceInfo {
    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        self.current == ServiceStatus::Active
    }
}

/// A container whose services are started and stopped with a time limit:
/// [`Container::waiting`]. The methods return the id of the change that they begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting<'a> {
    container: &'a Container,
    seconds: Option<f64>,
}

impl Container {
    /// Sets how long the next call waits for services to start and stop, instead of 30
    /// seconds. With [`Duration::ZERO`] it does not wait: the change goes on, and
    /// [`Container::wait_change`] waits for it later.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// # use std::time::Duration;
    /// # fn handler() -> Result<()> {
    /// let web = unit().container("web");
    /// let change = web.waiting(Duration::ZERO).replan()?;
    /// // …
    /// if let Some(err) = web.wait_change(&change, Duration::from_secs(90))?.err {
    ///     log::error!("{err}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn waiting(&self, limit: Duration) -> Waiting<'_> {
        Waiting {
            container: self,
            seconds: Some(limit.as_secs_f64()),
        }
    }

    /// Waits as long as ops does: 30 seconds.
    fn waiting_as_ops(&self) -> Waiting<'_> {
        Waiting {
            container: self,
            seconds: None,
        }
    }

    /// Returns all services.
    #[track_caller]
    pub fn services(&self) -> Result<Vec<ServiceInfo>> {
        let services = wit::services(self.name(), &[]).model()?;
        Ok(services.into_iter().map(service).collect())
    }

    /// Returns the service with a name, if it exists.
    #[track_caller]
    pub fn service(&self, name: &str) -> Result<Option<ServiceInfo>> {
        let services = wit::services(self.name(), &[name.to_owned()]).model()?;
        Ok(services.into_iter().map(service).next())
    }

    /// Starts the services that start automatically, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn autostart(&self) -> Result<()> {
        self.waiting_as_ops().autostart().map(drop)
    }

    /// Restarts services whose configuration changed, starts those that start
    /// automatically, and waits for that for up to 30 seconds.
    #[track_caller]
    pub fn replan(&self) -> Result<()> {
        self.waiting_as_ops().replan().map(drop)
    }

    /// Starts services and their requirements, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn start<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        self.waiting_as_ops().start(services).map(drop)
    }

    /// Stops services and those that require them, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn stop<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        self.waiting_as_ops().stop(services).map(drop)
    }

    /// Restarts services, starts those that are stopped, and waits for that for up
    /// to 30 seconds.
    #[track_caller]
    pub fn restart<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        self.waiting_as_ops().restart(services).map(drop)
    }

    /// Sends a signal, for example `SIGHUP`, to the main processes of services.
    #[track_caller]
    pub fn send_signal<N: Into<String>>(
        &self,
        signal: &str,
        services: impl IntoIterator<Item = N>,
    ) -> Result<()> {
        wit::send_signal(self.name(), signal, &names(services)).model()
    }
}

impl Waiting<'_> {
    /// Starts the services that start automatically.
    #[track_caller]
    pub fn autostart(&self) -> Result<String> {
        wit::autostart(self.container.name(), self.seconds).model()
    }

    /// Restarts services whose configuration changed, and starts those that start
    /// automatically.
    #[track_caller]
    pub fn replan(&self) -> Result<String> {
        wit::replan(self.container.name(), self.seconds).model()
    }

    /// Starts services and their requirements.
    #[track_caller]
    pub fn start<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<String> {
        wit::start_services(self.container.name(), &names(services), self.seconds).model()
    }

    /// Stops services and those that require them.
    #[track_caller]
    pub fn stop<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<String> {
        wit::stop_services(self.container.name(), &names(services), self.seconds).model()
    }

    /// Restarts services, and starts those that are stopped.
    #[track_caller]
    pub fn restart<N: Into<String>>(
        &self,
        services: impl IntoIterator<Item = N>,
    ) -> Result<String> {
        wit::restart_services(self.container.name(), &names(services), self.seconds).model()
    }
}

fn service(service: wit::ServiceInfo) -> ServiceInfo {
    ServiceInfo {
        name: service.name,
        startup: match service.startup {
            wit::ServiceStartup::Enabled => Startup::Enabled,
            wit::ServiceStartup::Disabled => Startup::Disabled,
            wit::ServiceStartup::Other(word) => Startup::Other(word),
        },
        current: match service.current {
            wit::ServiceStatus::Active => ServiceStatus::Active,
            wit::ServiceStatus::Inactive => ServiceStatus::Inactive,
            wit::ServiceStatus::Backoff => ServiceStatus::Backoff,
            wit::ServiceStatus::Error => ServiceStatus::Error,
            wit::ServiceStatus::Other(word) => ServiceStatus::Other(word),
        },
        current_since: service.current_since.map(time::from_seconds),
    }
}
