//! The names of events, and what to say of one that there is not.

use charmhost_juju::Metadata;
use serde_json::{Map, Value};

use crate::Error;
use crate::model::Actions;

/// Hooks about the unit as a whole.
pub const HOOKS: [&str; 9] = [
    "install",
    "leader-elected",
    "leader-settings-changed",
    "config-changed",
    "start",
    "update-status",
    "upgrade-charm",
    "stop",
    "remove",
];

/// Hooks about a secret.
pub const SECRET_HOOKS: [&str; 4] = [
    "secret-changed",
    "secret-rotate",
    "secret-remove",
    "secret-expired",
];

/// An action by its name, with its parameters.
pub type Named = (String, Map<String, Value>);

/// The action that an event names: `NAME-action`,
/// `actions/NAME` or `action:NAME`, and its
/// parameters after commas: `count=3,to.host=a`.
/// Values are YAML.
pub fn parse_action(text: &str, actions: &Actions) -> Result<Option<Named>, Error> {
    let (head, params) = match text.split_once(',') {
        Some((head, params)) => (head, params),
        None => (text, ""),
    };
    let suffixed = head
        .strip_suffix("-action")
        .filter(|name| actions.has(name));
    let prefixed = || {
        head.strip_prefix("action:")
            .or_else(|| head.strip_prefix("actions/"))
    };
    let Some(name) = suffixed.or_else(prefixed) else {
        return Ok(None);
    };
    Ok(Some((name.to_owned(), read_params(name, params)?)))
}

/// Reads `a=1,b.c=x`: values are YAML, dots make nested maps.
fn read_params(action: &str, text: &str) -> Result<Map<String, Value>, Error> {
    let refuse = |detail: String| Error::Action {
        action: action.to_owned(),
        detail,
    };
    let mut params = Map::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let wrong = || {
            refuse(format!(
                "parameters are given as NAME=VALUE, not as {pair:?}"
            ))
        };
        let (path, text) = pair.split_once('=').ok_or_else(wrong)?;
        let value = charmhost_yaml::parse(text)
            .map_err(|error| refuse(format!("the value of {path:?}: {error}")))?;
        let keys: Vec<&str> = path.split('.').collect();
        if keys.iter().any(|key| key.is_empty()) {
            return Err(wrong());
        }
        crate::model::insert(&mut params, &keys, value);
    }
    Ok(params)
}

/// Why there is no such event, with what there is.
pub fn refusal(event: &str, metadata: &Metadata, actions: &Actions) -> Error {
    let known = known(metadata, actions);
    let closest = known.iter().min_by_key(|name| distance(event, name));
    let detail = match closest.filter(|name| distance(event, name) <= 3) {
        Some(name) => format!("there is no such event; did you mean {name}?"),
        None => format!("there is no such event; there are {}", known.join(", ")),
    };
    Error::Event {
        event: event.to_owned(),
        detail,
    }
}

fn known(metadata: &Metadata, actions: &Actions) -> Vec<String> {
    let mut known: Vec<String> = HOOKS.iter().map(|name| (*name).to_owned()).collect();
    let mut extend = |names: &mut dyn Iterator<Item = &String>, suffixes: &[&str]| {
        for name in names {
            known.extend(suffixes.iter().map(|suffix| format!("{name}-{suffix}")));
        }
    };
    extend(
        &mut metadata.containers.keys(),
        &[
            "pebble-ready",
            "pebble-custom-notice",
            "pebble-check-failed",
            "pebble-check-recovered",
        ],
    );
    extend(
        &mut metadata.relations.keys(),
        &[
            "relation-created",
            "relation-joined",
            "relation-changed",
            "relation-departed",
            "relation-broken",
        ],
    );
    extend(
        &mut metadata.storage.keys(),
        &["storage-attached", "storage-detaching"],
    );
    known.extend(actions.names().map(|name| format!("{name}-action")));
    known.extend(SECRET_HOOKS.iter().map(|name| (*name).to_owned()));
    known
}

/// How many letters must change to make one text the other; `_` and `-` count
/// as the same.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| {
        text.replace('_', "-")
            .to_lowercase()
            .chars()
            .collect::<Vec<_>>()
    };
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (pair, to) in row.windows(2).zip(&b) {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => continue,
            };
            let left = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(from != to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
