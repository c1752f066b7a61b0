//! Endpoints: `provides`, `requires`, `peers` and `extra-bindings` (`archive §4`).

use serde_json::{Map, Value};

use super::is_reserved;
use crate::problems::Problems;

/// What the checks of other endpoints need of an endpoint.
struct Endpoint<'a> {
    role: &'static str,
    name: &'a str,
    is_container_scoped: bool,
}

/// Checks all endpoints of `metadata.yaml`.
pub fn check(metadata: &Map<String, Value>, problems: &mut Problems) {
    let charm = metadata.get("name").and_then(Value::as_str).unwrap_or("");
    let is_subordinate = metadata.get("subordinate").and_then(Value::as_bool) == Some(true);
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for role in ["provides", "requires", "peers"] {
        let section = metadata.get(role).and_then(Value::as_object);
        for (name, value) in section.into_iter().flatten() {
            let scope = endpoint(role, name, value, charm, problems);
            let is_container_scoped = scope == Some("container");
            let is_requirer_in_a_machine =
                is_subordinate && role == "requires" && is_container_scoped;
            if is_reserved(charm, name) && !is_requirer_in_a_machine {
                problems.add(format!(
                    "cannot use the endpoint `{role}.{name}`: names that begin with juju are \
                     Juju's; name it otherwise"
                ));
            }
            if let Some(other) = endpoints.iter().find(|other| other.name == name) {
                problems.add(format!(
                    "cannot use the endpoint `{role}.{name}`: `{}.{name}` has the same name; \
                     rename one",
                    other.role
                ));
            }
            endpoints.push(Endpoint {
                role,
                name,
                is_container_scoped,
            });
        }
    }
    let binds = |endpoint: &Endpoint| endpoint.role == "requires" && endpoint.is_container_scoped;
    if is_subordinate && !endpoints.iter().any(binds) {
        problems.add(
            "cannot use `subordinate` without an endpoint under `requires` with `scope: \
             container`: it is how the charm gets to its principal",
        );
    }
    extra_bindings(metadata, &endpoints, problems);
}

/// Checks one endpoint and returns its scope, if it has one.
fn endpoint<'a>(
    role: &str,
    name: &str,
    value: &'a Value,
    charm: &str,
    problems: &mut Problems,
) -> Option<&'a str> {
    let field = format!("{role}.{name}");
    if name.is_empty() || name.starts_with('$') || name.contains('.') {
        problems.add(format!(
            "cannot use the endpoint `{field}`: its name must not be empty, begin with $ or have a dot"
        ));
    }
    if let Value::String(interface) = value {
        check_interface(role, &field, interface, charm, problems);
        return None;
    }
    let map = problems.map(&field, value)?;
    match map.get("interface") {
        None => problems.add(format!(
            "cannot use the endpoint `{field}`: it has no `interface`; write one"
        )),
        Some(value) => {
            if let Some(interface) = problems.string(&format!("{field}.interface"), value) {
                check_interface(role, &field, interface, charm, problems);
            }
        }
    }
    if let Some(limit) = map.get("limit").filter(|limit| !limit.is_null()) {
        problems.integer(&format!("{field}.limit"), limit);
    }
    if let Some(optional) = map.get("optional") {
        problems.boolean(&format!("{field}.optional"), optional);
    }
    let scope = problems.string(&format!("{field}.scope"), map.get("scope")?)?;
    if scope != "global" && scope != "container" {
        problems.add(format!(
            "cannot use `{field}.scope`: {scope:?} is not a scope; write global or container"
        ));
    }
    Some(scope)
}

fn check_interface(role: &str, field: &str, interface: &str, charm: &str, problems: &mut Problems) {
    if interface.is_empty() {
        problems.add(format!(
            "cannot use the endpoint `{field}`: its interface is empty"
        ));
    }
    if role != "requires" && is_reserved(charm, interface) {
        problems.add(format!(
            "cannot use the interface {interface:?} of `{field}`: interfaces that begin with juju \
             are Juju's to provide"
        ));
    }
}

fn extra_bindings(metadata: &Map<String, Value>, endpoints: &[Endpoint], problems: &mut Problems) {
    let Some(map) = metadata.get("extra-bindings").and_then(Value::as_object) else {
        return;
    };
    if map.is_empty() {
        problems.add("cannot use `extra-bindings` with nothing under it; leave the key out");
    }
    for (name, value) in map {
        let field = format!("extra-bindings.{name}");
        if !value.is_null() {
            problems.add(format!("cannot use `{field}`: it must not have a value"));
        }
        if name.is_empty() || endpoints.iter().any(|endpoint| endpoint.name == name) {
            problems.add(format!(
                "cannot use `{field}`: an endpoint has that name and is bound already; remove it"
            ));
        }
    }
}
