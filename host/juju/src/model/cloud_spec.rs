//! The cloud that the model runs in, with its credential (`credential-get`;
//! ops §16.5).
//!
//! Nothing is cached (ops §9). No error contains the output, which is secret.

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;

const TOOL: &str = "credential-get";

/// A cloud credential. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudCredential {
    /// How the cloud authenticates, for example `userpass`.
    pub auth_type: String,
    /// The attributes by name; secret.
    pub attributes: Vec<(String, String)>,
    /// The names of attributes that Juju withholds.
    pub redacted: Vec<String>,
}

/// A cloud.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudSpec {
    /// The type, for example `lxd`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The region.
    pub region: Option<String>,
    /// The URL of the API.
    pub endpoint: Option<String>,
    /// The URL of the identity service.
    pub identity_endpoint: Option<String>,
    /// The URL of the storage service.
    pub storage_endpoint: Option<String>,
    /// The credential.
    pub credential: Option<CloudCredential>,
    /// Certificates of authorities, in PEM.
    pub ca_certificates: Vec<String>,
    /// Whether TLS certificates are not to be verified.
    pub skip_tls_verify: bool,
    /// Whether the controller runs in this cloud.
    pub is_controller_cloud: bool,
}

impl Model {
    /// Returns the cloud; only to an application that is trusted.
    pub fn cloud_spec(&mut self) -> Result<CloudSpec, ToolError> {
        let spec = self.call_json(TOOL, &["--format=json"])?;
        let credential = spec.get("credential").filter(|found| !found.is_null());
        let is = |key: &str| spec.get(key).and_then(Value::as_bool).unwrap_or_default();
        Ok(CloudSpec {
            kind: needed(&spec, "type")?,
            name: needed(&spec, "name")?,
            region: text(&spec, "region"),
            endpoint: text(&spec, "endpoint"),
            identity_endpoint: text(&spec, "identity-endpoint"),
            storage_endpoint: text(&spec, "storage-endpoint"),
            credential: credential.map(read_credential).transpose()?,
            ca_certificates: strings(&spec, "cacertificates")?,
            skip_tls_verify: is("skip-tls-verify"),
            is_controller_cloud: is("is-controller-cloud"),
        })
    }
}

fn read_credential(credential: &Value) -> Result<CloudCredential, ToolError> {
    let attributes = match credential.get("attrs") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(map)) => {
            let text = |(name, value): (&String, &Value)| {
                let text = value.as_str().map(str::to_owned);
                (name.clone(), text.unwrap_or_else(|| value.to_string()))
            };
            map.iter().map(text).collect()
        }
        Some(_) => return Err(unexpected("has no map of attributes")),
    };
    Ok(CloudCredential {
        auth_type: needed(credential, "auth-type")?,
        attributes,
        redacted: strings(credential, "redacted")?,
    })
}

/// The text of a key; none if it is empty.
fn text(map: &Value, key: &str) -> Option<String> {
    let text = map.get(key)?.as_str()?;
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn needed(map: &Value, key: &str) -> Result<String, ToolError> {
    text(map, key).ok_or_else(|| unexpected(&format!("has no {key}")))
}

fn strings(map: &Value, key: &str) -> Result<Vec<String>, ToolError> {
    let items = match map.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => value.as_array(),
    };
    let text = |item: &Value| item.as_str().map(str::to_owned);
    let texts = items.and_then(|items| items.iter().map(text).collect());
    texts.ok_or_else(|| unexpected(&format!("has no list of strings as {key}")))
}

fn unexpected(what: &str) -> ToolError {
    ToolError::unexpected(TOOL, format!("its output {what}"))
}
