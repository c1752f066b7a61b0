//! The format of scenario files of one unit. Names are those of
//! `ops.testing.State` where it has them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::Error;

/// The remote application where a user does not name one.
pub const REMOTE_APP: &str = "remote";

/// A scenario: the model at the start, the events, and what is expected.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The agent's version of Juju.
    pub juju_version: Option<String>,
    /// The model before the first event.
    #[serde(default)]
    pub state: State,
    /// The events in their order; without them, a whole lifecycle.
    pub events: Option<Vec<Step>>,
    /// What is expected at the end.
    pub expect: Option<Expect>,
}

/// The model before the first event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    pub leader: Option<bool>,
    pub config: Map<String, Value>,
    pub model: ModelSpec,
    pub relations: Vec<RelationSpec>,
    pub containers: Vec<ContainerSpec>,
    pub storages: Vec<StorageSpec>,
    pub secrets: Vec<SecretSpec>,
    /// The local path of each resource's file.
    pub resources: BTreeMap<String, String>,
    pub networks: Vec<NetworkSpec>,
    /// For example `80/tcp`.
    pub opened_ports: Vec<String>,
    pub planned_units: Option<u32>,
    pub unit_status: Option<StatusSpec>,
    pub app_status: Option<StatusSpec>,
    pub workload_version: Option<String>,
}

/// The model itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    pub name: Option<String>,
    pub uuid: Option<String>,
    /// `kubernetes` or another substrate, for example `lxd`.
    pub r#type: Option<String>,
    /// What `credential-get` returns to a trusted charm.
    pub cloud_spec: Option<Value>,
}

/// A relation. Which fields it takes depends on the endpoint: a peer relation
/// has `peers_data`, the others have a remote application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelationSpec {
    pub endpoint: String,
    pub id: Option<u32>,
    pub interface: Option<String>,
    pub remote_app_name: Option<String>,
    pub remote_app_data: Bag,
    /// By the number of the remote unit.
    pub remote_units_data: BTreeMap<String, Bag>,
    pub local_app_data: Bag,
    pub local_unit_data: Bag,
    /// By the number of the other unit.
    pub peers_data: BTreeMap<String, Bag>,
    pub remote_unit_id: Option<u32>,
    pub remote_unit_data: Bag,
    pub remote_model_uuid: Option<String>,
}

impl RelationSpec {
    /// The other units by their numbers, in whichever field they stand, with
    /// their databags.
    pub fn remote_units(&self) -> Vec<(String, &Bag)> {
        let listed = self.remote_units_data.iter().chain(&self.peers_data);
        let mut units: Vec<_> = listed.map(|(id, bag)| (id.clone(), bag)).collect();
        let subordinate = self.remote_unit_id.map(|id| id.to_string());
        if subordinate.is_some() || !self.remote_unit_data.is_empty() {
            units.push((
                subordinate.unwrap_or_else(|| "0".to_owned()),
                &self.remote_unit_data,
            ));
        }
        units
    }
}

/// A databag. Scalars are taken as the text they stand for.
pub type Bag = BTreeMap<String, Text>;

/// A scalar as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Text(text)),
            Value::Bool(value) => Ok(Text(value.to_string())),
            Value::Number(value) => Ok(Text(value.to_string())),
            other => Err(D::Error::custom(format!("{other} is not text"))),
        }
    }
}

/// A workload container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerSpec {
    pub name: String,
    /// Whether its Pebble runs before the first event.
    #[serde(default = "yes")]
    pub can_connect: bool,
    /// Layers of the image, by their labels: maps, or YAML text.
    #[serde(default)]
    pub layers: BTreeMap<String, Value>,
    /// Files of the image by their absolute paths.
    #[serde(default)]
    pub files: BTreeMap<String, FileSpec>,
}

/// A file: its text, or a map with its mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    pub content: String,
    pub mode: Option<u32>,
}

impl<'de> Deserialize<'de> for FileSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            content: String,
            mode: Option<u32>,
        }
        match Value::deserialize(deserializer)? {
            Value::String(content) => Ok(FileSpec {
                content,
                mode: None,
            }),
            value => {
                let Full { content, mode } = deserialise(value).map_err(D::Error::custom)?;
                Ok(FileSpec { content, mode })
            }
        }
    }
}

fn yes() -> bool {
    true
}

/// An instance of a storage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSpec {
    pub name: String,
    #[serde(default)]
    pub index: u32,
}

