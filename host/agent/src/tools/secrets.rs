//! The secret tools that read: `secret-get`, `secret-info-get` and
//! `secret-ids`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::{Content, Hook, Secret, secret_id};
use charmhost_hook_tools::unrecognized;

pub fn ids(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    let own = hook.secrets().values().filter(|secret| secret.is_own());
    let ids: Vec<String> = own.map(|secret| secret.id.clone()).collect();
    Ok(Some(match ids.is_empty() {
        true => Shown::Value(Value::Null),
        false => Shown::Lines(ids),
    }))
}

/// The id in a URI that a tool was given.
pub fn parse_uri(uri: &str) -> Result<&str, Refusal> {
    let wrong = || Refusal::Usage(format!("secret URI {uri:?} not valid"));
    secret_id(uri).ok_or_else(wrong)
}

fn not_found(name: &str) -> Refusal {
    Refusal::Failed(format!("secret {name:?} not found"))
}

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let arguments = &call.arguments;
    let label = arguments.value("label").filter(|label| !label.is_empty());
    let (uri, key) = match (arguments.args.as_slice(), label) {
        ([], _) => (None, None),
        ([uri], _) => (Some(uri.as_str()), None),
        ([uri, key], _) => (Some(uri.as_str()), Some(key.as_str())),
        ([_, _, rest @ ..], _) => return Err(Refusal::Usage(unrecognized(rest))),
    };
    if uri.is_none() && label.is_none() {
        let text = "require either a secret URI or label";
        return Err(Refusal::Usage(text.to_owned()));
    }
    let id = uri.map(parse_uri).transpose()?.map(str::to_owned);
    let (peek, refresh) = (arguments.is("peek"), arguments.is("refresh"));
    if peek && refresh {
        let text = "specify one of --peek or --refresh but not both";
        return Err(Refusal::Usage(text.to_owned()));
    }
    let id = match (id, label) {
        (Some(id), _) => id,
        (None, label) => labelled(hook, label.unwrap_or_default())?,
    };
    let secret = hook.secrets().get(&id).ok_or_else(|| not_found(&id))?;
    if !secret.readable {
        return Err(Refusal::Failed("permission denied".to_owned()));
    }
    let content = content(hook, &id, peek, refresh)?;
    if let Some(label) = label.filter(|_| uri.is_some()) {
        let label = label.to_owned();
        hook.read_secret(&id, |secret| secret.consumer_label = Some(label.clone()));
    }
    shown(&content, key)
}

/// The id of the secret that the owner or this reader gave a label.
fn labelled(hook: &Hook, label: &str) -> Result<String, Refusal> {
    let has_label = |secret: &&Secret| {
        secret.consumer_label.as_deref() == Some(label) || secret.is_own() && secret.label == label
    };
    match hook.secrets().values().find(has_label) {
        Some(secret) => Ok(secret.id.clone()),
        None => Err(Refusal::Failed(format!(
            "consumer label {label:?} not found"
        ))),
    }
}

/// What this unit sees of a secret now. What it reads later may depend on what
/// it reads here.
fn content(hook: &mut Hook, id: &str, peek: bool, refresh: bool) -> Result<Content, Refusal> {
    let before = hook.model().secrets.get(id).map(|secret| secret.latest);
    let secret = hook.secrets().get(id).ok_or_else(|| not_found(id))?;
    let latest = secret.latest;
    let changed_here = secret.is_own() && before != Some(latest);
    let revision = match changed_here || peek || refresh {
        true => latest,
        false => secret.tracked,
    };
    let revisions = &secret.revisions;
    // A reader whose revision was removed reads the newest.
    let content = revisions.get(&revision).or_else(|| revisions.get(&latest));
    let content = content.cloned().ok_or_else(|| not_found(id))?;
    if refresh && changed_here {
        if let Some(secret) = hook.secrets_mut().get_mut(id) {
            secret.tracked = latest;
        }
    } else if refresh {
        hook.read_secret(id, |secret| secret.tracked = latest);
    }
    Ok(content)
}

fn shown(content: &Content, key: Option<&str>) -> Result<Option<Shown>, Refusal> {
    let Some(key) = key else {
        return Ok(Some(Shown::Value(json!(content.plain()))));
    };
    let (name, encoded) = match key.strip_suffix("#base64") {
        Some(name) => (name, true),
        None => (key, false),
    };
    let Some(value) = content.0.get(name) else {
        return Err(Refusal::Failed(format!(
            "secret key value {name:?} not found"
        )));
    };
    let text = match encoded {
        true => BASE64.encode(value),
        false => String::from_utf8_lossy(value).into_owned(),
    };
    Ok(Some(Shown::Value(text.into())))
}

pub fn info(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let uri = call.arguments.at_most_one().map_err(Refusal::Usage)?;
    let label = call
        .arguments
        .value("label")
        .filter(|label| !label.is_empty());
    let mut own = hook.secrets().values().filter(|secret| secret.is_own());
    let secret = match (uri, label) {
        (None, None) => {
            let text = "require either a secret URI or label";
            return Err(Refusal::Usage(text.to_owned()));
        }
        (Some(_), Some(_)) => {
            let text = "specify either a secret URI or label but not both";
            return Err(Refusal::Usage(text.to_owned()));
        }
        (Some(uri), None) => {
            let id = parse_uri(uri)?;
            own.find(|secret| secret.id == id)
                .ok_or_else(|| not_found(id))?
        }
        (None, Some(label)) => own
            .find(|secret| secret.label == label)
            .ok_or_else(|| not_found(label))?,
    };
    let document = json!({ secret.id.as_str(): described(hook, secret) });
    let times = [&secret.expire, &secret.rotates];
    Ok(Some(Shown::Document {
        json: document.clone(),
        yaml: document,
        plain: times.into_iter().flatten().cloned().collect(),
    }))
}

fn described(hook: &Hook, secret: &Secret) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    put("revision", secret.latest.into());
    put("label", secret.label.as_str().into());
    put("owner", secret.owner.name().into());
    if !secret.description.is_empty() {
        put("description", secret.description.as_str().into());
    }
    for (key, value) in [
        ("rotation", &secret.rotate),
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
                hook.model().app,
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
