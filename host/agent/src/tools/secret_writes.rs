//! The secret tools that change something when the hook succeeds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::format::Shown;
use super::secrets::parse_uri;
use super::{Call, Refusal, relations};
use crate::model::{Content, Context, Grant, Hook, Secret, SecretOwner};
use charmhost_hook_tools::unrecognized;

/// How many bytes a secret may hold, as base64.
const MAX_CONTENT: usize = 1_000_000;

const POLICIES: [&str; 7] = [
    "never",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
];

fn usage(text: impl Into<String>) -> Refusal {
    Refusal::Usage(text.into())
}

/// What flags and values say of a secret.
struct Said {
    owner: SecretOwner,
    label: Option<String>,
    description: Option<String>,
    rotate: Option<String>,
    expire: Option<String>,
    content: Content,
}

fn said(hook: &Hook, call: &Call, values: &[String]) -> Result<Said, Refusal> {
    let value = |name: &str| call.arguments.value(name).map(str::to_owned);
    let content = content(hook, call, values)?;
    let owner = match value("owner").as_deref() {
        None | Some("application" | "app") => SecretOwner::App,
        Some("unit") => SecretOwner::Unit,
        Some(other) => return Err(usage(format!("secret owner {other:?} not valid"))),
    };
    let rotate = value("rotate");
    if let Some(policy) = rotate
        .as_deref()
        .filter(|policy| !POLICIES.contains(policy))
    {
        return Err(usage(format!("rotate policy {policy:?} not valid")));
    }
    let expire = value("expire").filter(|text| !text.is_empty());
    Ok(Said {
        owner,
        label: value("label"),
        description: value("description"),
        rotate: rotate.filter(|policy| policy != "never"),
        expire: expire.as_deref().map(expiry).transpose()?,
        content,
    })
}

/// The values of the arguments and of `--file`.
fn content(hook: &Hook, call: &Call, values: &[String]) -> Result<Content, Refusal> {
    let mut content = BTreeMap::new();
    if let Some(file) = call.arguments.value("file").filter(|file| !file.is_empty()) {
        let bytes = match file {
            "-" => call.stdin()?.to_vec(),
            path => hook
                .read_file(call.dir, path)
                .map_err(|error| Refusal::Failed(opening(path, &error)))?,
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let document = charmhost_yaml::parse(&text)
            .map_err(|error| Refusal::Failed(format!("cannot read {file:?}: {error}")))?;
        for (key, value) in document.as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let (name, bytes) = value_of(hook, call, key, &text)?;
            content.insert(name, bytes);
        }
    }
    for arg in values {
        let wrong = || usage(format!("key value {arg:?} not valid"));
        let (key, value) = arg.split_once('=').ok_or_else(wrong)?;
        let (name, bytes) = value_of(hook, call, key, value)?;
        content.insert(name, bytes);
    }
    let size: usize = content
        .values()
        .map(|value| value.len().div_ceil(3) * 4)
        .sum();
    match size > MAX_CONTENT {
        true => Err(usage(format!(
            "secret content size of {size} bytes too large"
        ))),
        false => Ok(Content(content)),
    }
}

fn value_of(
    hook: &Hook,
    call: &Call,
    key: &str,
    value: &str,
) -> Result<(String, Vec<u8>), Refusal> {
    let (name, form) = key.split_once('#').unwrap_or((key, ""));
    if !is_key(name) {
        return Err(usage(format!("key {name:?} not valid")));
    }
    let bytes = match form {
        "" => value.as_bytes().to_vec(),
        "base64" => BASE64
            .decode(value)
            .map_err(|_| usage(format!("secret value for {name:?} is no base64")))?,
        "file" => hook.read_file(call.dir, value).map_err(|error| {
            let reason = opening(value, &error);
            usage(format!("reading content for secret key {name:?}: {reason}"))
        })?,
        _ => return Err(usage(format!("key {key:?} not valid"))),
    };
    Ok((name.to_owned(), bytes))
}