/// A secret.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSpec {
    pub id: Option<String>,
    pub label: Option<String>,
    /// `unit`, `app`, or the name of the remote application that owns it.
    pub owner: Option<String>,
    pub tracked_content: Bag,
    pub latest_content: Option<Bag>,
    pub description: Option<String>,
    pub expire: Option<String>,
    pub rotate: Option<String>,
    /// By the number of the relation: whom an own secret is granted to.
    pub remote_grants: BTreeMap<String, Vec<String>>,
}

/// The network of a binding.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSpec {
    pub binding_name: String,
    pub bind_addresses: Vec<BindAddressSpec>,
    pub ingress_addresses: Vec<String>,
    pub egress_subnets: Vec<String>,
}

/// A network interface with its addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BindAddressSpec {
    pub interface_name: String,
    pub mac_address: String,
    pub addresses: Vec<AddressSpec>,
}

/// An address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressSpec {
    pub hostname: String,
    pub value: String,
    pub cidr: String,
}

/// A status: `active`, or a map with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSpec {
    pub name: String,
    /// None where any message will do.
    pub message: Option<String>,
}

impl<'de> Deserialize<'de> for StatusSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            message: Option<String>,
        }
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(StatusSpec {
                name,
                message: None,
            }),
            value => {
                let Full { name, message } =
                    serde_json::from_value(value).map_err(D::Error::custom)?;
                Ok(StatusSpec { name, message })
            }
        }
    }
}

/// An event, with the changes of the model before it and what is expected
/// after it. An event that needs nothing can be written as its name.
#[derive(Debug, Clone, Default)]
pub struct Step(pub StepSpec);

/// The long form of a [`Step`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepSpec {
    /// A hook, or an action followed by `-action`.
    pub event: String,
    /// The parameters of an action.
    pub params: Option<Map<String, Value>>,
    /// Options that the operator changes.
    pub config: Option<Map<String, Value>>,
    /// The relation by its number, where the endpoint has several; or a new
    /// one, for `…-relation-created`.
    pub relation: Option<RelationRef>,
    /// The remote unit.
    pub unit: Option<String>,
    /// The remote unit's databag from now on.
    pub unit_data: Option<Bag>,
    /// The remote application's databag from now on.
    pub app_data: Option<Bag>,
    /// The unit that leaves, where it is not the remote one.
    pub departing_unit: Option<String>,
    /// The storage instance, for example `data/0`.
    pub storage: Option<String>,
    /// The secret, by its id or its label.
    pub secret: Option<String>,
    /// The revision of the secret.
    pub revision: Option<u32>,
    /// The content of a new revision of a remote secret.
    pub content: Option<Bag>,
    /// The notice in the container.
    pub notice: Option<NoticeSpec>,
    /// The check in the container.
    pub check: Option<String>,
    /// Whether the container is restarted before it is ready.
    pub restart: bool,
    /// Whether the operator resolves the error of a hook that failed, without
    /// running it again.
    pub resolved: bool,
    /// Whether the controller applies what the hook did, if it succeeded; it
    /// does unless this is false.
    pub applied: Option<bool>,
    /// What is expected after it.
    pub expect: Option<Expect>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Name(String),
            Full(Value),
        }
        let step = match Form::deserialize(deserializer)? {
            Form::Name(event) => StepSpec {
                event,
                ..StepSpec::default()
            },
            Form::Full(value) => deserialise(value).map_err(D::Error::custom)?,
        };
        if step.event.is_empty() {
            return Err(D::Error::custom(
                "a step has an event: a hook's name, or an action's followed by -action",
            ));
        }
        Ok(Step(step))
    }
}

/// A relation that is there, or a new one.
#[derive(Debug, Clone)]
pub enum RelationRef {
    Id(u32),
    New(Box<RelationSpec>),
}

impl<'de> Deserialize<'de> for RelationRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_u64().map(u32::try_from) {
            Some(Ok(id)) => Ok(RelationRef::Id(id)),
            Some(Err(error)) => Err(D::Error::custom(error)),
            None => Ok(RelationRef::New(
                deserialise(value).map_err(D::Error::custom)?,
            )),
        }
    }
}

/// A custom notice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeSpec {
    pub key: String,
    #[serde(default)]
    pub data: BTreeMap<String, Text>,
}

