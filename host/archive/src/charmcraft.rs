//! From `charmcraft.yaml` to the keys of `metadata.yaml` (`archive §7`).

use serde_json::{Map, Value};

use crate::problems::Problems;
use crate::url;

/// Keys that are copied to `metadata.yaml` under the same name.
const SAME: [&str; 15] = [
    "assumes",
    "charm-user",
    "containers",
    "description",
    "devices",
    "extra-bindings",
    "name",
    "peers",
    "provides",
    "requires",
    "resources",
    "storage",
    "subordinate",
    "summary",
    "terms",
];

/// Keys for packing, and keys whose values become another file.
const OTHER: [&str; 15] = [
    "actions",
    "adopt-info",
    "analysis",
    "base",
    "build-base",
    "charm-libs",
    "charmhub",
    "config",
    "links",
    "package-repositories",
    "parts",
    "platforms",
    "title",
    "type",
    "version",
];

/// Keys of other formats and older versions, and what to write instead.
const INSTEAD: [(&str, &str); 17] = [
    (
        "bases",
        "write `base: ubuntu@24.04` and `platforms: {amd64: }`",
    ),
    ("contact", "write it under `links`"),
    ("display-name", "write `title`"),
    ("docs", "write `documentation` under `links`"),
    ("documentation", "write it under `links`"),
    (
        "extensions",
        "charmhost has no extensions; write what the extension adds",
    ),
    ("issues", "write it under `links`"),
    ("license", "ship a LICENSE file"),
    ("maintainer", "write `contact` under `links`"),
    ("maintainers", "write `contact` under `links`"),
    ("min-juju-version", "write `assumes: [juju >= 3.6]`"),
    ("series", "write `base: ubuntu@24.04`"),
    ("source", "write it under `links`"),
    ("source-code", "write `source` under `links`"),
    ("tags", "leave it out"),
    ("categories", "leave it out"),
    ("website", "write it under `links`"),
];

/// Checks the top-level keys.
pub fn check_keys(charmcraft: &Map<String, Value>, problems: &mut Problems) {
    for key in charmcraft.keys().map(String::as_str) {
        if SAME.contains(&key) || OTHER.contains(&key) {
            continue;
        }
        let advice = INSTEAD
            .iter()
            .find(|(old, _)| *old == key)
            .map_or("remove it, or correct its spelling", |(_, advice)| *advice);
        problems.add(format!(
            "cannot use the key `{key}` in charmcraft.yaml: extra inputs are not permitted; {advice}"
        ));
    }
    match charmcraft.get("type") {
        Some(Value::String(kind)) if kind == "charm" => {}
        None => problems.add("cannot tell what charmcraft.yaml describes: write `type: charm`"),
        Some(_) => problems.add("cannot use `type`: only `type: charm` can be packed"),
    }
}

/// The keys with a value that would be part of `metadata.yaml`.
pub fn metadata_keys(charmcraft: &Map<String, Value>) -> Vec<&str> {
    charmcraft
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, _)| key.as_str())
        .filter(|key| SAME.contains(key) || ["title", "links"].contains(key))
        .collect()
}

/// Derives `metadata.yaml`: null keys are omitted, keys are sorted at all levels,
/// `title` and `links` are renamed to Juju's keys.
pub fn metadata(charmcraft: &Map<String, Value>, problems: &mut Problems) -> Map<String, Value> {
    let mut metadata = Map::new();
    for (key, value) in charmcraft {
        if SAME.contains(&key.as_str()) && !value.is_null() {
            metadata.insert(key.clone(), value.clone());
        }
    }
    if let Some(title) = charmcraft.get("title").filter(|title| !title.is_null()) {
        match problems.string("title", title) {
            Some(text) if (2..=40).contains(&text.chars().count()) => {
                metadata.insert("display-name".into(), title.clone());
            }
            Some(_) => problems.add("cannot use `title`: it must have 2 to 40 characters"),
            None => {}
        }
    }
    if let Some(Value::String(summary)) = charmcraft.get("summary")
        && summary.chars().count() > 200
    {
        problems.add(
            "cannot use `summary`: it has more than 200 characters; move the rest to `description`",
        );
    }
    if let Some(value) = charmcraft.get("links").filter(|value| !value.is_null())
        && let Some(map) = problems.map("links", value)
    {
        for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
            link(key, value, &mut metadata, problems);
        }
    }
    sorted_map(metadata)
}

fn link(key: &str, value: &Value, metadata: &mut Map<String, Value>, problems: &mut Problems) {
    let field = format!("links.{key}");
    match key {
        "contact" => {
            let list = match value {
                Value::Array(list) => list.clone(),
                one => vec![one.clone()],
            };
            if list
                .iter()
                .all(|one| problems.string(&field, one).is_some())
            {
                metadata.insert("maintainers".into(), Value::Array(list));
            }
        }
        "documentation" => {
            if let Some(value) = normalised(&field, value, problems) {
                metadata.insert("docs".into(), value);
            }
        }
        "issues" | "source" | "website" => {
            let value = match value {
                Value::Array(list) => list
                    .iter()
                    .map(|one| normalised(&field, one, problems))
                    .collect::<Option<Vec<_>>>()
                    .map(Value::Array),
                one => normalised(&field, one, problems),
            };
            if let Some(value) = value {
                metadata.insert(key.to_owned(), value);
            }
        }
        _ => problems.add(format!(
            "cannot use `{field}`: extra inputs are not permitted; `links` may have contact, \
             documentation, issues, source and website"
        )),
    }
}

fn normalised(field: &str, value: &Value, problems: &mut Problems) -> Option<Value> {
    let text = problems.string(field, value)?;
    match url::normalise(text) {
        Ok(link) => Some(Value::String(link)),
        Err(problem) => {
            problems.add(format!("cannot use `{field}`: {problem}"));
            None
        }
    }
}

/// Sorts the keys of every map in a value.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(sorted_map(map)),
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn sorted_map(map: Map<String, Value>) -> Map<String, Value> {
    let mut pairs: Vec<_> = map.into_iter().collect();
    pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
    pairs
        .into_iter()
        .map(|(key, value)| (key, sorted(value)))
        .collect()
}
