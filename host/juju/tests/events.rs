//! The table of events against everything that depends on it: the way from the
//! environment to a deferred event, `EVENTS.md`, the WIT interface `events`, and
//! the Rust SDK.

#![allow(clippy::unwrap_used, reason = "a test stops at the first problem")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use charmhost_juju::events::table::Presence;
use charmhost_juju::{Environment, Event, EventKind, Form, Metadata, Subject};

/// Events of the framework, which Juju does not dispatch, and cases for events
/// that are known by name only.
const OTHER_CASES: [&str; 6] = [
    "collect-app-status",
    "collect-unit-status",
    "pre-commit",
    "commit",
    "custom",
    "other",
];

fn read(path: &str) -> String {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// A charm with an endpoint, a storage, a container and an action named `my-x`.
fn metadata() -> Metadata {
    let dir = tempfile::tempdir().unwrap();
    let text = "name: x\nrequires: {my-x: {interface: i}}\nstorage: {my-x: {type: block}}\ncontainers: {my-x: }\n";
    std::fs::write(dir.path().join("metadata.yaml"), text).unwrap();
    std::fs::write(dir.path().join("actions.yaml"), "my-x:\n").unwrap();
    Metadata::load(dir.path()).unwrap()
}

/// The event of a kind, dispatched with the variables that its row requires.
fn dispatched(kind: EventKind, metadata: &Metadata) -> Event {
    let row = kind.row();
    let hook = row.hook_name();
    let path = match row.subject {
        Subject::Action => "actions/my-x".to_owned(),
        Subject::Unit | Subject::Secret => format!("hooks/{hook}"),
        _ => format!("hooks/my-x-{hook}"),
    };
    let required = row.fields.iter();
    let required = required.filter(|field| field.presence == Presence::Required);
    let mut variables: BTreeMap<&str, &str> = required
        .map(|field| {
            let text = match field.variable.form {
                Form::Text => "my-x",
                Form::Number => "3",
                Form::RelationNumber => "my-x:3",
                Form::StorageName | Form::StorageNumber => "my-x/3",
            };
            (field.variable.name, text)
        })
        .collect();
    variables.insert("JUJU_DISPATCH_PATH", &path);
    let environment = Environment::read(|name| variables.get(name).map(Into::into)).unwrap();
    let event = environment.event(metadata).unwrap();
    assert!(event.is_some(), "{path} dispatches nothing");
    event.unwrap()
}

#[test]
fn every_event_is_dispatched_and_restored_with_the_values_of_its_row() {
    let metadata = metadata();
    for kind in EventKind::ALL {
        let row = kind.row();
        let event = dispatched(*kind, &metadata);
        assert_eq!(event.kind(), *kind);
        assert!(metadata.has_event(&event.name()), "{kind:?}");
        let snapshot = event.snapshot();
        let keys: BTreeSet<&str> = snapshot
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let fields = row.fields.iter();
        let wanted: BTreeSet<&str> = fields
            .filter(|field| field.presence != Presence::Optional)
            .map(|field| field.key)
            .collect();
        assert_eq!(keys, wanted, "{kind:?}");
        let restored = Event::restore(&event.name(), &snapshot, &metadata);
        assert_eq!(restored, row.deferrable.then_some(event), "{kind:?}");
    }
}

const HEAD: &str = "# Events

Every event of Juju 2.9 to 4.1 that charmhost knows. This file is generated from
`src/events/table.rs`; a test compares the two.

`NAME` is the name of the endpoint, storage, container or action, with `_` for
`-`. A variable in brackets may be missing.

| event | variables | saved while deferred | Juju |
|---|---|---|---|
";

fn list() -> String {
    let mut list = HEAD.to_owned();
    for kind in EventKind::ALL {
        let row = kind.row();
        let prefix = match Subject::NAMED.contains(&row.subject) {
            true => "NAME_",
            false => "",
        };
        let mut variables: Vec<String> = Vec::new();
        for field in row.fields {
            let variable = match field.presence {
                Presence::Required => format!("`{}`", field.variable.name),
                _ => format!("[`{}`]", field.variable.name),
            };
            if !variables.contains(&variable) {
                variables.push(variable);
            }
        }
        let saved = match (row.deferrable, row.fields) {
            (false, _) => "cannot be deferred".to_owned(),
            (true, []) => "no values".to_owned(),
            (true, fields) => {
                let keys = fields.iter().map(|field| format!("`{}`", field.key));
                keys.collect::<Vec<_>>().join(", ")
            }
        };
        let since = row.since.to_string();
        let juju = match (since.as_str(), row.until) {
            ("0.0.0", None) => "all".to_owned(),
            ("0.0.0", Some(until)) => format!("before {until}"),
            (since, None) => format!("from {since}"),
            (since, Some(until)) => format!("from {since}, before {until}"),
        };
        let (name, variables) = (row.name, variables.join(", "));
        writeln!(
            list,
            "| `{prefix}{name}` | {variables} | {saved} | {juju} |"
        )
        .unwrap();
    }
    list
}

#[test]
fn the_list_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/EVENTS.md");
    if std::env::var_os("CHARMHOST_WRITE_LISTS").is_some() {
        std::fs::write(path, list()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == list(),
        "{path} differs from the table: run `CHARMHOST_WRITE_LISTS=1 cargo test -p charmhost-juju --test events`"
    );
}

/// The cases of the WIT variant `event`: their payloads, and whether their
/// documentation says that they cannot be deferred.
fn cases() -> BTreeMap<String, (String, bool)> {
    let text = read("wit/events/events.wit");
    let (_, variant) = text.split_once("variant event {").unwrap();
    let (variant, _) = variant.split_once("\n  }").unwrap();
    let mut cases = BTreeMap::new();
    let mut docs = String::new();
    for line in variant.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push_str(doc);
        } else if let Some(case) = line.strip_suffix(',') {
            let (name, payload) = case.split_once('(').unwrap_or((case, ")"));
            let payload = payload.trim_end_matches(')').to_owned();
            let once = docs.contains("Cannot be deferred");
            cases.insert(name.to_owned(), (payload, once));
            docs.clear();
        }
    }
    cases
}

