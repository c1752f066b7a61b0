//! `resource-get` (juju §3.3).

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::Hook;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let Some(name) = call.arguments.at_most_one().map_err(ToolError::Usage)? else {
        return Err(ToolError::Usage(
            "missing required resource name".to_owned(),
        ));
    };
    match hook.view().resources.get(name) {
        Some(path) => Ok(Some(ToolOutput::Raw(path.clone()))),
        None => Err(ToolError::Failed(format!(
            "could not download resource: resource {name:?} not found"
        ))),
    }
}
