//! `resource-get`, `goal-state`, `credential-get`, `juju-reboot`, `leader-get`
//! and `leader-set`.

use serde_json::{Map, Value, json};

use super::format::Shown;
use super::{Call, Refusal, pairs};
use crate::model::{Context, Hook, update};

pub fn resource(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let Some(name) = call.arguments.at_most_one().map_err(Refusal::Usage)? else {
        return Err(Refusal::Usage("missing required resource name".to_owned()));
    };
    match hook.model().resources.get(name) {
        Some(path) => Ok(Some(Shown::Raw(path.clone()))),
        None => Err(Refusal::Failed(format!(
            "could not download resource: resource {name:?} not found"
        ))),
    }
}

pub fn reboot(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    if matches!(hook.context(), Context::Action(_)) {
        let text = "juju-reboot is not supported when running an action.";
        return Err(Refusal::Failed(text.to_owned()));
    }
    hook.request_reboot();
    Ok(None)
}

pub fn leader_get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let settings = &hook.model().leader_settings;
    let value = match call.arguments.at_most_one().map_err(Refusal::Usage)? {
        None | Some("" | "-") => json!(settings),
        Some(key) => settings
            .get(key)
            .map_or(Value::Null, |value| value.as_str().into()),
    };
    Ok(Some(Shown::Value(value)))
}

pub fn leader_set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let changes = pairs::read(hook, call)?;
    if !hook.model().leader {
        let text = "cannot write leadership settings: cannot write settings: not the leader";
        return Err(Refusal::Failed(text.to_owned()));
    }
    update(hook.leader_settings_mut(), changes);
    Ok(None)
}

/// When everything came to be. It does not change from one run to the next.
const SINCE: &str = "2026-01-02 03:04:05Z";

pub fn goal(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    let model = hook.model();
    let is = |status: &str| json!({"status": status, "since": SINCE});
    let mut units = Map::new();
    for number in 0..model.planned_units.max(1) {
        units.insert(format!("{}/{number}", model.app), is("active"));
    }
    units
        .entry(model.unit.clone())
        .or_insert_with(|| is("active"));
    let mut relations = Map::new();
    for relation in hook.relations().values().filter(|relation| !relation.peer) {
        let entry = relations.entry(relation.endpoint.clone());
        let Value::Object(remote) = entry.or_insert_with(|| json!({})) else {
            continue;
        };
        remote.insert(relation.remote_app.clone(), is("joined"));
        let units = relation.remote_units_data.keys();
        remote.extend(units.map(|unit| (unit.clone(), is("active"))));
    }
    let document = json!({"units": units, "relations": relations});
    Ok(Some(Shown::Document {
        json: document.clone(),
        yaml: document,
        plain: vec![SINCE.to_owned()],
    }))
}

/// Each key with its name in JSON and in YAML, and whether JSON leaves it out
/// when it is empty.
const CREDENTIAL_KEYS: [(&str, &str, &str); 9] = [
    ("type", "type", "type"),
    ("name", "name", "name"),
    ("region", "region", "region"),
    ("endpoint", "endpoint", "endpoint"),
    ("identity_endpoint", "identity-endpoint", "identityendpoint"),
    ("storage_endpoint", "storage-endpoint", "storageendpoint"),
    ("ca_certificates", "cacertificates", "cacertificates"),
    ("skip_tls_verify", "skip-tls-verify", "skiptlsverify"),
    (
        "is_controller_cloud",
        "is-controller-cloud",
        "iscontrollercloud",
    ),
];

pub fn credential(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    let Some(spec) = &hook.model().cloud_spec else {
        let asked = match hook.model().kubernetes {
            true => "getting model credentials: ",
            false => "",
        };
        let text = format!("cannot access cloud credentials: {asked}permission denied");
        return Err(Refusal::Failed(text));
    };
    let (mut as_json, mut as_yaml) = (Map::new(), Map::new());
    let is_empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(value) => !value,
        Value::Null => true,
        _ => false,
    };
    for (key, in_json, in_yaml) in CREDENTIAL_KEYS {
        if key == "ca_certificates" {
            let of = |inner: &str| {
                let credential = spec.get("credential");
                credential
                    .and_then(|credential| credential.get(inner))
                    .cloned()
            };
            let auth_type = of("auth_type").unwrap_or_else(|| "empty".into());
            let attributes = of("attributes").unwrap_or_else(|| json!({}));
            let redacted = of("redacted").unwrap_or_else(|| json!([]));
            let mut credential = json!({"auth-type": auth_type, "attrs": attributes});
            if let (false, Some(map)) = (is_empty(&redacted), credential.as_object_mut()) {
                map.insert("redacted".to_owned(), redacted.clone());
            }
            as_json.insert("credential".to_owned(), credential);
            let credential =
                json!({"authtype": auth_type, "attributes": attributes, "redacted": redacted});
            as_yaml.insert("credential".to_owned(), credential);
        }
        let value = spec.get(key).cloned().unwrap_or(match key {
            "ca_certificates" => json!([]),
            "skip_tls_verify" | "is_controller_cloud" => false.into(),
            _ => "".into(),
        });
        if !is_empty(&value) {
            as_json.insert(in_json.to_owned(), value.clone());
        }
        as_yaml.insert(in_yaml.to_owned(), value);
    }
    Ok(Some(Shown::Document {
        json: Value::Object(as_json),
        yaml: Value::Object(as_yaml),
        plain: Vec::new(),
    }))
}
