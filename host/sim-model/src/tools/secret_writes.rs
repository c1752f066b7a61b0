//! The secret tools that change something when the hook succeeds (juju §3.3, juju §4).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::output::ToolOutput;
use super::secrets::{not_found, parse_uri};
use super::{Call, ToolError, file_error, relations, yaml};
use crate::{Content, Grant, Hook, HookContext, Revocation, SecretOwner, SecretUpdate, SecretView};
use charmhost_hook_tools::unrecognized;

/// Limit of one value and of all values of a secret, in bytes of base64.
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

fn usage(text: impl Into<String>) -> ToolError {
    ToolError::Usage(text.into())
}

/// The owner, metadata and content in the flags and values of a call.
fn update(
    hook: &Hook,
    call: &Call,
    values: &[String],
) -> Result<(SecretOwner, SecretUpdate), ToolError> {
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
    let update = SecretUpdate {
        label: value("label"),
        description: value("description"),
        rotate,
        expire: expire
            .as_deref()
            .map(|text| expiry(text, hook.now()))
            .transpose()?,
        content: Some(content).filter(|content| !content.0.is_empty()),
    };
    Ok((owner, update))
}

/// The values of the arguments and of `--file`, which is always a file: the
/// secret tools do not read their input.
fn content(hook: &Hook, call: &Call, values: &[String]) -> Result<Content, ToolError> {
    let mut content = BTreeMap::new();
    if let Some(file) = call.arguments.value("file").filter(|file| !file.is_empty()) {
        let bytes = read(hook, file).map_err(usage)?;
        for (key, value) in yaml::string_map(&bytes).map_err(usage)? {
            let (name, encoded) = value_of(hook, &key, &value)?;
            content.insert(name, encoded);
        }
    }
    for arg in values {
        let wrong = || usage(format!("key value {arg:?} not valid"));
        let pair = arg.split_once('=').filter(|(_, value)| !value.is_empty());
        let (key, value) = pair.ok_or_else(wrong)?;
        let (name, encoded) = value_of(hook, key, value)?;
        content.insert(name, encoded);
    }
    let size: usize = content.values().map(String::len).sum();
    match size > MAX_CONTENT {
        true => Err(usage(format!(
            "secret content size of {size} bytes too large"
        ))),
        false => Ok(Content(content)),
    }
}

/// A key and its value as base64. A `#base64` value is not checked (juju §3.3).
fn value_of(hook: &Hook, key: &str, value: &str) -> Result<(String, String), ToolError> {
    let (name, form) = key.split_once('#').unwrap_or((key, ""));
    if !is_key(name) {
        return Err(usage(format!("key {name:?} not valid")));
    }
    let encoded = match form {
        "" => BASE64.encode(value),
        "base64" => value.to_owned(),
        "file" => BASE64.encode(read(hook, value).map_err(|reason| {
            usage(format!("reading content for secret key {name:?}: {reason}"))
        })?),
        _ => return Err(usage(format!("key {key:?} not valid"))),
    };
    let size = encoded.len();
    match size > MAX_CONTENT {
        true => Err(usage(format!(
            "base64 encoded secret content for key {name:?} too large: {size} bytes"
        ))),
        false => Ok((name.to_owned(), encoded)),
    }
}

/// Reads a file that a value or `--file` names. A relative name is below the
/// working directory of the agent, which is `/`, not below that of the caller
/// (hook tools §3.3).
fn read(hook: &Hook, file: &str) -> Result<Vec<u8>, String> {
    let bytes = hook.read_file(Path::new("/"), file);
    bytes.map_err(|error| file_error(Path::new(""), file, &error))
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
fn expiry(text: &str, now: SystemTime) -> Result<String, ToolError> {
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
        Some(duration) => Ok(rfc3339(now + duration)),
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

pub fn add(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (owner, update) = update(hook, call, &call.arguments.args)?;
    let Some(content) = update.content else {
        return Err(usage("missing secret value or filename"));
    };
    if owner == SecretOwner::App && !hook.view().leader {
        return Err(ToolError::not_leader());
    }
    let id = hook.new_secret_id();
    let mut secret = SecretView::new(&id, owner, content);
    secret.label = update.label.unwrap_or_default();
    secret.description = update.description.unwrap_or_default();
    secret.rotate = update.rotate;
    secret.expire = update.expire;
    let made = hook.secret_changes_mut().make(secret);
    made.map_err(ToolError::Failed)?;
    Ok(Some(ToolOutput::Value(format!("secret:{id}").into())))
}

/// The only argument, a secret's URI, and those after it.
fn uri<'a>(call: &'a Call) -> Result<(&'a str, &'a [String]), ToolError> {
    match call.arguments.args.as_slice() {
        [] => Err(usage("missing secret URI")),
        [uri, rest @ ..] => Ok((parse_uri(uri)?, rest)),
    }
}

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (id, values) = uri(call)?;
    let (_, update) = update(hook, call, values)?;
    hook.secret_changes_mut().update(id, update);
    Ok(None)
}