/// What is expected of the model, and after a step also of its dispatch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Of the dispatch; 0 by default.
    pub exit_code: Option<i32>,
    /// Calls of hook tools, as one would type them, in this order; there may
    /// be others between them.
    pub calls: Option<Vec<String>>,
    /// The events that are deferred after it, by their names with underscores.
    pub deferred: Option<Vec<String>>,
    /// Lines of the log, in this order: `INFO text`. A line is met by one that
    /// contains it.
    pub logs: Option<Vec<String>>,
    /// Of the action.
    pub action: Option<ActionExpect>,
    pub unit_status: Option<StatusSpec>,
    pub app_status: Option<StatusSpec>,
    pub workload_version: Option<String>,
    pub opened_ports: Option<Vec<String>>,
    /// Databags of relations: those that are named, whole.
    pub relations: Option<Vec<RelationExpect>>,
    pub secrets: Option<Vec<SecretExpect>>,
    /// Files of containers by container and path: their text, or null for one
    /// that must not exist.
    pub files: Option<BTreeMap<String, BTreeMap<String, Option<String>>>>,
    /// Services of containers by container and name: `active`, `inactive`.
    pub services: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

/// What is expected of an action.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionExpect {
    /// `completed` or `failed`.
    pub status: Option<String>,
    pub message: Option<String>,
    /// Those that are named.
    pub results: Option<Map<String, Value>>,
}

/// What is expected of a relation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationExpect {
    pub endpoint: String,
    pub id: Option<u32>,
    pub local_unit_data: Option<Bag>,
    pub local_app_data: Option<Bag>,
    pub remote_app_data: Option<Bag>,
    /// Of the remote units that are named.
    #[serde(default)]
    pub remote_units_data: BTreeMap<String, Bag>,
}

/// What is expected of a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretExpect {
    pub label: String,
    pub latest_content: Option<Bag>,
    pub revision: Option<u32>,
}

/// Reads a scenario file.
pub fn read(path: &Path) -> Result<Scenario, Error> {
    let reject = |detail: String| Error::Scenario {
        path: path.to_path_buf(),
        detail,
    };
    let text = std::fs::read_to_string(path).map_err(|error| reject(error.to_string()))?;
    parse(&text).map_err(reject)
}

/// The error names the path in the document and the known keys.
fn parse(text: &str) -> Result<Scenario, String> {
    match charmhost_yaml::parse_with_number_keys(text).map_err(|error| error.to_string())? {
        Value::Null => Ok(Scenario::default()),
        value @ Value::Object(_) => deserialise(value),
        _ => Err("it must be a map with state, events and expect".to_owned()),
    }
}

/// Reads a document. The error names the path in the document and the
/// known keys.
pub fn deserialise<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let location = match error.path().to_string() {
            path if path == "." => String::new(),
            path => format!("{path}: "),
        };
        let text = error.inner().to_string();
        let text = text
            .replace("unknown field", "unknown key")
            .replace("expected one of", "there are");
        format!("{location}{text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_names_or_maps() {
        let scenario = parse(
            "state: {leader: true, relations: [{endpoint: db, remote_units_data: {0: {port: 5432, ready: true}}}]}\nevents: [install, {event: config-changed, config: {a: 1}, expect: {unit_status: active}}]\n",
        )
        .unwrap();
        let events = scenario.events.unwrap();
        assert_eq!(events[0].0.event, "install");
        let expect = events[1].0.expect.as_ref().unwrap();
        assert_eq!(
            expect.unit_status,
            Some(StatusSpec {
                name: "active".to_owned(),
                message: None
            })
        );
        let data = &scenario.state.relations[0].remote_units_data["0"];
        assert_eq!(data["port"], Text("5432".to_owned()));
        assert_eq!(data["ready"], Text("true".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, wanted) in [
            (
                "stat: {}",
                "unknown key `stat`, there are `juju_version`, `state`, `events`, `expect`",
            ),
            (
                "state: {relations: [{endpont: db}]}",
                "state.relations[0].endpont: unknown key `endpont`, there are `endpoint`",
            ),
            (
                "events: [{event: start, exepct: {}}]",
                "events[0]: exepct: unknown key `exepct`",
            ),
            ("events: [{config: {}}]", "events[0]: a step has an event"),
            (
                "state: {leader: perhaps}",
                "state.leader: invalid type: string \"perhaps\", expected a boolean",
            ),
            (
                "state: {relations: [{endpoint: db, local_unit_data: {a: [1]}}]}",
                "state.relations[0].local_unit_data.a: [1] is not text",
            ),
            (
                "- install",
                "it must be a map with state, events and expect",
            ),
            ("a: [", "line"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text:?} gave {error:?}");
        }
    }
}
