//! Relation data: one databag for each unit and application of a relation
//! (`relation-get`, `relation-set`; ops §11.4, ops §11.5, ops §11.7).
//!
//! Cache (ops §9): a databag is read as a whole, once per dispatch; a write that
//! succeeded changes it. A write is compared with the databag first, so that
//! only keys that change are sent.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;
use serde_json::{Map, Value};

use super::Model;

/// The content of a databag.
pub type Databag = BTreeMap<String, String>;

/// The unit or application that a databag belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabagOwner {
    /// This unit.
    ThisUnit,
    /// This unit's application.
    ThisApp,
    /// A unit, by its name.
    Unit(String),
    /// An application, by its name.
    App(String),
}

/// A databag that this unit can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnDatabag {
    /// That of this unit.
    Unit,
    /// That of this unit's application, for the leader.
    App,
}

/// The databags that were read or written in this dispatch, by relation and
/// owner.
#[derive(Debug, Default)]
pub(super) struct DatabagCache(BTreeMap<(u32, String), Databag>);

impl Model {
    /// Returns the content of a databag; empty if the relation is gone
    /// (ops §11.7).
    pub fn relation_data(
        &mut self,
        endpoint: &str,
        id: u32,
        owner: &DatabagOwner,
    ) -> Result<&Databag, ToolError> {
        self.check_endpoint("relation-get", endpoint)?;
        let (entity, of_app) = self.entity(owner)?;
        if of_app && !self.is_inactive(endpoint, id) {
            self.check_read(endpoint, id, &entity)?;
        }
        self.databag(endpoint, id, entity, of_app)
    }

    /// Changes keys of a databag of this unit or its application: a key without
    /// a value is removed. Changes without an effect are not sent (ops §11.5).
    pub fn update_relation_data(
        &mut self,
        endpoint: &str,
        id: u32,
        databag: OwnDatabag,
        changes: &[(String, Option<String>)],
    ) -> Result<(), ToolError> {
        self.check_endpoint("relation-set", endpoint)?;
        let of_app = databag == OwnDatabag::App;
        if of_app && !self.is_leader()? {
            return Err(self.not_leader("relation-set", "write", endpoint));
        }
        if changes.iter().any(|(key, _)| key.is_empty()) {
            let text = "a key of a databag cannot be empty";
            return Err(ToolError::invalid("relation-set", text));
        }
        let entity = match databag {
            OwnDatabag::App => self.unit.app.clone(),
            OwnDatabag::Unit => self.unit.name.clone(),
        };
        let current = self.databag(endpoint, id, entity.clone(), of_app)?;
        let (wanted, sent) = difference(current, changes);
        if sent.is_empty() {
            return Ok(());
        }
        self.send(endpoint, id, of_app, sent)?;
        self.databags.0.insert((id, entity), wanted);
        Ok(())
    }

    /// Checks that an application's databag of an active relation may be read
    /// (ops §11.5). Every unit may read that of the remote application, but ops
    /// asks for leadership first, and so do we.
    fn check_read(&mut self, endpoint: &str, id: u32, entity: &str) -> Result<(), ToolError> {
        if self.is_leader()? || entity != self.unit.app || self.is_peer(endpoint) {
            return Ok(());
        }
        // Juju may no longer know the relation.
        self.relations(endpoint)?;
        if self.is_inactive(endpoint, id) {
            return Ok(());
        }
        Err(self.not_leader("relation-get", "read", endpoint))
    }

    fn not_leader(&self, tool: &str, verb: &str, endpoint: &str) -> ToolError {
        ToolError::NotLeader {
            tool: tool.to_owned(),
            text: format!(
                "{} is not the leader, and only the leader may {verb} its application's data of the relation {endpoint}",
                self.unit.name
            ),
        }
    }

    fn databag(
        &mut self,
        endpoint: &str,
        id: u32,
        entity: String,
        of_app: bool,
    ) -> Result<&Databag, ToolError> {
        let key = (id, entity);
        let bag = match self.databags.0.remove(&key) {
            Some(bag) => bag,
            None => self.read_databag(endpoint, id, &key.1, of_app)?,
        };
        Ok(self.databags.0.entry(key).or_insert(bag))
    }

