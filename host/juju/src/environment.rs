//! What Juju says in the environment of a dispatch.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use charmhost_hook_tools::{AgentSocket, Options};

use crate::JujuVersion;

/// The environment of a dispatch, read once and never changed.
///
/// A variable that is missing and one that is empty are the same. What Juju
/// always sets but a person at a terminal may not is empty here
/// (`unit_name`, `dispatch_path`, the model); what is there and malformed is
/// an error, whether this event needs it or not. Numbers are below 2³¹.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The charm's directory, absolute and without symlinks: `JUJU_CHARM_DIR`,
    /// or the current directory, where Juju starts every dispatch, if that is
    /// not set.
    pub charm_dir: PathBuf,
    /// This unit, as `mysql/0`: `JUJU_UNIT_NAME`.
    pub unit_name: String,
    /// This unit's application, as `mysql`.
    pub app_name: String,
    /// `JUJU_MODEL_NAME`.
    pub model_name: String,
    /// `JUJU_MODEL_UUID`.
    pub model_uuid: String,
    /// The agent's version: `JUJU_VERSION`, `0.0.0` if that is not set.
    pub juju_version: JujuVersion,
    /// The hook, as `db-relation-changed`; empty in an action:
    /// `JUJU_HOOK_NAME`.
    pub hook_name: String,
    /// What to run, as `hooks/config-changed` or `actions/backup`:
    /// `JUJU_DISPATCH_PATH`.
    pub dispatch_path: String,
    /// `JUJU_AVAILABILITY_ZONE`.
    pub availability_zone: Option<String>,
    /// The machine, as `0` or `0/lxd/1`; none on Kubernetes:
    /// `JUJU_MACHINE_ID`.
    pub machine_id: Option<String>,
    /// The principal's unit, for a subordinate: `JUJU_PRINCIPAL_UNIT`.
    pub principal_unit: Option<String>,
    /// Whether a debug session runs: `JUJU_DEBUG` is there, even if empty.
    pub debug: bool,
    /// Where a debug session wants to stop: the items of `JUJU_DEBUG_AT`.
    pub debug_at: Vec<String>,
    /// The action: `JUJU_ACTION_NAME`.
    pub action_name: Option<String>,
    /// The action's id: `JUJU_ACTION_UUID`.
    pub action_id: Option<String>,
    /// The endpoint: `JUJU_RELATION`.
    pub relation_name: Option<String>,
    /// The 7 of `db:7`: `JUJU_RELATION_ID`.
    pub relation_id: Option<u32>,
    /// `JUJU_REMOTE_APP`.
    pub remote_app: Option<String>,
    /// `JUJU_REMOTE_UNIT`.
    pub remote_unit: Option<String>,
    /// `JUJU_DEPARTING_UNIT`.
    pub departing_unit: Option<String>,
    /// `JUJU_STORAGE_ID`, taken apart.
    pub storage: Option<StorageId>,
    /// `JUJU_STORAGE_LOCATION`.
    pub storage_location: Option<String>,
    /// `filesystem` or `block`: `JUJU_STORAGE_KIND`.
    pub storage_kind: Option<String>,
    /// The container: `JUJU_WORKLOAD_NAME`.
    pub workload_name: Option<String>,
    /// `JUJU_NOTICE_ID`.
    pub notice_id: Option<String>,
    /// `JUJU_NOTICE_TYPE`.
    pub notice_type: Option<String>,
    /// `JUJU_NOTICE_KEY`.
    pub notice_key: Option<String>,
    /// `JUJU_PEBBLE_CHECK_NAME`.
    pub check_name: Option<String>,
    /// `JUJU_SECRET_ID`.
    pub secret_id: Option<String>,
    /// `JUJU_SECRET_LABEL`.
    pub secret_label: Option<String>,
    /// `JUJU_SECRET_REVISION`.
    pub secret_revision: Option<u32>,
    /// How to reach the agent, if Juju says so.
    pub agent: Option<AgentSocket>,
    reentrant: bool,
}

/// The id of a storage instance, as `data/0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageId {
    /// The storage's name.
    pub name: String,
    /// The instance's number.
    pub index: u32,
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.index)
    }
}

/// The environment is not one that Juju makes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A variable has a value that cannot be read.
    #[error("cannot read {variable}: {value:?} is malformed; Juju sets it to {expected}")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What Juju sets there.
        expected: &'static str,
    },
    /// A variable that the event needs is missing or empty.
    #[error("cannot dispatch {event}: {variable} is not set; Juju sets it to {expected}")]
    Missing {
        /// The event.
        event: String,
        /// The variable.
        variable: &'static str,
        /// What Juju sets there.
        expected: &'static str,
    },
    /// A variable contradicts the event, the metadata, or another variable.
    #[error("cannot dispatch {event}: {variable} is {value:?}; Juju sets it to {expected}")]
    Contradiction {
        /// The event.
        event: String,
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What Juju sets there.
        expected: String,
    },
}

