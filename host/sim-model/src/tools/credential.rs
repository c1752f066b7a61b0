//! `credential-get` (juju §3.3).

use serde_json::{Map, Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::Hook;

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

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    let Some(spec) = &hook.view().cloud_spec else {
        let asked = match hook.view().kubernetes {
            true => "getting model credentials: ",
            false => "",
        };
        let text = format!("cannot access cloud credentials: {asked}permission denied");
        return Err(ToolError::Failed(text));
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
    Ok(Some(ToolOutput::Document {
        json: Value::Object(as_json),
        yaml: Value::Object(as_yaml),
        plain: Vec::new(),
    }))
}
