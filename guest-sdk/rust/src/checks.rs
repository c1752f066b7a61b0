//! Checks of workload containers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bindings::pebble as wit;
use crate::container::names;
use crate::error::ModelResult;
use crate::layer::words;
use crate::{Container, Result, Startup};

words! {
    /// Level of a check.
    CheckLevel {
        /// Whether the workload is alive.
        Alive = "alive",
        /// Whether the workload is ready to serve.
        Ready = "ready",
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckStatus {
    /// The workload is well, or the check has not run yet.
    Up,
    /// It failed as often in a row as its threshold.
    Down,
    /// The check was stopped.
    Inactive,
    /// A word of a newer Pebble.
    Other(String),
}

/// A check of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckInfo {
    /// Its name.
    pub name: String,
    /// Its level, if it has one.
    pub level: Option<CheckLevel>,
    /// Whether it starts automatically; `None` before Pebble v1.19.
    pub startup: Option<Startup>,
    /// What it has found.
    pub status: CheckStatus,
    /// Number of consecutive successes; `None` before Pebble v1.23.
    pub successes: Option<u32>,
    /// Number of consecutive failures.
    pub failures: u32,
    /// Number of consecutive failures at which it is down.
    pub threshold: u32,
    /// The change that runs it; `None` if it is inactive, or before Pebble v1.11.
    pub change_id: Option<String>,
}

impl CheckInfo {
    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.status == CheckStatus::Up
    }

    /// Whether it has run since it was started: one that has not is up too. Before
    /// Pebble v1.23 only failures are known.
    pub fn has_run(&self) -> bool {
        self.failures > 0 || self.successes.is_some_and(|successes| successes > 0)
    }
}

/// The result of a check that was run on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckRefresh {
    /// The check after the run.
    pub info: CheckInfo,
    /// Why the run failed; `None` if it succeeded.
    pub error: Option<String>,
}

impl Container {
    /// Returns all checks.
    #[track_caller]
    pub fn checks(&self) -> Result<Vec<CheckInfo>> {
        let checks = wit::checks(self.name(), &[], None).model()?;
        Ok(checks.into_iter().map(check).collect())
    }

    /// Returns the checks of a level.
    #[track_caller]
    pub fn checks_at(&self, level: CheckLevel) -> Result<Vec<CheckInfo>> {
        let checks = wit::checks(self.name(), &[], Some(&to_wit(level))).model()?;
        Ok(checks.into_iter().map(check).collect())
    }

    /// Returns the check with a name, if it exists.
    #[track_caller]
    pub fn check(&self, name: &str) -> Result<Option<CheckInfo>> {
        let checks = wit::checks(self.name(), &[name.to_owned()], None).model()?;
        Ok(checks.into_iter().map(check).next())
    }

    /// Whether no check is down.
    #[track_caller]
    pub fn is_healthy(&self) -> Result<bool> {
        wit::health(self.name(), &[], None).model()
    }

    /// Whether no check of a level is down; to be ready, it must be alive too.
    #[track_caller]
    pub fn is_healthy_at(&self, level: CheckLevel) -> Result<bool> {
        wit::health(self.name(), &[], Some(&to_wit(level))).model()
    }

    /// Starts checks, and returns the names of those that were not running.
    #[track_caller]
    pub fn start_checks<N: Into<String>>(
        &self,
        checks: impl IntoIterator<Item = N>,
    ) -> Result<Vec<String>> {
        wit::start_checks(self.name(), &names(checks)).model()
    }

    /// Stops checks, and returns the names of those that were running.
    #[track_caller]
    pub fn stop_checks<N: Into<String>>(
        &self,
        checks: impl IntoIterator<Item = N>,
    ) -> Result<Vec<String>> {
        wit::stop_checks(self.name(), &names(checks)).model()
    }

    /// Runs a check now, and waits for it up to a limit.
    #[track_caller]
    pub fn refresh_check(&self, name: &str, limit: Duration) -> Result<CheckRefresh> {
        let limit = Some(limit.as_secs_f64());
        let refresh = wit::refresh_check(self.name(), name, limit).model()?;
        Ok(CheckRefresh {
            info: check(refresh.info),
            error: refresh.error,
        })
    }
}

fn to_wit(level: CheckLevel) -> wit::CheckLevel {
    match level {
        CheckLevel::Alive => wit::CheckLevel::Alive,
        CheckLevel::Ready => wit::CheckLevel::Ready,
        CheckLevel::Other(word) => wit::CheckLevel::Other(word),
    }
}

fn check(check: wit::CheckInfo) -> CheckInfo {
    CheckInfo {
        name: check.name,
        level: check.level.map(|level| match level {
            wit::CheckLevel::Alive => CheckLevel::Alive,
            wit::CheckLevel::Ready => CheckLevel::Ready,
            wit::CheckLevel::Other(word) => CheckLevel::Other(word),
        }),
        startup: check.startup.map(|startup| match startup {
            wit::CheckStartup::Enabled => Startup::Enabled,
            wit::CheckStartup::Disabled => Startup::Disabled,
            wit::CheckStartup::Other(word) => Startup::Other(word),
        }),
        status: match check.status {
            wit::CheckStatus::Up => CheckStatus::Up,
            wit::CheckStatus::Down => CheckStatus::Down,
            wit::CheckStatus::Inactive => CheckStatus::Inactive,
            wit::CheckStatus::Other(word) => CheckStatus::Other(word),
        },
        successes: check.successes,
        failures: check.failures,
        threshold: check.threshold,
        change_id: check.change_id,
    }
}