impl Environment {
    /// Reads the environment; `vars` is asked for each variable by name, as
    /// `std::env::var_os`.
    pub fn read(vars: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvironmentError> {
        let vars = Vars(&vars);
        let unit_name = vars.text_or_empty("JUJU_UNIT_NAME")?;
        let app_name = app_of_unit(&unit_name)?.to_owned();
        Ok(Environment {
            charm_dir: charm_dir(vars.path("JUJU_CHARM_DIR")),
            unit_name,
            app_name,
            model_name: vars.text_or_empty("JUJU_MODEL_NAME")?,
            model_uuid: vars.text_or_empty("JUJU_MODEL_UUID")?,
            juju_version: version(vars.text("JUJU_VERSION")?)?,
            hook_name: vars.text_or_empty("JUJU_HOOK_NAME")?,
            dispatch_path: vars.text_or_empty("JUJU_DISPATCH_PATH")?,
            availability_zone: vars.text("JUJU_AVAILABILITY_ZONE")?,
            machine_id: vars.text("JUJU_MACHINE_ID")?,
            principal_unit: vars.text("JUJU_PRINCIPAL_UNIT")?,
            debug: vars.is_set("JUJU_DEBUG"),
            debug_at: items(vars.text("JUJU_DEBUG_AT")?),
            action_name: vars.text("JUJU_ACTION_NAME")?,
            action_id: vars.text("JUJU_ACTION_UUID")?,
            relation_name: vars.text("JUJU_RELATION")?,
            relation_id: relation_id(vars.text("JUJU_RELATION_ID")?)?,
            remote_app: vars.text("JUJU_REMOTE_APP")?,
            remote_unit: vars.text("JUJU_REMOTE_UNIT")?,
            departing_unit: vars.text("JUJU_DEPARTING_UNIT")?,
            storage: storage_id(vars.text("JUJU_STORAGE_ID")?)?,
            storage_location: vars.text("JUJU_STORAGE_LOCATION")?,
            storage_kind: vars.text("JUJU_STORAGE_KIND")?,
            workload_name: vars.text("JUJU_WORKLOAD_NAME")?,
            notice_id: vars.text("JUJU_NOTICE_ID")?,
            notice_type: vars.text("JUJU_NOTICE_TYPE")?,
            notice_key: vars.text("JUJU_NOTICE_KEY")?,
            check_name: vars.text("JUJU_PEBBLE_CHECK_NAME")?,
            secret_id: vars.text("JUJU_SECRET_ID")?,
            secret_label: vars.text("JUJU_SECRET_LABEL")?,
            secret_revision: secret_revision(vars.text("JUJU_SECRET_REVISION")?)?,
            agent: agent(&vars)?,
            reentrant: vars.is_set("OPERATOR_DISPATCH"),
        })
    }

    /// The event's name as ops calls it: the last part of the dispatch path
    /// with `_` for `-`, and `_action` after it if the part before is
    /// `actions`. Empty if there is no path.
    pub fn event_name(&self) -> String {
        let path = Path::new(&self.dispatch_path);
        let last = |path: &Path| {
            path.file_name()
                .and_then(|name| name.to_str().map(str::to_owned))
        };
        let Some(mut name) = last(path) else {
            return String::new();
        };
        if name.contains('-') {
            name = name.replace('-', "_");
        }
        if path.parent().and_then(last).as_deref() == Some("actions") {
            name.push_str("_action");
        }
        name
    }

    /// How the hook tools of the agent are called, for
    /// [`charmhost_hook_tools::AgentTransport`]. `CHARMHOST_HOOK_TOOLS` may
    /// force a way.
    pub fn hook_tools(&self, vars: impl Fn(&str) -> Option<OsString>) -> Options {
        let text = |name: &str| {
            let value = vars(name).unwrap_or_default();
            value.to_string_lossy().into_owned()
        };
        let needed = ["JUJU_AGENT_SOCKET_ADDRESS", "JUJU_CONTEXT_ID"];
        let missing = needed.into_iter().find(|name| text(name).is_empty());
        Options {
            agent: self
                .agent
                .clone()
                .ok_or(missing.unwrap_or("JUJU_AGENT_SOCKET_ADDRESS")),
            charm_dir: self.charm_dir.clone(),
            juju_version: text("JUJU_VERSION"),
            path: vars("PATH"),
            choice: text("CHARMHOST_HOOK_TOOLS"),
        }
    }

    /// Whether Juju runs this in a restricted context, where few hook tools
    /// answer: metrics and meter status (Juju before 3.6.11).
    pub fn is_restricted(&self) -> bool {
        matches!(
            self.event_name().as_str(),
            "collect_metrics" | "meter_status_changed"
        )
    }

    /// Whether this dispatch was started from within another, which exits with
    /// success at once: `OPERATOR_DISPATCH` is there.
    pub fn is_reentrant(&self) -> bool {
        self.reentrant
    }
}

struct Vars<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Vars<'_> {
    fn is_set(&self, variable: &str) -> bool {
        (self.0)(variable).is_some()
    }

