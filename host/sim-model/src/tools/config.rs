//! `config-get` (juju §3.3).

use serde_json::Value;

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::Hook;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let all = call.arguments.is("a");
    let config = &hook.view().config;
    let value = match call.arguments.at_most_one().map_err(ToolError::Usage)? {
        Some("") | None => Value::Object(config.values(all)),
        Some(key) if all => {
            return Err(ToolError::Usage(format!(
                "cannot use argument --all together with key {key:?}"
            )));
        }
        Some(key) => config.get(key).cloned().unwrap_or_default(),
    };
    Ok(Some(ToolOutput::Value(value)))
}