/// Why a file cannot be opened, in the words of Go.
fn opening(path: &str, error: &std::io::Error) -> String {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("open {path}: {reason}")
}

/// Lower-case letters and digits with single hyphens between them, three
/// characters or more, beginning with a letter.
fn is_key(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(inner)
        && name.chars().filter(|c| *c != '-').count() >= 3
        && name.chars().all(|c| inner(c) || c == '-')
        && !name.contains("--")
}

/// A time as RFC 3339, of a time or of a duration from now on.
fn expiry(text: &str) -> Result<String, Refusal> {
    let time = text.strip_suffix('Z').unwrap_or(text);
    let digits = |range: std::ops::Range<usize>| {
        time.get(range)
            .is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_time = time.len() >= 19
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && time.as_bytes().get(10) == Some(&b'T')
        && digits(11..13);
    if is_time {
        let has_zone = text.ends_with('Z') || time.get(19..).is_some_and(|zone| !zone.is_empty());
        return Ok(if has_zone {
            text.to_owned()
        } else {
            format!("{text}Z")
        });
    }
    if let Some(positive) = text.strip_prefix('-')
        && duration(positive).is_some()
    {
        return Err(usage(format!(
            "negative expire duration {text:?} not valid"
        )));
    }
    match duration(text) {
        Some(duration) => Ok(rfc3339(SystemTime::now() + duration)),
        None => Err(usage(format!("expire time or duration {text:?} not valid"))),
    }
}

/// A duration as Go writes it: `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time in UTC, to the second.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86400, seconds % 86400);
    // Days to a date: counted in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

pub fn add(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let said = said(hook, call, &call.arguments.args)?;
    if said.content.0.is_empty() {
        return Err(usage("missing secret value or filename"));
    }
    if said.owner == SecretOwner::App && !hook.model().leader {
        return Err(Refusal::not_leader());
    }
    let label = said.label.clone().unwrap_or_default();
    let mut own = hook.secrets().values().filter(|secret| secret.is_own());
    if !label.is_empty() && own.any(|secret| secret.label == label) {
        hook.refuse(format!("secret with label {label:?} already exists"));
    }
    let id = hook.new_secret_id();
    let mut secret = Secret::new(&id, said.owner, said.content);
    secret.label = label;
    secret.description = said.description.unwrap_or_default();
    secret.rotate = said.rotate;
    secret.expire = said.expire;
    hook.secrets_mut().insert(id.clone(), secret);
    Ok(Some(Shown::Value(format!("secret:{id}").into())))
}

/// The only argument, a secret's URI, and those after it.
fn uri<'a>(call: &'a Call) -> Result<(&'a str, &'a [String]), Refusal> {
    match call.arguments.args.as_slice() {
        [] => Err(usage("missing secret URI")),
        [uri, rest @ ..] => Ok((parse_uri(uri)?, rest)),
    }
}

/// An own secret that this unit may change. Of others, the tool says nothing,
/// and Juju refuses all changes in the end.
fn own<'a>(hook: &'a mut Hook, id: &str) -> Result<Option<&'a mut Secret>, Refusal> {
    let leader = hook.model().leader;
    match hook.secrets().get(id).map(|secret| &secret.owner) {
        Some(SecretOwner::App) if !leader => Err(Refusal::not_leader()),
        Some(SecretOwner::App | SecretOwner::Unit) => Ok(hook.secrets_mut().get_mut(id)),
        Some(SecretOwner::Remote(_)) => {
            hook.refuse(format!("cannot change secret {id:?}: permission denied"));
            Ok(None)
        }
        None => {
            hook.refuse(format!(
                "cannot change secret {id:?}: secret {id:?} not found"
            ));
            Ok(None)
        }
    }
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let (id, values) = uri(call)?;
    let said = said(hook, call, values)?;
    let Some(secret) = own(hook, id)? else {
        return Ok(None);
    };
    let changes = [
        (said.label, &mut secret.label),
        (said.description, &mut secret.description),
    ];
    for (value, field) in changes {
        if let Some(value) = value {
            *field = value;
        }
    }
    if call.arguments.value("rotate").is_some() {
        secret.rotate = said.rotate;
    }
    if said.expire.is_some() {
        secret.expire = said.expire;
    }
    if !said.content.0.is_empty() {
        secret.add_revision(said.content);
    }
    Ok(None)
}

