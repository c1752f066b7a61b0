//! `juju-reboot` (juju §3.3, juju §4).

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Hook, HookContext};

pub fn reboot(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    if matches!(hook.context(), HookContext::Action(_)) {
        let text = "juju-reboot is not supported when running an action.";
        return Err(ToolError::Failed(text.to_owned()));
    }
    hook.request_reboot();
    Ok(None)
}
