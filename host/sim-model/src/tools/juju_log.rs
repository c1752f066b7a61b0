//! `juju-log` (juju §3.3).

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Hook, HookContext, Level, RelationView};

pub fn log(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    if call.arguments.args.is_empty() {
        return Err(ToolError::Usage("no message specified".to_owned()));
    }
    let message = call.arguments.args.join(" ");
    let message = match hook.context() {
        HookContext::Relation { id, .. } => {
            let relation = hook.relations().get(id);
            let name = relation.map_or_else(|| id.to_string(), RelationView::name);
            format!("{name}: {message}")
        }
        _ => message,
    };
    let level = match call.arguments.value("l") {
        _ if call.arguments.is("debug") => Level::Debug,
        None | Some("") => Level::Info,
        Some(name) => Level::from_name(name).unwrap_or_else(|| {
            let warning = format!("Specified log level of {name:?} is not valid");
            hook.log(Level::Warning, warning);
            Level::Info
        }),
    };
    hook.log(level, message);
    Ok(None)
}