pub fn remove(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
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
        text.parse::<i64>().map_err(wrong)
    });
    // Without a revision above zero, it is the whole secret.
    let revision = revision.transpose()?.filter(|revision| *revision > 0);
    let revision = revision.map(|revision| u32::try_from(revision).unwrap_or(u32::MAX));
    hook.secret_changes_mut().remove(id, revision);
    Ok(None)
}

pub fn grant(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
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
    if !hook.owned_secrets().contains_key(id) {
        return Err(not_found(id));
    }
    let grant = Grant { relation, unit };
    hook.secret_changes_mut().grant(id, grant);
    Ok(None)
}

pub fn revoke(hook: &mut Hook, call: &Call) -> Result<Option<ToolOutput>, ToolError> {
    let (id, rest) = uri(call)?;
    if !rest.is_empty() {
        return Err(usage(unrecognized(rest)));
    }
    let app = call.arguments.value("app").map(str::to_owned);
    let unit = call.arguments.value("unit").map(str::to_owned);
    if app.is_some() && unit.is_some() {
        return Err(usage("specify only one of application or unit"));
    }
    if let Some(app) = app.as_ref().filter(|app| !is_application(app)) {
        return Err(usage(format!("application {app:?} not valid")));
    }
    if let Some(unit) = unit.as_ref().filter(|unit| !is_unit(unit)) {
        return Err(usage(format!("unit {unit:?} not valid")));
    }
    let relation = relations::chosen(hook, call)?;
    let current = matches!(hook.context(), HookContext::Relation { .. });
    if app.is_some() && (relation.is_some() || current) {
        return Err(usage("do not specify both relation and app"));
    }
    if relation.is_none() && app.is_none() && unit.is_none() {
        return Err(usage("missing relation or application or unit"));
    }
    let which = Revocation {
        relation,
        app,
        unit,
    };
    hook.secret_changes_mut().revoke(id, which);
    Ok(None)
}

/// Whether Juju takes a name for an application's: words of lower-case letters
/// and digits joined by single hyphens, each with a letter, the first of them
/// beginning with one.
fn is_application(name: &str) -> bool {
    let is_word = |word: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        word.chars().all(fits) && word.contains(|c: char| c.is_ascii_lowercase())
    };
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(is_word)
}

/// Whether Juju takes a name for a unit's: an application and a number without
/// leading zeros.
fn is_unit(name: &str) -> bool {
    let is_number = |number: &str| {
        let digits = number.chars().all(|c| c.is_ascii_digit());
        digits && !number.is_empty() && (number == "0" || !number.starts_with('0'))
    };
    let parts = name.split_once('/');
    parts.is_some_and(|(app, number)| is_application(app) && is_number(number))
}

#[cfg(test)]
mod tests {
    use charmhost_jujuc::Request;

    use super::*;
    use crate::UnitView;

    const OWN: &str = "9m4e2mr0ui3e8a215n60";

    fn hook() -> Hook {
        let content = Content::text([("token", "old")]);
        let secret = SecretView::new(OWN, SecretOwner::Unit, content);
        let model = UnitView {
            secrets: [(OWN.to_owned(), secret)].into(),
            ..UnitView::default()
        };
        Hook::new(model, HookContext::Plain)
    }

