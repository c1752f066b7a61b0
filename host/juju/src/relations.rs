//! Relations and their databags, with ops's rules about who may read and write
//! what, and about what is asked once.

use std::collections::{BTreeMap, BTreeSet};

use charmhost_hook_tools::ToolError;
use serde_json::{Map, Value};

use crate::{Environment, Metadata, Model, Role};

/// What a databag holds.
pub type Databag = BTreeMap<String, String>;

/// A relation as this unit sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The endpoint's name.
    pub endpoint: String,
    /// The relation's number, the 7 of `db:7`.
    pub id: u32,
    /// The remote application, the own one on a peer relation; none if Juju no
    /// longer knows it.
    pub app: Option<String>,
    /// The remote units, in Juju's order. The own unit is never among them.
    pub units: Vec<String>,
    /// Whether it exists: not while it is being broken, nor afterwards.
    pub active: bool,
}

/// Whose databag of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This unit.
    ThisUnit,
    /// This unit's application.
    ThisApp,
    /// A unit, by its name.
    Unit(String),
    /// An application, by its name.
    App(String),
}

/// One of the databags that this unit can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// This unit's.
    Unit,
    /// The application's, which only the leader can write.
    App,
}

/// The relation of the event being dispatched.
#[derive(Debug, Clone)]
struct EventRelation {
    id: u32,
    app: Option<String>,
    broken: bool,
}

/// The relations of a unit for the time of one dispatch: what was listed or
/// read is kept, what was written is seen.
#[derive(Debug, Default)]
pub struct Relations {
    unit: String,
    app: String,
    endpoints: BTreeSet<String>,
    peers: BTreeSet<String>,
    event: Option<EventRelation>,
    listed: BTreeMap<String, Vec<Relation>>,
    bags: BTreeMap<(u32, String), Databag>,
}

impl Relations {
    /// Nothing is asked yet.
    pub fn new(environment: &Environment, metadata: &Metadata) -> Self {
        let endpoints = metadata.relations.iter();
        let peers = endpoints.filter(|(_, endpoint)| endpoint.role == Role::Peer);
        let event = environment.relation_id.map(|id| EventRelation {
            id,
            app: environment.remote_app.clone(),
            // ops §1: the hook's name decides nothing.
            broken: environment.event_name().ends_with("_relation_broken"),
        });
        Relations {
            unit: environment.unit_name.clone(),
            app: environment.app_name.clone(),
            peers: peers.map(|(name, _)| name.clone()).collect(),
            endpoints: metadata.relations.keys().cloned().collect(),
            event,
            ..Relations::default()
        }
    }

    /// The relations of an endpoint, without one that is being broken.
    pub fn list(&mut self, model: &mut Model, endpoint: &str) -> Result<&[Relation], ToolError> {
        self.check_endpoint("relation-ids", endpoint)?;
        let relations = match self.listed.remove(endpoint) {
            Some(relations) => relations,
            None => self.ask(model, endpoint)?,
        };
        Ok(self.listed.entry(endpoint.to_owned()).or_insert(relations))
    }

    fn ask(&self, model: &mut Model, endpoint: &str) -> Result<Vec<Relation>, ToolError> {
        let listed = model.call_json("relation-ids", &[endpoint, "--format=json"]);
        let listed = listed.map_err(gone_if_denied)?;
        let mut relations = Vec::new();
        for id in strings("relation-ids", &listed)? {
            let number = id.rsplit_once(':').and_then(|(_, id)| id.parse().ok());
            let Some(id) = number else {
                let text = format!("its output has no relation id: {id:?}");
                return Err(ToolError::unexpected("relation-ids", text));
            };
            if !self.is_broken(id) {
                relations.push(self.load(model, endpoint, id)?);
            }
        }
        Ok(relations)
    }

    /// One relation. One that Juju does not list is given as it was, inactive.
    pub fn get(
        &mut self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
    ) -> Result<Relation, ToolError> {
        let listed = self.list(model, endpoint)?;
        if let Some(relation) = listed.iter().find(|relation| relation.id == id) {
            return Ok(relation.clone());
        }
        let relation = self.load(model, endpoint, id)?;
        Ok(Relation {
            active: false,
            ..relation
        })
    }

