//! `lxd-profile.yaml`: settings for the LXD container of the machine
//! (`archive §4`).

use serde_json::Value;

use crate::problems::Problems;

const DEVICES: [&str; 4] = ["gpu", "unix-block", "unix-char", "usb"];
const REJECTED: [&str; 3] = ["boot", "limits", "migration"];

/// Checks the whole document.
pub fn check(profile: &Value, problems: &mut Problems) {
    if profile.is_null() {
        return;
    }
    let Some(map) = problems.map("lxd-profile.yaml", profile) else {
        return;
    };
    let section = |key: &str| {
        map.get(key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    for (key, _) in section("config") {
        if REJECTED.iter().any(|prefix| key.starts_with(prefix)) {
            problems.add(format!(
                "cannot use `config.{key}` in lxd-profile.yaml: boot, limits and migration are \
                 the operator's to set"
            ));
        }
    }
    for (name, device) in section("devices") {
        let kind = device.get("type").and_then(Value::as_str);
        if let Some(kind) = kind.filter(|kind| !DEVICES.contains(kind)) {
            problems.add(format!(
                "cannot use the device `{name}` in lxd-profile.yaml: its type {kind:?} must be \
                 one of {}",
                DEVICES.join(", ")
            ));
        }
    }
}
