//! `metadata.yaml` as a whole (`archive §4`); endpoints and workload sections are
//! in other files.

use serde_json::{Map, Value};

use super::{relations, workload};
use crate::error::Error;
use crate::problems::{Problems, kind};

/// Sections that must be maps if they are present.
const MAPS: [&str; 8] = [
    "containers",
    "devices",
    "extra-bindings",
    "peers",
    "provides",
    "requires",
    "resources",
    "storage",
];

/// Keys of Juju's first format of metadata that the second does not have.
const FIRST_FORMAT: [&str; 3] = ["deployment", "min-juju-version", "series"];
/// Keys of the second format only.
const SECOND_FORMAT: [&str; 3] = ["assumes", "charm-user", "containers"];

/// Checks a charm's name: lower-case words joined by hyphens, each with a
/// letter in it, the first beginning with one.
pub fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_word =
        |word: &str| word.chars().all(allowed) && word.contains(|c: char| c.is_ascii_lowercase());
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(is_word) {
        return Ok(());
    }
    Err(Error::Name(format!(
        "cannot use the charm name {name:?}: it must be lower-case words joined by hyphens, each \
         with a letter in it and the first beginning with one, such as \"my-charm\" or \"pg2-k8s\""
    )))
}

/// Checks all of `metadata.yaml`.
pub fn check(metadata: &Map<String, Value>, problems: &mut Problems) {
    for key in ["name", "summary", "description"] {
        match metadata.get(key) {
            None => problems.add(format!("cannot pack a charm without `{key}`; write one")),
            Some(value) => {
                let text = problems.string(key, value);
                if let Some(Err(error)) = text.filter(|_| key == "name").map(check_name) {
                    problems.add(error.to_string());
                }
            }
        }
    }
    for key in MAPS {
        if let Some(value) = metadata.get(key) {
            problems.map(key, value);
        }
    }
    check_formats(metadata, problems);
    if let Some(value) = metadata.get("subordinate") {
        problems.boolean("subordinate", value);
    }
    if let Some(value) = metadata.get("charm-user")
        && let Some(user) = problems.string("charm-user", value)
        && !["root", "sudoer", "non-root"].contains(&user)
    {
        problems.add(format!(
            "cannot use the charm-user {user:?}: it must be root, sudoer or non-root"
        ));
    }
    if let Some(value) = metadata.get("terms")
        && let Some(terms) = problems.list("terms", value)
    {
        for term in terms {
            if problems
                .string("terms", term)
                .is_some_and(|term| !is_term(term))
            {
                problems.add(format!(
                    "cannot use `terms` with {}: a term is lower-case words joined by hyphens, \
                     such as my-terms or owner/my-terms/3",
                    kind(term)
                ));
            }
        }
    }
    if let Some(value) = metadata.get("assumes")
        && let Some(list) = problems.list("assumes", value)
    {
        list.iter().for_each(|one| check_assumes(one, problems));
    }
    relations::check(metadata, problems);
    workload::check(metadata, problems);
}

/// Checks the characters of a term: a name with an optional owner and revision.
fn is_term(term: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/:.+@".contains(c);
    term.starts_with(|c: char| c.is_ascii_lowercase()) && term.chars().all(allowed)
}

fn check_formats(metadata: &Map<String, Value>, problems: &mut Problems) {
    let present = |keys: [&'static str; 3]| {
        let there = keys.into_iter().filter(|key| metadata.contains_key(*key));
        there.collect::<Vec<_>>().join(", ")
    };
    let (first, second) = (present(FIRST_FORMAT), present(SECOND_FORMAT));
    if !first.is_empty() && !second.is_empty() {
        problems.add(format!(
            "cannot use {first} together with {second}: they are of two formats of metadata; \
             write `base` and `assumes: [juju >= 3.6]` instead"
        ));
    }
}

/// Checks an entry of `assumes`: a feature, with or without a version, or a map of
/// `any-of` or `all-of`.
fn check_assumes(value: &Value, problems: &mut Problems) {
    let map = match value {
        Value::String(text) if is_feature(text) => return,
        Value::Object(map) => map,
        _ => {
            problems.add(format!(
                "cannot use `assumes` with {}: write a feature, such as k8s-api or \
                 \"juju >= 3.6\", or a map of any-of or all-of",
                kind(value)
            ));
            return;
        }
    };
    match map.iter().next() {
        Some((key, value)) if map.len() == 1 && (key == "any-of" || key == "all-of") => {
            if let Some(list) = problems.list(&format!("assumes.{key}"), value) {
                list.iter().for_each(|one| check_assumes(one, problems));
            }
        }
        _ => problems.add("cannot use `assumes`: a map in it must have one key, any-of or all-of"),
    }
}

fn is_feature(text: &str) -> bool {
    let is_name = |name: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        name.len() >= 2
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(allowed)
            && !name.ends_with('-')
    };
    // The part behind a point or hyphen may also be a tag: 3.6-beta1.
    let is_version = |version: &str| {
        let mut parts = version.trim().split(['.', '-']);
        let is_number = |part: &str| part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty();
        let is_tagged = |part: &str| {
            let digits = part.trim_start_matches(|c: char| c.is_ascii_lowercase());
            is_number(digits)
        };
        parts.next().is_some_and(is_number) && parts.all(is_tagged)
    };
    let text = text.trim();
    match text.split_once(">=").or_else(|| text.split_once('<')) {
        None => is_name(text),
        Some((name, version)) => is_name(name.trim_end()) && is_version(version),
    }
}