    fn load(&self, model: &mut Model, endpoint: &str, id: u32) -> Result<Relation, ToolError> {
        let name = format!("{endpoint}:{id}");
        let listed = model.call_json("relation-list", &["--format=json", "-r", &name]);
        let (units, active) = match listed {
            Ok(units) => (strings("relation-list", &units)?, true),
            Err(error) if is_gone(&error) => (Vec::new(), false),
            Err(error) => return Err(error),
        };
        let of_first = units.first().and_then(|unit| unit.split_once('/'));
        let event = self.event.as_ref().filter(|event| event.id == id);
        let app = if self.peers.contains(endpoint) {
            Some(self.app.clone())
        } else if let Some((app, _)) = of_first {
            Some(app.to_owned())
        } else if let Some(app) = event.and_then(|event| event.app.clone()) {
            Some(app)
        } else {
            match model.call_json("relation-list", &["--format=json", "--app", "-r", &name]) {
                Ok(app) => app.as_str().map(str::to_owned),
                Err(error) if is_gone(&error) => None,
                Err(error) => return Err(error),
            }
        };
        Ok(Relation {
            endpoint: endpoint.to_owned(),
            id,
            app,
            units,
            active,
        })
    }

    /// What a databag holds; nothing if the relation is gone.
    pub fn read(
        &mut self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
        owner: &Owner,
    ) -> Result<&Databag, ToolError> {
        self.check_endpoint("relation-get", endpoint)?;
        let (entity, of_app) = self.entity(owner)?;
        if of_app && !self.is_inactive(endpoint, id) {
            self.check_read(model, endpoint, id, &entity)?;
        }
        self.bag(model, endpoint, id, entity, of_app)
    }

    /// Who may read an application's databag of an active relation (ops §11.5).
    /// Anybody may read the remote one's, but ops makes sure of leadership
    /// first, and so the same calls are made here.
    fn check_read(
        &mut self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
        entity: &str,
    ) -> Result<(), ToolError> {
        if model.is_leader()? || entity != self.app || self.peers.contains(endpoint) {
            return Ok(());
        }
        // Not even Juju may know the relation any more.
        self.list(model, endpoint)?;
        if self.is_inactive(endpoint, id) {
            return Ok(());
        }
        Err(ToolError::NotLeader {
            tool: "relation-get".to_owned(),
            text: format!(
                "{} is not the leader, and only the leader may read its application's data of the relation {endpoint}",
                self.unit
            ),
        })
    }

    fn bag(
        &mut self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
        entity: String,
        of_app: bool,
    ) -> Result<&Databag, ToolError> {
        let key = (id, entity);
        let bag = match self.bags.remove(&key) {
            Some(bag) => bag,
            None => self.fetch(model, endpoint, id, &key.1, of_app)?,
        };
        Ok(self.bags.entry(key).or_insert(bag))
    }

