//! `application-version-set` (juju §3.3).

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::Hook;

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let version = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let missing = || ToolError::Usage("no version specified".to_owned());
    hook.set_workload_version(version.ok_or_else(missing)?.to_owned());
    Ok(None)
}