#[test]
fn the_interface_has_no_other_events_than_the_table() {
    let rows: BTreeMap<String, EventKind> = EventKind::ALL
        .iter()
        .map(|kind| (kind.row().hook_name(), *kind))
        .collect();
    let cases = cases();
    assert!(cases.len() > 30, "only {} cases are found", cases.len());
    for (name, (payload, once)) in cases {
        if OTHER_CASES.contains(&name.as_str()) {
            continue;
        }
        let row = rows.get(&name).map(|kind| kind.row());
        let row = row.unwrap_or_else(|| panic!("the table has no event {name}"));
        assert_eq!(once, !row.deferrable, "what {name} says of deferral");
        let has = |key: &str| row.fields.iter().any(|field| field.key == key);
        let wanted = match row.subject {
            Subject::Unit => "",
            Subject::Relation => match name.as_str() {
                "relation-joined" => "relation-joined-event",
                "relation-changed" => "relation-changed-event",
                "relation-departed" => "relation-departed-event",
                _ => "relation-event",
            },
            Subject::Storage => "storage-event",
            Subject::Container if has("notice_id") => "notice-event",
            Subject::Container if has("check_name") => "check-event",
            Subject::Container => "workload-event",
            Subject::Secret if has("revision") => "secret-revision-event",
            Subject::Secret => "secret-event",
            Subject::Action => "action-event",
        };
        assert_eq!(payload, wanted, "the payload of {name}");
    }
}

/// What stands between the braces of a macro call or an item.
fn block<'a>(text: &'a str, start: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once("\n}").unwrap().0
}

/// Text without its comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.starts_with("//")).collect()
}

/// The Rust SDK has a type and a method for every event of the interface.
#[test]
fn the_sdk_has_the_events_of_the_interface() {
    let events = code(block(
        &read("guest-sdk/rust/src/events.rs"),
        "\nevents! {\n",
    ));
    let parts: Vec<&str> = events.split(" = wit::Event::").collect();
    let name =
        |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric()).collect() };
    let types: BTreeMap<String, bool> = parts
        .windows(2)
        .map(|pair| (name(pair[1]), pair[0].ends_with(" defer")))
        .collect();
    let observe = read("guest-sdk/rust/src/observe/mod.rs");
    for name in cases().into_keys() {
        if OTHER_CASES.contains(&name.as_str()) {
            continue;
        }
        let kind = EventKind::ALL
            .iter()
            .find(|kind| kind.row().hook_name() == name);
        let kind = kind.unwrap_or_else(|| panic!("the table has no event {name}"));
        let row = kind.row();
        let deferrable = types.get(format!("{kind:?}").as_str());
        assert_eq!(deferrable, Some(&row.deferrable), "{kind:?}");
        let method = match row.subject {
            Subject::Unit | Subject::Secret => format!(" {}({kind:?}Event);", row.name),
            Subject::Action => format!("{{}}_{}\"", row.name),
            _ => format!("({kind:?}Event) = \"{}\";", row.name),
        };
        assert!(observe.contains(&method), "{method} is not there");
    }
    assert!(types.len() > 25, "only {} types are found", types.len());
}
