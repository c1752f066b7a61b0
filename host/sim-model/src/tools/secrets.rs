//! The secret tools that read: `secret-get`, `secret-info-get` and
//! `secret-ids` (juju §3.3).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use serde_json::{Map, Value, json};

use super::output::ToolOutput;
use super::{Call, ToolError};
use crate::{Content, Hook, SecretView, secret_id};
use charmhost_hook_tools::unrecognized;

pub fn ids(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    call.arguments.none().map_err(ToolError::Usage)?;
    let mut ids: Vec<String> = hook.owned_secrets().into_keys().collect();
    // Juju lists them in another order at each call.
    let order = RandomState::new();
    ids.sort_by_cached_key(|id| order.hash_one(id));
    Ok(Some(match ids.is_empty() {
        true => ToolOutput::Value(Value::Null),
        false => ToolOutput::Lines(ids),
    }))
}

/// The id in a URI that a tool was given.
pub fn parse_uri(uri: &str) -> Result<&str, ToolError> {
    let wrong = || ToolError::Usage(format!("secret URI {uri:?} not valid"));
    secret_id(uri).ok_or_else(wrong)
}

pub fn not_found(name: &str) -> ToolError {
    ToolError::Failed(format!("secret {name:?} not found"))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let arguments = &call.arguments;
    let label = arguments.value("label").filter(|label| !label.is_empty());
    let (uri, key) = match (arguments.args.as_slice(), label) {
        ([], _) => (None, None),
        ([uri], _) => (Some(uri.as_str()), None),
        ([uri, key], _) => (Some(uri.as_str()), Some(key.as_str())),
        ([_, _, rest @ ..], _) => return Err(ToolError::Usage(unrecognized(rest))),
    };
    if uri.is_none() && label.is_none() {
        let text = "require either a secret URI or label";
        return Err(ToolError::Usage(text.to_owned()));
    }
    let id = uri.map(parse_uri).transpose()?.map(str::to_owned);
    let (peek, refresh) = (arguments.is("peek"), arguments.is("refresh"));
    if peek && refresh {
        let text = "specify one of --peek or --refresh but not both";
        return Err(ToolError::Usage(text.to_owned()));
    }
    let id = match (id, label) {
        (Some(id), _) => id,
        (None, label) => labelled(hook, label.unwrap_or_default())?,
    };
    let secret = hook.secret(&id).ok_or_else(|| not_found(&id))?;
    if !secret.readable {
        return Err(ToolError::Failed("permission denied".to_owned()));
    }
    let content = content(hook, &id, peek, refresh)?;
    if let Some(label) = label.filter(|_| uri.is_some()) {
        let label = label.to_owned();
        hook.read_secret(&id, |secret| secret.consumer_label = Some(label.clone()));
    }
    shown(&content, key)
}

/// The id of the secret that the owner or this reader gave a label.
fn labelled(hook: &Hook, label: &str) -> Result<String, ToolError> {
    let owned = hook.owned_secrets();
    if let Some(secret) = owned.values().find(|secret| secret.label == label) {
        return Ok(secret.id.clone());
    }
    let has_label = |secret: &&SecretView| {
        secret.consumer_label.as_deref() == Some(label) || secret.is_own() && secret.label == label
    };
    match hook.view().secrets.values().find(has_label) {
        Some(secret) => Ok(secret.id.clone()),
        None => Err(ToolError::Failed(format!(
            "consumer label {label:?} not found"
        ))),
    }
}

/// The content that this unit sees of a secret: of one that this hook changed,
/// the new content only with `--peek` or `--refresh`.
fn content(hook: &mut Hook, id: &str, peek: bool, refresh: bool) -> Result<Content, ToolError> {
    let pending = hook.pending_content(id).filter(|_| peek || refresh);
    if let Some(content) = pending.cloned() {
        if refresh {
            hook.secret_changes_mut().refresh(id);
        }
        return Ok(content);
    }
    let secret = hook.secret(id).ok_or_else(|| not_found(id))?;
    let latest = secret.latest;
    let revision = match peek || refresh {
        true => latest,
        false => secret.tracked,
    };
    let revisions = &secret.revisions;
    // A reader whose revision was removed reads the newest.
    let content = revisions.get(&revision).or_else(|| revisions.get(&latest));
    let content = content.cloned().ok_or_else(|| not_found(id))?;
    if !peek {
        hook.read_secret(id, |secret| {
            secret.is_consumed = true;
            secret.tracked = if refresh { latest } else { secret.tracked };
        });
    }
    Ok(content)
}

