//! The state that the model will have once all operations have settled
//! (`goal-state`; ops §10).
//!
//! Nothing is cached (ops §9).

use charmhost_hook_tools::ToolError;
use serde_json::{Map, Value};

use super::Model;
use super::time;
use super::tool_calls::unexpected;

const TOOL: &str = "goal-state";

/// A unit or an application in the goal state.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// The name.
    pub name: String,
    /// The status as Juju names it, for example `active` or `dying`.
    pub status: String,
    /// Since when, in seconds since 1970-01-01 UTC.
    pub since: Option<f64>,
}

/// The goal state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GoalState {
    /// The units of this application.
    pub units: Vec<Goal>,
    /// The applications and units that each endpoint will be related to.
    pub relations: Vec<(String, Vec<Goal>)>,
}

impl Model {
    /// Returns the goal state.
    pub fn goal_state(&mut self) -> Result<GoalState, ToolError> {
        let state = self.call_json(TOOL, &["--format=json"])?;
        let units = map(state.get("units"), "a map with units", &state)?;
        let mut relations = Vec::new();
        if let Some(listed) = state.get("relations").filter(|listed| !listed.is_null()) {
            for (endpoint, remote) in map(Some(listed), "a map of relations", &state)? {
                let remote = map(Some(remote), "a map of relations", &state)?;
                relations.push((endpoint.clone(), goals(remote)?));
            }
        }
        Ok(GoalState {
            units: goals(units)?,
            relations,
        })
    }

    /// Returns how many units of this application are planned: those that are
    /// not dying.
    pub fn planned_units(&mut self) -> Result<u32, ToolError> {
        let units = self.goal_state()?.units;
        let planned = units.iter().filter(|unit| unit.status != "dying").count();
        Ok(u32::try_from(planned).unwrap_or(u32::MAX))
    }
}

fn map<'a>(
    value: Option<&'a Value>,
    wanted: &str,
    printed: &Value,
) -> Result<&'a Map<String, Value>, ToolError> {
    let map = value.and_then(Value::as_object);
    map.ok_or_else(|| unexpected(TOOL, wanted, printed))
}

fn goals(map: &Map<String, Value>) -> Result<Vec<Goal>, ToolError> {
    let goal = |(name, value): (&String, &Value)| {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let status = text("status").ok_or_else(|| unexpected(TOOL, "a status", value))?;
        let since = text("since").map(|since| {
            time::parse(since).ok_or_else(|| unexpected(TOOL, "a status since a time", value))
        });
        Ok(Goal {
            name: name.clone(),
            status: status.to_owned(),
            since: since.transpose()?,
        })
    };
    map.iter().map(goal).collect()
}
