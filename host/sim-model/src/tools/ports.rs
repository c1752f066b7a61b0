//! `open-port`, `close-port` and `opened-ports` (juju §3.3).

use std::collections::BTreeSet;

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Hook, PortRange};

pub fn list(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    let with_endpoints = call.arguments.is("endpoints");
    Ok(Some(ToolOutput::Lines(hook.ports().listed(with_endpoints))))
}

pub fn open(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (range, endpoints) = request(hook, call)?;
    let unit = hook.view().unit.clone();
    let opened = hook.ports_mut().open(range, endpoints);
    opened.map_err(|other| {
        ToolError::Failed(format!(
            "cannot open {range} (unit {unit:?}): port range conflicts with {other} (unit {unit:?})"
        ))
    })?;
    Ok(None)
}

pub fn close(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (range, endpoints) = request(hook, call)?;
    let unit = hook.view().unit.clone();
    let closed = hook.ports_mut().close(range, &endpoints);
    closed.map_err(|other| {
        ToolError::Failed(format!(
            "cannot close {range} (unit {unit:?}): port range conflicts with {other} (unit {unit:?})"
        ))
    })?;
    Ok(None)
}

fn request(hook: &Hook, call: &Call) -> Result<(PortRange, BTreeSet<String>), ToolError> {
    let missing = || ToolError::Usage("no port or range specified".to_owned());
    let text = call.arguments.args.first().ok_or_else(missing)?;
    let range = PortRange::parse(text).map_err(ToolError::Usage)?;
    call.arguments.at_most_one().map_err(ToolError::Usage)?;
    if hook.view().kubernetes && range.is_range() {
        let text =
            "port ranges are not supported for k8s applications, please specify a single port";
        return Err(ToolError::Failed(text.to_owned()));
    }
    let endpoints = call.arguments.value("endpoints").unwrap_or_default();
    let names = endpoints
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    Ok((range, names.map(str::to_owned).collect()))
}
