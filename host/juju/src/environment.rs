//! The environment of a dispatch (ops §1, juju §1.3).

pub(crate) mod event_variables;
mod guest_variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use charmhost_hook_tools::{AgentOptions, AgentSocket};

use crate::events::dispatch_path;
use crate::events::table::EventKind;
use crate::version::JujuVersion;
use event_variables::{ACTION_NAME, RELATION_ID, REMOTE_APP};

/// The environment of a dispatch, read once and never changed.
///
/// A variable that is empty counts as missing. A missing variable that Juju
/// always sets (`unit_name`, `dispatch_path`, the model) is an empty string; a
/// malformed one is an error, whether this event needs it or not. Numbers are
/// less than 2³¹.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The charm's directory, absolute and without symlinks: `JUJU_CHARM_DIR`,
    /// or else the current directory, in which Juju starts every dispatch.
    pub charm_dir: PathBuf,
    /// This unit, for example `mysql/0`: `JUJU_UNIT_NAME`.
    pub unit_name: String,
    /// This unit's application, for example `mysql`.
    pub app_name: String,
    /// `JUJU_MODEL_NAME`.
    pub model_name: String,
    /// `JUJU_MODEL_UUID`.
    pub model_uuid: String,
    /// The agent's version: `JUJU_VERSION`, or else `0.0.0`.
    pub juju_version: JujuVersion,
    /// The hook, for example `db-relation-changed`; empty in an action:
    /// `JUJU_HOOK_NAME`. It does not decide which event is dispatched.
    pub hook_name: String,
    /// The program of the event, for example `hooks/config-changed` or
    /// `actions/backup`: `JUJU_DISPATCH_PATH`.
    pub dispatch_path: String,
    /// `JUJU_AVAILABILITY_ZONE`.
    pub availability_zone: Option<String>,
    /// The machine, for example `0` or `0/lxd/1`; none on Kubernetes:
    /// `JUJU_MACHINE_ID`.
    pub machine_id: Option<String>,
    /// The principal unit of a subordinate: `JUJU_PRINCIPAL_UNIT`.
    pub principal_unit: Option<String>,
    /// Whether log lines are copied to standard error: `JUJU_DEBUG` is set, even
    /// if empty.
    pub debug: bool,
    /// The action: `JUJU_ACTION_NAME`.
    pub action_name: Option<String>,
    /// The agent's socket, if its variables are set.
    pub agent: Option<AgentSocket>,
    /// The variables of the table of events; none for one that is not set.
    event_variables: BTreeMap<&'static str, Option<String>>,
    is_reentrant: bool,
}

/// An environment that Juju does not create.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The value of a variable is malformed.
    #[error("cannot read {variable}: {value:?} is malformed; Juju sets it to {expected}")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What Juju sets it to.
        expected: &'static str,
    },
    /// A variable that the event needs is missing or empty.
    #[error("cannot dispatch {event}: {variable} is not set; Juju sets it to {expected}")]
    Missing {
        /// The event.
        event: String,
        /// The variable.
        variable: &'static str,
        /// What Juju sets it to.
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
        /// What Juju sets it to.
        expected: String,
    },
}

impl Environment {
    /// Reads the environment; `vars` returns a variable by its name, like
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
            action_name: vars.text(ACTION_NAME.name)?,
            event_variables: event_variables(&vars)?,
            agent: agent(&vars)?,
            is_reentrant: vars.is_set("OPERATOR_DISPATCH"),
        })
    }

    /// Returns the variables of the table of events that are set.
    pub fn event_variables(&self) -> BTreeMap<String, String> {
        let set =
            |(name, value): (&&str, &Option<String>)| Some(((*name).to_owned(), value.clone()?));
        self.event_variables.iter().filter_map(set).collect()
    }

    /// Returns a variable of the table of events, if it is set.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.event_variables.get(name)?.as_deref()
    }

    /// Returns the number of the relation: the 7 of `db:7`.
    pub(crate) fn relation_id(&self) -> Option<u32> {
        let text = self.variable(RELATION_ID.name)?;
        RELATION_ID.form.parse(text)?.as_u64()?.try_into().ok()
    }

    /// Returns the remote application of the relation.
    pub(crate) fn remote_app(&self) -> Option<&str> {
        self.variable(REMOTE_APP.name)
    }

    /// Returns the event's name that ops uses, for example `config_changed`; empty
    /// without a dispatch path (ops §2.3).
    pub fn event_name(&self) -> String {
        dispatch_path::event_name(&self.dispatch_path)
    }

    /// Returns the options of [`charmhost_hook_tools::AgentTransport`].
    /// `CHARMHOST_HOOK_TOOLS` can force a transport.
    pub fn hook_tools(&self, vars: impl Fn(&str) -> Option<OsString>) -> AgentOptions {
        let text = |name: &str| {
            let value = vars(name).unwrap_or_default();
            value.to_string_lossy().into_owned()
        };
        let needed = ["JUJU_AGENT_SOCKET_ADDRESS", "JUJU_CONTEXT_ID"];
        let missing = needed.into_iter().find(|name| text(name).is_empty());
        AgentOptions {
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

    /// Whether Juju runs this dispatch in a restricted context (ops §2.5).
    pub fn is_restricted(&self) -> bool {
        dispatch_path::is_restricted(&self.event_name())
    }

    /// Whether another dispatch started this one, which then exits with success
    /// at once: `OPERATOR_DISPATCH` is set, even if empty (ops §2.2).
    pub fn is_reentrant(&self) -> bool {
        self.is_reentrant
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
            "an application and a number, for example mysql/0",
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
            "its agent's version, for example 3.6.28 or 4.1-beta2.1",
        )
    })
}

/// Reads the variables of the table of events, whichever event is dispatched: a
/// malformed one is an error in any case (ops §2.6).
fn event_variables(
    vars: &Vars,
) -> Result<BTreeMap<&'static str, Option<String>>, EnvironmentError> {
    let mut found = BTreeMap::new();
    let fields = EventKind::ALL.iter().flat_map(|kind| kind.row().fields);
    for variable in fields.map(|field| field.variable) {
        if found.contains_key(variable.name) {
            continue;
        }
        let value = vars.text(variable.name)?;
        if let Some(text) = &value
            && variable.form.parse(text).is_none()
        {
            return malformed(variable.name, text, variable.expected);
        }
        found.insert(variable.name, value);
    }
    Ok(found)
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
