//! Statuses of the unit and its application.

use serde::Deserialize;

use super::Model;
use crate::ToolError;

/// Whose status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This unit's.
    Unit,
    /// The application's, which only the leader may read or set.
    App,
}

/// What a status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusName {
    /// Ready and doing its work.
    Active,
    /// An operator has to act.
    Blocked,
    /// The charm is at work on the unit.
    Maintenance,
    /// Something else has to happen first.
    Waiting,
    /// The unit failed. Only Juju sets it.
    Error,
    /// Nothing was set yet. Only Juju sets it.
    Unknown,
    /// A name of a newer Juju. Cannot be set.
    Other(String),
}

impl StatusName {
    /// The name as Juju writes it.
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

    /// Whether a charm may set it.
    pub fn is_settable(&self) -> bool {
        use StatusName::{Active, Blocked, Maintenance, Waiting};
        matches!(self, Active | Blocked | Maintenance | Waiting)
    }
}

impl From<&str> for StatusName {
    fn from(name: &str) -> Self {
        match name {
            "active" => StatusName::Active,
            "blocked" => StatusName::Blocked,
            "maintenance" => StatusName::Maintenance,
            "waiting" => StatusName::Waiting,
            "error" => StatusName::Error,
            "unknown" => StatusName::Unknown,
            other => StatusName::Other(other.to_owned()),
        }
    }
}

/// A status and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it says.
    pub name: StatusName,
    /// Text for the operator; may be empty, and is if the name is unknown.
    pub message: String,
}

impl Status {
    /// A status of this name and message.
    pub fn new(name: StatusName, message: impl Into<String>) -> Self {
        Status { name, message: message.into() }
    }

    /// Ready and doing its work.
    pub fn active(message: impl Into<String>) -> Self {
        Status::new(StatusName::Active, message)
    }
}

#[derive(Deserialize)]
struct Reported {
    status: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ReportedApplication {
    application_status: Reported,
}

impl From<Reported> for Status {
    fn from(reported: Reported) -> Self {
        let name = StatusName::from(reported.status.as_str());
        let message =
            if name == StatusName::Unknown { String::new() } else { reported.message };
        Status { name, message }
    }
}

impl Model {
    /// The status as this dispatch last read or set it, else as Juju has it.
    pub fn status_get(&mut self, scope: Scope) -> Result<Status, ToolError> {
        self.check_scope(scope, "status-get", "get")?;
        if let Some(status) = self.status(scope) {
            return Ok(status.clone());
        }
        let tool = "status-get";
        let status = match scope {
            Scope::Unit => {
                let args = ["--include-data", "--format=json", "--application=false"];
                Status::from(self.json::<Reported>(tool, &args)?)
            }
            Scope::App => {
                let args = ["--include-data", "--format=json", "--application=true"];
                Status::from(self.json::<ReportedApplication>(tool, &args)?.application_status)
            }
        };
        *self.status(scope) = Some(status.clone());
        Ok(status)
    }

    /// Sets a status, also one that is set already; it takes effect at once.
    pub fn status_set(&mut self, scope: Scope, status: &Status) -> Result<(), ToolError> {
        let tool = "status-set";
        self.check_scope(scope, tool, "set")?;
        let name = status.name.as_str();
        if !status.name.is_settable() {
            return Err(ToolError::invalid(
                tool,
                format!("cannot set the status {name}: a charm can set active, blocked, maintenance or waiting"),
            ));
        }
        let flag = match scope {
            Scope::Unit => "--application=False",
            Scope::App => "--application=True",
        };
        self.call(tool, &[flag, name, "--", &status.message])?;
        *self.status(scope) = Some(status.clone());
        Ok(())
    }

    fn status(&mut self, scope: Scope) -> &mut Option<Status> {
        match scope {
            Scope::Unit => &mut self.unit_status,
            Scope::App => &mut self.app_status,
        }
    }

    fn check_scope(&mut self, scope: Scope, tool: &str, verb: &str) -> Result<(), ToolError> {
        if scope == Scope::App && !self.is_leader()? {
            return Err(ToolError::not_leader(
                tool,
                format!("cannot {verb} the application's status: this unit is not the leader"),
            ));
        }
        Ok(())
    }
}
