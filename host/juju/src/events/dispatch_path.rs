//! The event's name from `JUJU_DISPATCH_PATH` (ops §2.3), and the contexts that
//! Juju restricts (ops §2.5).

use std::path::Path;

/// Returns the name of the event that a dispatch path runs, for example
/// `config_changed` for `hooks/config-changed`, and `backup_action` for
/// `actions/backup`; empty if the path is.
pub(crate) fn event_name(dispatch_path: &str) -> String {
    let path = Path::new(dispatch_path);
    let last = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str().map(str::to_owned))
    };
    let Some(mut name) = last(path) else {
        return String::new();
    };
    if name.contains('-') {
        name = name.replace('-', "_");
    }
    if path.parent().and_then(last).as_deref() == Some("actions") {
        name.push_str("_action");
    }
    name
}

/// Whether Juju runs the event in a restricted context, in which few hook tools
/// work (until Juju 3.6.9).
pub(crate) fn is_restricted(event_name: &str) -> bool {
    matches!(event_name, "collect_metrics" | "meter_status_changed")
}
