//! The life of a unit: which events it has, and in which order.

use charmhost_juju::Metadata;
use serde_json::{Map, Value};

use crate::Error;
use crate::model::{Actions, Model};

/// Something for which the charm is run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A hook, by its full name.
    Hook(String),
    /// An action.
    Action {
        /// Its name.
        name: String,
        /// What it is given, defaults included.
        params: Map<String, Value>,
    },
}

impl Event {
    /// Its name among the events: an action's ends in `-action`.
    pub fn name(&self) -> String {
        match self {
            Event::Hook(name) => name.clone(),
            Event::Action { name, .. } => format!("{name}-action"),
        }
    }

    /// The hook's name; empty for an action.
    pub fn hook_name(&self) -> &str {
        match self {
            Event::Hook(name) => name,
            Event::Action { .. } => "",
        }
    }

    /// The program of a charm without `dispatch`.
    pub fn dispatch_path(&self) -> String {
        match self {
            Event::Hook(name) => format!("hooks/{name}"),
            Event::Action { name, .. } => format!("actions/{name}"),
        }
    }
}

/// Hooks that every charm can have here.
const HOOKS: [&str; 9] = [
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

/// A whole life: from the installation to the removal, with an action in it if
/// the charm has one that needs no parameters.
pub fn whole(model: &Model, actions: &Actions) -> Vec<Event> {
    let leadership = match (model.leader, model.is_before_juju_4()) {
        (true, _) => Some("leader-elected"),
        (false, true) => Some("leader-settings-changed"),
        (false, false) => None,
    };
    let hook = |name: &str| Event::Hook(name.to_owned());
    let mut events = vec![hook("install")];
    events.extend(leadership.map(hook));
    events.extend(["config-changed", "start", "update-status"].map(hook));
    events.extend(actions.names().find_map(|name| {
        let params = actions.prepare(name, Map::new()).ok()?;
        let name = name.to_owned();
        Some(Event::Action { name, params })
    }));
    events.extend(["stop", "remove"].map(hook));
    events
}

/// Reads an event that a user named: a hook (`config-changed`), or an action as
/// `NAME-action`, `actions/NAME` or `action:NAME`, with parameters after
/// commas: `action:backup,count=3,to.host=a`. Values are YAML.
pub fn parse(text: &str, metadata: &Metadata, actions: &Actions) -> Result<Event, Error> {
    let (head, params) = match text.split_once(',') {
        Some((head, params)) => (head, Some(params)),
        None => (text, None),
    };
    let suffixed = head
        .strip_suffix("-action")
        .filter(|name| actions.has(name));
    let prefixed = || {
        head.strip_prefix("action:")
            .or_else(|| head.strip_prefix("actions/"))
    };
    if let Some(name) = suffixed.or_else(prefixed) {
        let given = read_params(name, params.unwrap_or_default())?;
        return Ok(Event::Action {
            name: name.to_owned(),
            params: actions.prepare(name, given)?,
        });
    }
    let hook = text.strip_prefix("hooks/").unwrap_or(text);
    match refusal(hook, metadata, actions) {
        None => Ok(Event::Hook(hook.to_owned())),
        Some(detail) => Err(Error::Event {
            event: text.to_owned(),
            detail,
        }),
    }
}

/// Why a hook cannot be run, if it cannot.
fn refusal(hook: &str, metadata: &Metadata, actions: &Actions) -> Option<String> {
    let ready = |name: &String| format!("{name}-pebble-ready");
    let mut known: Vec<String> = HOOKS.iter().map(|name| (*name).to_owned()).collect();
    known.extend(metadata.containers.keys().map(ready));
    if known.iter().any(|name| name == hook) {
        return None;
    }
    known.extend(actions.names().map(|name| format!("{name}-action")));
    if metadata.event_names().contains(&hook.replace('-', "_")) && !hook.contains('_') {
        let detail = "the charm has this event, but the simulated unit has no relations, storage, secrets or running containers yet";
        return Some(detail.to_owned());
    }
    let closest = known.iter().min_by_key(|name| distance(hook, name));
    Some(match closest.filter(|name| distance(hook, name) <= 3) {
        Some(name) => format!("there is no such event; did you mean {name}?"),
        None => format!("there is no such event; there are {}", known.join(", ")),
    })
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn charm(dir: &Path) -> (Metadata, Actions) {
        let metadata = "name: x\nrequires: {db: {interface: pg}}\ncontainers: {app: }\n";
        std::fs::write(dir.join("metadata.yaml"), metadata).unwrap();
        let actions =
            "backup:\n  params: {count: {type: integer}}\n  required: [count]\nnoop: {}\n";
        std::fs::write(dir.join("actions.yaml"), actions).unwrap();
        (Metadata::load(dir).unwrap(), Actions::load(dir).unwrap())
    }

    fn parsed(text: &str) -> Result<Event, String> {
        let dir = tempfile::tempdir().unwrap();
        let (metadata, actions) = charm(dir.path());
        parse(text, &metadata, &actions).map_err(|error| error.to_string())
    }

    #[test]
    fn hooks_and_actions_are_known_by_their_names() {
        let noop = Event::Action {
            name: "noop".to_owned(),
            params: Map::new(),
        };
        let with = json!({"count": 3, "to": {"host": "a b", "flag": true}});
        let backup = Event::Action {
            name: "backup".to_owned(),
            params: with.as_object().unwrap().clone(),
        };
        let hook = |name: &str| Event::Hook(name.to_owned());
        for (text, wanted) in [
            ("config-changed", hook("config-changed")),
            ("hooks/start", hook("start")),
            ("app-pebble-ready", hook("app-pebble-ready")),
            ("noop-action", noop.clone()),
            ("action:noop", noop.clone()),
            ("actions/noop", noop),
            (
                "action:backup,count=3,to.host=a b,to.flag=true",
                backup.clone(),
            ),
            ("backup-action,count=3,to.host=a b,to.flag=true", backup),
        ] {
            assert_eq!(parsed(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn other_events_are_refused_with_what_would_work() {
        for (text, wanted) in [
            (
                "config-chnged",
                "cannot run event \"config-chnged\": there is no such event; did you mean config-changed?",
            ),
            ("config_changed", "did you mean config-changed?"),
            ("nop-action", "did you mean noop-action?"),
            (
                "quux",
                "there is no such event; there are install, leader-elected, ",
            ),
            (
                "db-relation-created",
                "cannot run event \"db-relation-created\": the charm has this event, but ",
            ),
            (
                "action:restore",
                "cannot run action \"restore\": not defined; the charm has backup, noop",
            ),
            (
                "action:backup",
                "cannot run action \"backup\": validation failed: ",
            ),
            (
                "action:backup,count",
                "parameters are given as NAME=VALUE, not as \"count\"",
            ),
            (
                "action:backup,a..b=1",
                "parameters are given as NAME=VALUE, not as \"a..b=1\"",
            ),
            ("", "there is no such event; there are "),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(wanted), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn a_life_depends_on_leadership_and_actions() {
        let dir = tempfile::tempdir().unwrap();
        let (_, actions) = charm(dir.path());
        let names = |leader, version: &str, actions: &Actions| {
            let model = Model {
                leader,
                juju_version: version.to_owned(),
                ..Model::default()
            };
            let events = whole(&model, actions);
            events.iter().map(Event::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            names(true, "3.6.28", &actions),
            "install leader-elected config-changed start update-status noop-action stop remove"
        );
        assert_eq!(
            names(false, "3.6.28", &Actions::default()),
            "install leader-settings-changed config-changed start update-status stop remove"
        );
        assert_eq!(
            names(false, "4.0.15", &Actions::default()),
            "install config-changed start update-status stop remove"
        );
    }
}