    /// The exit code and output of a tool.
    fn run(hook: &mut Hook, args: &[&str]) -> (i32, String) {
        let (tool, args) = args.split_first().unwrap();
        let request = Request {
            dir: "/tmp".to_owned(),
            tool: (*tool).to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            stdin: Some(b"token: from stdin\n".to_vec()),
            ..Request::default()
        };
        let reply = super::super::run(hook, &request).unwrap();
        let output = [reply.stdout, reply.stderr].concat();
        (reply.code, String::from_utf8(output).unwrap())
    }

    #[test]
    fn arguments_are_refused_as_the_agent_refuses_them() {
        for (args, wanted) in [
            (&["secret-add", "key="][..], "key value \"key=\" not valid"),
            (&["secret-set", OWN, "key="], "key value \"key=\" not valid"),
            (
                &["secret-set", OWN, "--file", "-"],
                "open -: no such file or directory",
            ),
            (
                &["secret-revoke", OWN, "--unit", "bogus"],
                "unit \"bogus\" not valid",
            ),
            (
                &["secret-revoke", OWN, "--unit", "a/01"],
                "unit \"a/01\" not valid",
            ),
            (
                &["secret-revoke", OWN, "--app", "a-1"],
                "application \"a-1\" not valid",
            ),
            (
                &["secret-set", "d0000000000000000001"],
                "secret URI \"d0000000000000000001\" not valid",
            ),
        ] {
            let wanted = (2, format!("ERROR {wanted}\n"));
            assert_eq!(run(&mut hook(), args), wanted, "{args:?}");
        }
    }

    #[test]
    fn the_limit_is_of_a_value_and_of_all_together() {
        let value = |key: &str, bytes: usize| format!("{key}={}", "x".repeat(bytes));
        let add = |values: &[String]| {
            let values = values.iter().map(String::as_str);
            run(
                &mut hook(),
                &[&["secret-add"], &*values.collect::<Vec<_>>()].concat(),
            )
        };
        assert_eq!(add(&[value("key", 750_000)]).0, 0);
        let one = "base64 encoded secret content for key \"key\" too large: 1000004 bytes";
        assert_eq!(add(&[value("key", 750_001)]), (2, format!("ERROR {one}\n")));
        assert_eq!(add(&[value("key", 400_000), value("other", 400_000)]).0, 2);
    }

    #[test]
    fn base64_is_looked_at_when_it_is_read() {
        let mut hook = hook();
        let (code, uri) = run(&mut hook, &["secret-add", "key#base64=!!!", "other=v"]);
        let uri = uri.trim_end();
        assert_eq!(code, 0);
        let broken = "ERROR illegal base64 data at input byte 0\n".to_owned();
        assert_eq!(run(&mut hook, &["secret-get", uri, "key"]), (1, broken));
        let raw = run(&mut hook, &["secret-get", uri, "key#base64"]);
        assert_eq!(raw, (0, "'!!!'\n".to_owned()));
        let other = run(&mut hook, &["secret-get", uri, "other"]);
        assert_eq!(other, (0, "v\n".to_owned()));
    }

    #[test]
    fn new_content_is_read_only_by_who_asks_for_it() {
        let mut hook = hook();
        assert_eq!(run(&mut hook, &["secret-set", OWN, "token=new"]).0, 0);
        for (flag, wanted) in [
            (None, "old"),
            (Some("--peek"), "new"),
            (None, "old"),
            (Some("--refresh"), "new"),
            (None, "old"),
        ] {
            let args = [&["secret-get", OWN, "token"][..], flag.as_slice()].concat();
            assert_eq!(
                run(&mut hook, &args),
                (0, format!("{wanted}\n")),
                "{flag:?}"
            );
        }
        let (model, _, accepted) = hook.end(true);
        assert_eq!(accepted, Ok(()));
        let mut hook = Hook::new(model, HookContext::Plain);
        let read = run(&mut hook, &["secret-get", OWN, "token"]);
        assert_eq!(read, (0, "new\n".to_owned()));
    }

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
        let expiry = expiry("2027-01-01T00:00:00", UNIX_EPOCH);
        assert!(expiry.is_ok_and(|time| time == "2027-01-01T00:00:00Z"));
    }
}