    fn path(&self, variable: &str) -> Option<PathBuf> {
        (self.0)(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    fn text(&self, variable: &'static str) -> Result<Option<String>, EnvironmentError> {
        let Some(value) = (self.0)(variable).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value
            .into_string()
            .map(Some)
            .map_err(|value| EnvironmentError::Malformed {
                variable,
                value: value.to_string_lossy().into_owned(),
                expected: "text in UTF-8",
            })
    }

    fn text_or_empty(&self, variable: &'static str) -> Result<String, EnvironmentError> {
        Ok(self.text(variable)?.unwrap_or_default())
    }
}

fn charm_dir(path: Option<PathBuf>) -> PathBuf {
    let path = path.unwrap_or_else(|| PathBuf::from("."));
    // A directory that does not exist gets its error when the metadata is read.
    path.canonicalize()
        .or_else(|_| std::path::absolute(&path))
        .unwrap_or(path)
}

fn malformed<T>(
    variable: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, EnvironmentError> {
    Err(EnvironmentError::Malformed {
        variable,
        value: value.to_owned(),
        expected,
    })
}

fn app_of_unit(unit: &str) -> Result<&str, EnvironmentError> {
    match unit.split_once('/') {
        Some((app, number)) if !app.is_empty() && !number.is_empty() => Ok(app),
        _ if unit.is_empty() => Ok(""),
        _ => malformed(
            "JUJU_UNIT_NAME",
            unit,
            "an application and a number, as mysql/0",
        ),
    }
}

fn version(value: Option<String>) -> Result<JujuVersion, EnvironmentError> {
    let Some(value) = value else {
        return Ok(JujuVersion::default());
    };
    value.parse().or_else(|_| {
        malformed(
            "JUJU_VERSION",
            &value,
            "its agent's version, as 3.6.28 or 4.1-beta2.1",
        )
    })
}

fn items(value: Option<String>) -> Vec<String> {
    let items = value.iter().flat_map(|value| value.split(','));
    items
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Reads decimal digits; signs and blanks are not digits.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<i32>()
        .ok()
        .filter(|_| digits)
        .and_then(|number| u32::try_from(number).ok())
}

fn relation_id(value: Option<String>) -> Result<Option<u32>, EnvironmentError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let digits = value
        .rsplit_once(':')
        .map_or(value.as_str(), |(_, digits)| digits);
    match number(digits) {
        Some(id) => Ok(Some(id)),
        None => malformed(
            "JUJU_RELATION_ID",
            &value,
            "an endpoint and a number, as db:7",
        ),
    }
}

fn storage_id(value: Option<String>) -> Result<Option<StorageId>, EnvironmentError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let parsed = value.split_once('/').and_then(|(name, index)| {
        Some(StorageId {
            name: name.to_owned(),
            index: number(index)?,
        })
    });
    match parsed {
        Some(id) if !id.name.is_empty() => Ok(Some(id)),
        _ => malformed(
            "JUJU_STORAGE_ID",
            &value,
            "a storage's name and a number, as data/0",
        ),
    }
}

fn secret_revision(value: Option<String>) -> Result<Option<u32>, EnvironmentError> {
    let Some(value) = value else {
        return Ok(None);
    };
    match number(&value) {
        Some(revision) => Ok(Some(revision)),
        None => malformed("JUJU_SECRET_REVISION", &value, "a number, as 3"),
    }
}

fn agent(vars: &Vars) -> Result<Option<AgentSocket>, EnvironmentError> {
    let address = vars.text("JUJU_AGENT_SOCKET_ADDRESS")?;
    let context_id = vars.text("JUJU_CONTEXT_ID")?;
    let (Some(address), Some(context_id)) = (address, context_id) else {
        return Ok(None);
    };
    let network = vars
        .text("JUJU_AGENT_SOCKET_NETWORK")?
        .unwrap_or_else(|| "unix".to_owned());
    Ok(Some(AgentSocket {
        network,
        address,
        context_id,
    }))
}

#[cfg(test)]
mod tests;