    fn read_databag(
        &mut self,
        endpoint: &str,
        id: u32,
        entity: &str,
        of_app: bool,
    ) -> Result<Databag, ToolError> {
        let name = format!("{endpoint}:{id}");
        let mut args = vec!["--format=json", "-r", &name];
        args.extend(of_app.then_some("--app"));
        args.extend(["-", entity]);
        let data = match self.call_json("relation-get", &args) {
            Ok(data) => data,
            // A follower is denied its own application's data of a relation
            // that exists, too (ops §8).
            Err(error @ ToolError::PermissionDenied { .. })
                if of_app
                    && entity == self.unit.app
                    && !self.is_peer(endpoint)
                    && !self.is_leader()? =>
            {
                self.log_refusal();
                return Err(error);
            }
            Err(error) if error.is_relation_gone() => return Ok(Databag::new()),
            Err(error) => return Err(error),
        };
        let map = match data {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other => {
                let text = format!("its output is not a map: {other}");
                return Err(ToolError::unexpected("relation-get", text));
            }
        };
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(map.into_iter().map(|(k, v)| (k, text(v))).collect())
    }

    fn send(
        &mut self,
        endpoint: &str,
        id: u32,
        of_app: bool,
        changes: Map<String, Value>,
    ) -> Result<(), ToolError> {
        let name = format!("{endpoint}:{id}");
        let mut args = vec!["-r", &name];
        args.extend(of_app.then_some("--app"));
        args.extend(["--file", "-"]);
        // Juju reads it as YAML, which JSON is not for every character
        // (juju §3.3).
        let input = charmhost_yaml::to_string(&Value::Object(changes));
        match self.call_with_input("relation-set", &args, Some(input.as_bytes())) {
            Ok(_) => Ok(()),
            // A follower is denied its application's data; this says nothing
            // about the relation (ops §8).
            Err(error @ ToolError::PermissionDenied { .. }) if of_app && !self.is_leader()? => {
                self.log_refusal();
                Err(error)
            }
            Err(error) => Err(error.relation_gone_if_denied()),
        }
    }

    /// Returns the name by which Juju knows an owner, and whether it is an
    /// application.
    fn entity(&self, owner: &DatabagOwner) -> Result<(String, bool), ToolError> {
        let reject = |what: &str, name: &str| {
            let text = format!("{name:?} is not the name of {what}");
            Err(ToolError::invalid("relation-get", text))
        };
        match owner {
            DatabagOwner::ThisUnit => Ok((self.unit.name.clone(), false)),
            DatabagOwner::ThisApp => Ok((self.unit.app.clone(), true)),
            DatabagOwner::Unit(name) => match name.split_once('/') {
                Some((app, number)) if is_app(app) && number.parse::<u32>().is_ok() => {
                    Ok((name.clone(), false))
                }
                _ => reject("a unit, for example mysql/0", name),
            },
            DatabagOwner::App(name) if is_app(name) => Ok((name.clone(), true)),
            DatabagOwner::App(name) => reject("an application", name),
        }
    }
}

/// Returns a databag after changes, and the changes that have an effect on it:
/// Juju removes a key that is set to an empty string.
fn difference(
    current: &Databag,
    changes: &[(String, Option<String>)],
) -> (Databag, Map<String, Value>) {
    let mut wanted = current.clone();
    let mut sent = Map::new();
    for (key, value) in changes {
        let value = value.as_deref().unwrap_or_default();
        if wanted.get(key).map_or("", String::as_str) == value {
            continue;
        }
        sent.insert(key.clone(), value.into());
        match value {
            "" => wanted.remove(key),
            value => wanted.insert(key.clone(), value.to_owned()),
        };
    }
    (wanted, sent)
}

/// Whether a name is that of an application, which is never taken for a flag.
fn is_app(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
