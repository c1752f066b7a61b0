//! The relations of this unit (`relation-ids`, `relation-list`,
//! `relation-model-get`; ops §11.1, ops §11.2, ops §11.3, ops §11.7). Their data is
//! in [`super::databags`].
//!
//! Cache (ops §9): the relations of an endpoint are listed once per dispatch; a
//! list that failed is read again (ops caches an empty one, a defect). A
//! relation that is not listed is looked up each time. The model of the remote
//! application is read once for each relation.

use std::collections::BTreeMap;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;
use crate::environment::Environment;
use crate::metadata::Role;

/// A relation as this unit sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The endpoint's name.
    pub endpoint: String,
    /// The relation's number: the 7 of `db:7`.
    pub id: u32,
    /// The remote application; this application in a peer relation; none if
    /// Juju no longer knows it.
    pub app: Option<String>,
    /// The remote units in Juju's order, without this unit.
    pub units: Vec<String>,
    /// Whether the relation exists: false while it is being broken and
    /// afterwards.
    pub active: bool,
}

/// The relation of the dispatched event.
#[derive(Debug, Clone)]
struct EventRelation {
    id: u32,
    app: Option<String>,
    is_broken: bool,
}

/// The relations that were listed in this dispatch.
#[derive(Debug)]
pub(super) struct RelationCache {
    event: Option<EventRelation>,
    listed: BTreeMap<String, Vec<Relation>>,
    /// The models of remote applications by the number of the relation.
    models: BTreeMap<u32, String>,
}

impl RelationCache {
    pub fn new(environment: &Environment) -> Self {
        let event = environment.relation_id().map(|id| EventRelation {
            id,
            app: environment.remote_app().map(str::to_owned),
            // The dispatch path decides, not JUJU_HOOK_NAME (ops §1).
            is_broken: environment.event_name().ends_with("_relation_broken"),
        });
        RelationCache {
            event,
            listed: BTreeMap::new(),
            models: BTreeMap::new(),
        }
    }

    fn is_broken(&self, id: u32) -> bool {
        let event = self.event.as_ref();
        event.is_some_and(|event| event.is_broken && event.id == id)
    }
}

impl Model {
    /// Returns the relations of an endpoint, without the one that the dispatched
    /// event breaks (ops §11.1).
    pub fn relations(&mut self, endpoint: &str) -> Result<&[Relation], ToolError> {
        self.check_endpoint("relation-ids", endpoint)?;
        let relations = match self.relations.listed.remove(endpoint) {
            Some(relations) => relations,
            None => self.list_relations(endpoint)?,
        };
        let listed = &mut self.relations.listed;
        Ok(listed.entry(endpoint.to_owned()).or_insert(relations))
    }

    /// Returns a relation by its number; one that is not listed as inactive
    /// (ops §11.2).
    pub fn relation(&mut self, endpoint: &str, id: u32) -> Result<Relation, ToolError> {
        let listed = self.relations(endpoint)?;
        if let Some(relation) = listed.iter().find(|relation| relation.id == id) {
            return Ok(relation.clone());
        }
        let relation = self.load_relation(endpoint, id)?;
        Ok(Relation {
            active: false,
            ..relation
        })
    }

    /// Returns the UUID of the model that the remote application of a relation is
    /// in.
    pub fn relation_model_uuid(&mut self, endpoint: &str, id: u32) -> Result<String, ToolError> {
        const TOOL: &str = "relation-model-get";
        self.check_endpoint(TOOL, endpoint)?;
        if let Some(uuid) = self.relations.models.get(&id) {
            return Ok(uuid.clone());
        }
        let name = format!("{endpoint}:{id}");
        let model = self.call_json(TOOL, &["--format=json", "-r", &name]);
        let model = model.map_err(ToolError::relation_gone_if_denied)?;
        let uuid = model.get("uuid").and_then(Value::as_str);
        let uuid = uuid.ok_or_else(|| unexpected(TOOL, "a map with a UUID", &model))?;
        self.relations.models.insert(id, uuid.to_owned());
        Ok(uuid.to_owned())
    }

    fn list_relations(&mut self, endpoint: &str) -> Result<Vec<Relation>, ToolError> {
        let listed = self.call_json("relation-ids", &[endpoint, "--format=json"]);
        let listed = listed.map_err(ToolError::relation_gone_if_denied)?;
        let mut relations = Vec::new();
        for id in strings("relation-ids", &listed)? {
            let number = id.rsplit_once(':').and_then(|(_, id)| id.parse().ok());
            let Some(id) = number else {
                let text = format!("its output has no relation ID: {id:?}");
                return Err(ToolError::unexpected("relation-ids", text));
            };
            if !self.relations.is_broken(id) {
                relations.push(self.load_relation(endpoint, id)?);
            }
        }
        Ok(relations)
    }

    /// Asks for the units and the application of a relation (ops §11.3).
    fn load_relation(&mut self, endpoint: &str, id: u32) -> Result<Relation, ToolError> {
        let name = format!("{endpoint}:{id}");
        let listed = self.call_json("relation-list", &["--format=json", "-r", &name]);
        let (units, active) = match listed {
            Ok(units) => (strings("relation-list", &units)?, true),
            Err(error) if error.is_relation_gone() => (Vec::new(), false),
            Err(error) => return Err(error),
        };
        let of_first = units.first().and_then(|unit| unit.split_once('/'));
        let event = self.relations.event.as_ref().filter(|event| event.id == id);
        let app = if self.is_peer(endpoint) {
            Some(self.unit.app.clone())
        } else if let Some((app, _)) = of_first {
            Some(app.to_owned())
        } else if let Some(app) = event.and_then(|event| event.app.clone()) {
            Some(app)
        } else {
            match self.call_json("relation-list", &["--format=json", "--app", "-r", &name]) {
                Ok(app) => app.as_str().map(str::to_owned),
                Err(error) if error.is_relation_gone() => None,
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

    /// Returns whether a relation is known to be inactive without a call: the
    /// dispatched event breaks it, or Juju does not list it.
    pub(super) fn is_inactive(&self, endpoint: &str, id: u32) -> bool {
        let is_active = |listed: &Vec<Relation>| {
            listed
                .iter()
                .any(|relation| relation.id == id && relation.active)
        };
        let listed = self.relations.listed.get(endpoint);
        self.relations.is_broken(id) || !listed.is_none_or(is_active)
    }

    /// Returns whether an endpoint is a peer endpoint.
    pub(super) fn is_peer(&self, endpoint: &str) -> bool {
        let endpoint = self.metadata.relations.get(endpoint);
        endpoint.is_some_and(|endpoint| endpoint.role == Role::Peer)
    }

    /// Rejects an endpoint that the metadata does not have (ops §11.1).
    pub(super) fn check_endpoint(&self, tool: &str, endpoint: &str) -> Result<(), ToolError> {
        let endpoints = &self.metadata.relations;
        if endpoints.contains_key(endpoint) {
            return Ok(());
        }
        let names = endpoints.keys().map(String::as_str);
        Err(ToolError::undeclared(tool, "endpoint", endpoint, names))
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
