//! `is-leader`, and to Juju 3 `leader-get` and `leader-set` (juju §3.2).

use serde_json::{Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError, key_values};
use crate::{Hook, update};

pub fn is_leader(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    Ok(Some(ToolOutput::Value(hook.view().leader.into())))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let settings = &hook.view().leader_settings;
    let value = match call.arguments.at_most_one().map_err(ToolError::Usage)? {
        None | Some("" | "-") => json!(settings),
        Some(key) => settings
            .get(key)
            .map_or(Value::Null, |value| value.as_str().into()),
    };
    Ok(Some(ToolOutput::Value(value)))
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let changes = key_values::read(hook, call)?;
    if !hook.view().leader {
        let text = "cannot write leadership settings: cannot write settings: not the leader";
        return Err(ToolError::Failed(text.to_owned()));
    }
    update(hook.leader_settings_mut(), changes);
    Ok(None)
}