fn shown(content: &Content, key: Option<&str>) -> Result<Option<ToolOutput>, ToolError> {
    let Some(key) = key else {
        let decoded = |(key, value): (&String, &String)| Ok((key.clone(), text(value)?.into()));
        let map = content.0.iter().map(decoded);
        let map: Map<String, Value> = map.collect::<Result<_, ToolError>>()?;
        return Ok(Some(ToolOutput::Value(map.into())));
    };
    let (name, encoded) = match key.strip_suffix("#base64") {
        Some(name) => (name, true),
        None => (key, false),
    };
    let Some(value) = content.0.get(name) else {
        return Err(ToolError::Failed(format!(
            "secret key value {name:?} not found"
        )));
    };
    let text = match encoded {
        true => value.clone(),
        false => text(value)?,
    };
    Ok(Some(ToolOutput::Value(text.into())))
}

/// Base64 as Go reads it: the bits of the last character that do not count may
/// be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The text of a value, which is only decoded when it is read.
fn text(value: &str) -> Result<String, ToolError> {
    let bytes = BASE64.decode(value).map_err(|error| {
        let position = match error {
            DecodeError::InvalidByte(position, _) => position,
            // The group of four characters that is not whole.
            _ => value.len() / 4 * 4,
        };
        ToolError::Failed(format!("illegal base64 data at input byte {position}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn info(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let uri = call.arguments.at_most_one().map_err(ToolError::Usage)?;
    let label = call
        .arguments
        .value("label")
        .filter(|label| !label.is_empty());
    let own = hook.owned_secrets();
    let secret = match (uri, label) {
        (None, None) => {
            let text = "require either a secret URI or label";
            return Err(ToolError::Usage(text.to_owned()));
        }
        (Some(_), Some(_)) => {
            let text = "specify either a secret URI or label but not both";
            return Err(ToolError::Usage(text.to_owned()));
        }
        (Some(uri), None) => {
            let id = parse_uri(uri)?;
            own.get(id).ok_or_else(|| not_found(id))?
        }
        (None, Some(label)) => own
            .values()
            .find(|secret| secret.label == label)
            .ok_or_else(|| not_found(label))?,
    };
    let document = json!({ secret.id.as_str(): described(hook, secret) });
    let times = [&secret.expire, &secret.rotates];
    Ok(Some(ToolOutput::Document {
        json: document.clone(),
        yaml: document,
        plain: times.into_iter().flatten().cloned().collect(),
    }))
}

fn described(hook: &Hook, secret: &SecretView) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    put("revision", secret.latest.into());
    put("label", secret.label.as_str().into());
    put("owner", secret.owner.name().into());
    if !secret.description.is_empty() {
        put("description", secret.description.as_str().into());
    }
    // Only of a secret of this hook, nothing is known but what was set.
    let default = hook
        .view()
        .secrets
        .contains_key(&secret.id)
        .then(|| "never".to_owned());
    let rotate = secret.rotate.clone().or(default);
    for (key, value) in [
        ("rotation", &rotate),
        ("expiry", &secret.expire),
        ("rotates", &secret.rotates),
    ] {
        if let Some(value) = value {
            put(key, value.as_str().into());
        }
    }
    let access: Vec<Value> = secret
        .grants
        .iter()
        .filter_map(|grant| {
            let relation = hook.relations().get(&grant.relation)?;
            let target = match &grant.unit {
                Some(unit) => format!("unit-{}", unit.replace('/', "-")),
                None => format!("application-{}", relation.remote_app),
            };
            let scope = format!(
                "relation-{}.{}#{}.{}",
                hook.view().app,
                relation.endpoint,
                relation.remote_app,
                relation.interface
            );
            Some(json!({"target": target, "scope": scope, "role": "view"}))
        })
        .collect();
    if !access.is_empty() {
        put("access", access.into());
    }
    Value::Object(map)
}
