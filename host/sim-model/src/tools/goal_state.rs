//! `goal-state` (juju §3.3).

use serde_json::{Map, Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::Hook;

/// The time since when everything has its status; the same in each run.
const SINCE: &str = "2026-01-02 03:04:05Z";

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    let view = hook.view();
    let is = |status: &str| json!({"status": status, "since": SINCE});
    let mut units = Map::new();
    for unit in &view.planned {
        units.insert(unit.clone(), is("active"));
    }
    units
        .entry(view.unit.clone())
        .or_insert_with(|| is("active"));
    let mut relations = Map::new();
    for relation in hook.relations().values().filter(|relation| !relation.peer) {
        let entry = relations.entry(relation.endpoint.clone());
        let Value::Object(remote) = entry.or_insert_with(|| json!({})) else {
            continue;
        };
        remote.insert(relation.remote_app.clone(), is("joined"));
        let units = relation.remote_units_data.keys();
        remote.extend(units.map(|unit| (unit.clone(), is("active"))));
    }
    let document = json!({"units": units, "relations": relations});
    Ok(Some(ToolOutput::Document {
        json: document.clone(),
        yaml: document,
        plain: vec![SINCE.to_owned()],
    }))
}