pub fn remove(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let (id, rest) = uri(call)?;
    if !rest.is_empty() {
        return Err(usage(unrecognized(rest)));
    }
    let revision = call.arguments.value("revision").map(|text| {
        let wrong = |_| {
            usage(format!(
                "invalid value {text:?} for option --revision: strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        };
        text.parse::<u32>().map_err(wrong)
    });
    let revision = revision.transpose()?.filter(|revision| *revision > 0);
    let Some(secret) = own(hook, id)? else {
        return Ok(None);
    };
    match revision {
        Some(revision) => drop(secret.revisions.remove(&revision)),
        None => secret.revisions.clear(),
    }
    if secret.revisions.is_empty() {
        hook.secrets_mut().remove(id);
    }
    Ok(None)
}

pub fn grant(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let (id, rest) = uri(call)?;
    if !rest.is_empty() {
        return Err(usage(unrecognized(rest)));
    }
    let relation = relations::required(hook, call)?;
    let remote = relations::relation(hook, relation)?.remote_app.clone();
    let unit = call.arguments.value("unit").map(str::to_owned);
    if let Some(unit) = unit
        .as_deref()
        .filter(|unit| unit.split('/').next() != Some(&remote))
    {
        return Err(usage(format!(
            "cannot specify unit {unit:?} in relation to application {remote:?}"
        )));
    }
    if let Some(secret) = own(hook, id)? {
        let grant = Grant { relation, unit };
        if !secret.grants.contains(&grant) {
            secret.grants.push(grant);
        }
    }
    Ok(None)
}

pub fn revoke(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let (id, rest) = uri(call)?;
    if !rest.is_empty() {
        return Err(usage(unrecognized(rest)));
    }
    let app = call.arguments.value("app").map(str::to_owned);
    let unit = call.arguments.value("unit").map(str::to_owned);
    if app.is_some() && unit.is_some() {
        return Err(usage("specify only one of application or unit"));
    }
    let relation = relations::chosen(hook, call)?;
    let current = matches!(hook.context(), Context::Relation { .. });
    if app.is_some() && (relation.is_some() || current) {
        return Err(usage("do not specify both relation and app"));
    }
    if relation.is_none() && app.is_none() && unit.is_none() {
        return Err(usage("missing relation or application or unit"));
    }
    let apps: BTreeMap<u32, String> = hook
        .relations()
        .iter()
        .map(|(id, relation)| (*id, relation.remote_app.clone()))
        .collect();
    if let Some(secret) = own(hook, id)? {
        secret.grants.retain(|grant| {
            let of_relation = relation.is_none_or(|id| id == grant.relation);
            let of_app = app.is_none() || apps.get(&grant.relation) == app.as_ref();
            let of_unit = unit.is_none() || grant.unit == unit;
            !(of_relation && of_app && of_unit)
        });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_three_characters_or_more() {
        for (key, wanted) in [
            ("token", true),
            ("a-b-c", true),
            ("ab1", true),
            ("ab", false),
            ("a--bc", false),
            ("-abc", false),
            ("abc-", false),
            ("1abc", false),
            ("aBc", false),
        ] {
            assert_eq!(is_key(key), wanted, "{key}");
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), wanted);
        }
        assert_eq!(
            duration("1h30m1.5s"),
            Some(Duration::from_millis(5_401_500))
        );
        assert_eq!(duration("5"), None);
        assert!(expiry("2027-01-01T00:00:00").is_ok_and(|time| time == "2027-01-01T00:00:00Z"));
    }
}
