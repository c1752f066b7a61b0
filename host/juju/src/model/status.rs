//! The status of this unit and of its application (`status-get`, `status-set`;
//! ops §13.1, ops §13.2). The evaluation of statuses (ops §13.3) is the
//! framework's.
//!
//! Cache (ops §9): reading caches what was read, setting caches what was set.
//! Setting an equal status again runs the tool again.

use std::fmt;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// Of which entity a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This unit.
    Unit,
    /// This unit's application.
    App,
}

/// The kind of a status (ops §13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the status of its name")]
pub enum StatusName {
    Active,
    Blocked,
    Maintenance,
    Waiting,
    Error,
    Unknown,
    /// A name that this version of charmhost does not know.
    Other(String),
}

impl StatusName {
    /// The statuses that a charm can set. A later one outranks an earlier one
    /// when statuses are evaluated (ops §13.3).
    pub const SETTABLE: [StatusName; 4] = [
        StatusName::Active,
        StatusName::Waiting,
        StatusName::Maintenance,
        StatusName::Blocked,
    ];

    /// The statuses that only Juju sets.
    const READ_ONLY: [StatusName; 2] = [StatusName::Error, StatusName::Unknown];

    /// Returns the name that Juju uses.
    pub fn as_str(&self) -> &str {
        match self {
            StatusName::Active => "active",
            StatusName::Blocked => "blocked",
            StatusName::Maintenance => "maintenance",
            StatusName::Waiting => "waiting",
            StatusName::Error => "error",
            StatusName::Unknown => "unknown",
            StatusName::Other(name) => name,
        }
    }

    /// Returns the status of a name that Juju uses.
    pub fn from_juju(name: &str) -> Self {
        let mut known = StatusName::SETTABLE
            .into_iter()
            .chain(StatusName::READ_ONLY);
        known
            .find(|known| known.as_str() == name)
            .unwrap_or_else(|| StatusName::Other(name.to_owned()))
    }

    /// Returns the rank among the statuses that a charm can set; none for one
    /// that it cannot set.
    pub fn rank(&self) -> Option<usize> {
        StatusName::SETTABLE.iter().position(|other| other == self)
    }

    /// Returns the reason why a charm cannot set a status, for messages; none if
    /// it can.
    pub fn refusal(&self) -> Option<String> {
        if self.rank().is_some() {
            return None;
        }
        let mut names = StatusName::SETTABLE.map(|name| name.to_string());
        names.sort();
        let [first, second, third, last] = names;
        Some(format!(
            "a charm can set {first}, {second}, {third} and {last}"
        ))
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusValue {
    /// Which status it is.
    pub name: StatusName,
    /// The message for the operator.
    pub message: String,
}

/// The statuses that were read or set in this dispatch.
#[derive(Debug, Default)]
pub(super) struct StatusCache {
    unit: Option<StatusValue>,
    app: Option<StatusValue>,
}

impl StatusCache {
    fn of(&mut self, scope: Scope) -> &mut Option<StatusValue> {
        match scope {
            Scope::Unit => &mut self.unit,
            Scope::App => &mut self.app,
        }
    }
}

impl Model {
    /// Returns the current status; that of the application only to the leader
    /// (ops §13.2).
    pub fn status(&mut self, scope: Scope) -> Result<StatusValue, ToolError> {
        let event = "Attempted to get application status when not leader";
        self.check_status_access(scope, "status-get", "read", event)?;
        if let Some(status) = self.statuses.of(scope) {
            return Ok(status.clone());
        }
        let of_app = match scope {
            Scope::Unit => "--application=false",
            Scope::App => "--application=true",
        };
        let mut value =
            self.call_json("status-get", &["--include-data", "--format=json", of_app])?;
        if scope == Scope::App
            && let Some(inner) = value.get_mut("application-status")
        {
            value = inner.take();
        }
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let Some(name) = text("status") else {
            return Err(unexpected("status-get", "a status", &value));
        };
        let name = StatusName::from_juju(name);
        let message = match name {
            StatusName::Unknown => String::new(),
            _ => text("message").unwrap_or_default().to_owned(),
        };
        let status = StatusValue { name, message };
        *self.statuses.of(scope) = Some(status.clone());
        Ok(status)
    }

    /// Sets a status, at once; that of the application only for the leader
    /// (ops §13.2).
    pub fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), ToolError> {
        if let Some(refusal) = status.name.refusal() {
            let text = format!("cannot set the status {}: {refusal}", status.name);
            return Err(ToolError::invalid("status-set", text));
        }
        let event = "Attempted to set application status when not leader.";
        self.check_status_access(scope, "status-set", "set", event)?;
        let of_app = match scope {
            Scope::Unit => "--application=False",
            Scope::App => "--application=True",
        };
        self.call(
            "status-set",
            &[of_app, status.name.as_str(), "--", &status.message],
        )?;
        *self.statuses.of(scope) = Some(status.clone());
        Ok(())
    }

    /// Refuses access to the application's status to a unit that does not lead,
    /// and logs the security event.
    fn check_status_access(
        &mut self,
        scope: Scope,
        tool: &str,
        verb: &str,
        event: &str,
    ) -> Result<(), ToolError> {
        if scope == Scope::Unit || self.is_leader()? {
            return Ok(());
        }
        self.log_not_leader(tool, event);
        Err(ToolError::NotLeader {
            tool: tool.to_owned(),
            text: format!("only the leader may {verb} the application's status"),
        })
    }
}
