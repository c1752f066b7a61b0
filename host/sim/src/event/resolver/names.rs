//! The names of events, and the errors for names that are not among them.

use charmhost_juju::{EventKind, Metadata, Subject};
use charmhost_sim_model::Actions;
use serde_json::{Map, Value};

use crate::Error;

/// Events that are not simulated: other workers of the agent run them, or nobody
/// upgrades the machine.
const NOT_SIMULATED: [EventKind; 3] = [
    EventKind::PreSeriesUpgrade,
    EventKind::PostSeriesUpgrade,
    EventKind::CollectMetrics,
];

/// Whether an event is simulated.
pub fn is_simulated(kind: EventKind) -> bool {
    !NOT_SIMULATED.contains(&kind)
}

/// The simulated hooks about a subject: their names, without that of the subject.
fn hooks(subject: Subject) -> impl Iterator<Item = String> {
    let kinds = EventKind::ALL.iter().copied();
    kinds
        .filter(move |kind| kind.row().subject == subject && is_simulated(*kind))
        .map(|kind| kind.row().hook_name())
}

/// The subject of a hook's name: its kind, its name in the metadata, and the rest
/// of the hook's name. Hooks about the unit and secrets have no other rest.
pub fn subject<'a>(hook: &'a str, metadata: &Metadata) -> Option<(Subject, &'a str, &'a str)> {
    for kind in [Subject::Unit, Subject::Secret] {
        if hooks(kind).any(|known| known == hook) {
            return Some((kind, "", hook));
        }
    }
    let kinds = [Subject::Relation, Subject::Storage, Subject::Container];
    kinds.into_iter().find_map(|kind| {
        hooks(kind).find_map(|known| {
            let name = hook.strip_suffix(&known)?.strip_suffix('-')?;
            let rest = hook.strip_prefix(name)?.strip_prefix('-')?;
            let is_declared = metadata.names(kind).any(|declared| declared == name);
            is_declared.then_some((kind, name, rest))
        })
    })
}

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
    let reject = |detail: String| {
        Error::from(charmhost_sim_model::Error::Action {
            action: action.to_owned(),
            detail,
        })
    };
    let mut params = Map::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let wrong = || {
            reject(format!(
                "parameters are given as NAME=VALUE, not as {pair:?}"
            ))
        };
        let (path, text) = pair.split_once('=').ok_or_else(wrong)?;
        let value = charmhost_yaml::parse(text)
            .map_err(|error| reject(format!("the value of {path:?}: {error}")))?;
        let keys: Vec<&str> = path.split('.').collect();
        if keys.iter().any(|key| key.is_empty()) {
            return Err(wrong());
        }
        charmhost_sim_model::insert(&mut params, &keys, value);
    }
    Ok(params)
}

/// Why there is no such event, with what there is. `declared_in` is what lists
/// the actions and endpoints: `charmcraft.yaml`, or `the charm`.
pub fn refusal(event: &str, declared_in: &str, metadata: &Metadata, actions: &Actions) -> Error {
    let name = event.split(',').next().unwrap_or(event);
    let name = name.strip_prefix("hooks/").unwrap_or(name);
    let known = known(metadata, actions);
    let detail = if let Some(name) = closest(name, known.iter().map(String::as_str)) {
        format!("there is no such event; did you mean {name}?")
    } else if let Some(detail) = undeclared(name, declared_in, metadata, actions) {
        detail
    } else {
        format!("there is no such event; there are {}", known.join(", "))
    };
    Error::Event {
        event: event.to_owned(),
        detail,
    }
}

/// What an event's name is about, if the charm lacks just that.
fn undeclared(
    event: &str,
    declared_in: &str,
    metadata: &Metadata,
    actions: &Actions,
) -> Option<String> {
    let list = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
    let (kind, name, names) = if let Some(action) = event.strip_suffix("-action") {
        (
            "action",
            action,
            actions.names().map(str::to_owned).collect(),
        )
    } else if let Some((container, _)) = event.split_once("-pebble-") {
        (
            "container",
            container,
            list(&mut metadata.containers.keys()),
        )
    } else if let Some((relation, _)) = event.split_once("-relation-") {
        ("relation", relation, list(&mut metadata.relations.keys()))
    } else if let Some((storage, _)) = event.split_once("-storage-") {
        ("storage", storage, list(&mut metadata.storage.keys()))
    } else {
        return None;
    };
    if names.iter().any(|known| known == name) {
        return None;
    }
    let known = match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    Some(format!(
        "{declared_in} has no {kind} {name}; it has {known}"
    ))
}

/// The name that was probably meant: at most three letters differ, and at most
/// half of them.
fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let closest = known.min_by_key(|known| distance(name, known))?;
    let kinds = ["-action", "-pebble-", "-relation-", "-storage-"];
    // What all names of a kind end with does not make them alike.
    let allowed = match kinds.iter().find_map(|kind| closest.find(kind)) {
        Some(subject) => (subject / 3).max(1),
        None => closest.len() / 2,
    };
    (distance(name, closest) <= allowed.min(3)).then_some(closest)
}

fn known(metadata: &Metadata, actions: &Actions) -> Vec<String> {
    let mut known: Vec<String> = hooks(Subject::Unit).collect();
    for subject in [Subject::Container, Subject::Relation, Subject::Storage] {
        for name in metadata.names(subject) {
            known.extend(hooks(subject).map(|hook| format!("{name}-{hook}")));
        }
    }
    known.extend(actions.names().map(|name| format!("{name}-action")));
    known.extend(hooks(Subject::Secret));
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