    fn fetch(
        &self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
        entity: &str,
        of_app: bool,
    ) -> Result<Databag, ToolError> {
        let name = format!("{endpoint}:{id}");
        let mut args = vec!["--format=json", "-r", &name];
        args.extend(of_app.then_some("--app"));
        args.extend(["-", entity]);
        let data = match model.call_json("relation-get", &args) {
            Ok(data) => data,
            // A follower is refused its own application's data of a relation
            // that exists, too.
            Err(error @ ToolError::PermissionDenied { .. })
                if of_app
                    && entity == self.app
                    && !self.peers.contains(endpoint)
                    && !model.is_leader()? =>
            {
                model.log_refusal();
                return Err(error);
            }
            Err(error) if is_gone(&error) => return Ok(Databag::new()),
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

    /// Changes one of the own databags: keys to their values, or to none to
    /// remove them. What would change nothing is not sent.
    pub fn write(
        &mut self,
        model: &mut Model,
        endpoint: &str,
        id: u32,
        own: Own,
        changes: &[(String, Option<String>)],
    ) -> Result<(), ToolError> {
        self.check_endpoint("relation-set", endpoint)?;
        let of_app = own == Own::App;
        if of_app && !model.is_leader()? {
            return Err(ToolError::NotLeader {
                tool: "relation-set".to_owned(),
                text: format!(
                    "{} is not the leader, and only the leader may write its application's data of the relation {endpoint}",
                    self.unit
                ),
            });
        }
        if changes.iter().any(|(key, _)| key.is_empty()) {
            let text = "a key of a databag cannot be empty";
            return Err(ToolError::invalid("relation-set", text));
        }
        let entity = if of_app { &self.app } else { &self.unit }.clone();
        let bag = self.bag(model, endpoint, id, entity.clone(), of_app)?;
        let mut wanted = bag.clone();
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
        if sent.is_empty() {
            return Ok(());
        }
        let name = format!("{endpoint}:{id}");
        let mut args = vec!["-r", &name];
        args.extend(of_app.then_some("--app"));
        args.extend(["--file", "-"]);
        // Juju reads it as YAML, which JSON is not for every character
        // (juju-hook-tools, relation-set).
        let input = charmhost_yaml::to_string(&Value::Object(sent));
        match model.call_with("relation-set", &args, Some(input.as_bytes())) {
            Ok(_) => {}
            // What a follower is refused is its application's data, which is
            // no word about the relation (ops §8.1).
            Err(error @ ToolError::PermissionDenied { .. }) if of_app && !model.is_leader()? => {
                model.log_refusal();
                return Err(error);
            }
            Err(error) => return Err(gone_if_denied(error)),
        }
        self.bags.insert((id, entity), wanted);
        Ok(())
    }

    fn is_broken(&self, id: u32) -> bool {
        let event = self.event.as_ref();
        event.is_some_and(|event| event.broken && event.id == id)
    }

    /// Whether it is known, without a call, that a relation is not active: the
    /// event breaks it, or Juju does not list it.
    fn is_inactive(&self, endpoint: &str, id: u32) -> bool {
        let is_active = |listed: &Vec<Relation>| {
            listed
                .iter()
                .any(|relation| relation.id == id && relation.active)
        };
        self.is_broken(id) || !self.listed.get(endpoint).is_none_or(is_active)
    }

    /// The name that Juju knows an owner by, and whether it is an application.
    fn entity(&self, owner: &Owner) -> Result<(String, bool), ToolError> {
        let refuse = |what: &str, name: &str| {
            let text = format!("{name:?} is not the name of {what}");
            Err(ToolError::invalid("relation-get", text))
        };
        match owner {
            Owner::ThisUnit => Ok((self.unit.clone(), false)),
            Owner::ThisApp => Ok((self.app.clone(), true)),
            Owner::Unit(name) => match name.split_once('/') {
                Some((app, number)) if is_app(app) && number.parse::<u32>().is_ok() => {
                    Ok((name.clone(), false))
                }
                _ => refuse("a unit, as mysql/0 is", name),
            },
            Owner::App(name) if is_app(name) => Ok((name.clone(), true)),
            Owner::App(name) => refuse("an application", name),
        }
    }

    fn check_endpoint(&self, tool: &str, endpoint: &str) -> Result<(), ToolError> {
        if self.endpoints.contains(endpoint) {
            return Ok(());
        }
        let names: Vec<&str> = self.endpoints.iter().map(String::as_str).collect();
        let known = match names.is_empty() {
            true => "no endpoints".to_owned(),
            false => names.join(", "),
        };
        Err(ToolError::NotFound {
            tool: tool.to_owned(),
            text: format!("there is no endpoint {endpoint:?}: the charm has {known}"),
        })
    }
}

/// An application's name, which is also never taken for an option.
fn is_app(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Juju denies access to a relation that is gone (ops §8.1).
fn is_gone(error: &ToolError) -> bool {
    match error {
        ToolError::RelationGone { .. } => true,
        ToolError::PermissionDenied { text, .. } => {
            text.to_lowercase().contains("permission denied")
        }
        _ => false,
    }
}

fn gone_if_denied(error: ToolError) -> ToolError {
    match error {
        ToolError::PermissionDenied { tool, text } if is_gone(&error) => {
            ToolError::RelationGone { tool, text }
        }
        other => other,
    }
}

fn strings(tool: &str, value: &Value) -> Result<Vec<String>, ToolError> {
    let unexpected = || ToolError::unexpected(tool, format!("its output is not a list: {value}"));
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(unexpected);
            items.iter().map(text).collect()
        }
        _ => Err(unexpected()),
    }
}

#[cfg(test)]
mod tests;
