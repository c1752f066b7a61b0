//! What a charm says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Why a charm's metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {detail}")]
pub struct MetadataError {
    path: PathBuf,
    detail: String,
}

/// On which side of a relation an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the section of its name")]
pub enum Role {
    Requires,
    Provides,
    Peer,
}

/// An endpoint for relations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its side.
    pub role: Role,
    /// Its interface.
    pub interface: String,
}

/// A charm's `metadata.yaml` and `actions.yaml`, as far as a dispatch needs
/// them. A section that is missing or null is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The charm's name.
    pub name: String,
    /// Endpoints by name. One that stands in several sections counts as the
    /// last of requires, provides and peers.
    pub relations: BTreeMap<String, Endpoint>,
    /// Storage by name: its section.
    pub storage: BTreeMap<String, Value>,
    /// Containers by name: their section.
    pub containers: BTreeMap<String, Value>,
    /// Actions by name: their section.
    pub actions: BTreeMap<String, Value>,
    dir: PathBuf,
}

/// Events that every charm has.
const BASE_EVENTS: [&str; 16] = [
    "install",
    "start",
    "stop",
    "remove",
    "update_status",
    "config_changed",
    "upgrade_charm",
    "leader_elected",
    "leader_settings_changed",
    "pre_series_upgrade",
    "post_series_upgrade",
    "collect_metrics",
    "secret_changed",
    "secret_rotate",
    "secret_remove",
    "secret_expired",
];

const RELATION_EVENTS: [&str; 5] = [
    "relation_created",
    "relation_joined",
    "relation_changed",
    "relation_departed",
    "relation_broken",
];
const STORAGE_EVENTS: [&str; 2] = ["storage_attached", "storage_detaching"];
const PEBBLE_EVENTS: [&str; 4] = [
    "pebble_ready",
    "pebble_custom_notice",
    "pebble_check_failed",
    "pebble_check_recovered",
];

impl Metadata {
    /// Where the charm wants its storage to be, as far as it says
    /// (`storage.NAME.location`): directories, or directories of those for a
    /// storage that can have several instances.
    pub fn storage_locations(&self) -> Vec<std::path::PathBuf> {
        let location = |storage: &Value| Some(storage.get("location")?.as_str()?.into());
        self.storage.values().filter_map(location).collect()
    }

    /// Reads a charm's directory. `metadata.yaml` must be there, `actions.yaml`
    /// may be.
    pub fn load(charm_dir: &Path) -> Result<Self, MetadataError> {
        let path = charm_dir.join("metadata.yaml");
        let Some(document) = read(&path)? else {
            return fail(&path, "there is no such file; every charm has one");
        };
        let mut metadata = Metadata {
            dir: charm_dir.to_path_buf(),
            ..Metadata::default()
        };
        match document.get("name").and_then(Value::as_str) {
            Some(name) => metadata.name = name.to_owned(),
            None => return fail(&path, "it has no name"),
        }
        let sections = [
            ("requires", Role::Requires),
            ("provides", Role::Provides),
            ("peers", Role::Peer),
        ];
        for (section, role) in sections {
            for (name, body) in entries(&path, &document, section)? {
                let interface = interface(&path, &name, &body)?;
                metadata
                    .relations
                    .insert(name, Endpoint { role, interface });
            }
        }
        metadata.storage = entries(&path, &document, "storage")?;
        metadata.containers = entries(&path, &document, "containers")?;
        let actions = charm_dir.join("actions.yaml");
        if let Some(document) = read(&actions)? {
            metadata.actions = document.into_iter().collect();
        }
        metadata.check_names(&path)?;
        Ok(metadata)
    }

    /// The types of the configuration options, by name, from `config.yaml`.
    pub fn config_options(&self) -> Result<BTreeMap<String, String>, MetadataError> {
        let path = self.dir.join("config.yaml");
        let Some(document) = read(&path)? else {
            return Ok(BTreeMap::new());
        };
        let option = |(name, body): (String, Value)| {
            let ty = body.get("type").and_then(Value::as_str).unwrap_or("string");
            (name, ty.to_owned())
        };
        Ok(entries(&path, &document, "options")?
            .into_iter()
            .map(option)
            .collect())
    }

    /// The names of all events that this charm has, with underscores.
    pub fn event_names(&self) -> BTreeSet<String> {
        let base = BASE_EVENTS.iter().map(|name| (*name).to_owned());
        base.chain(self.generated_names().map(|(name, _)| name))
            .collect()
    }

    /// Events made from names in the metadata, each with the name it is made
    /// from.
    fn generated_names(&self) -> impl Iterator<Item = (String, &str)> {
        let relations = self
            .relations
            .keys()
            .flat_map(|name| named(name, &RELATION_EVENTS));
        let storage = self
            .storage
            .keys()
            .flat_map(|name| named(name, &STORAGE_EVENTS));
        let containers = self
            .containers
            .keys()
            .flat_map(|name| named(name, &PEBBLE_EVENTS));
        let actions = self
            .actions
            .keys()
            .flat_map(|name| named(name, &["action"]));
        relations.chain(storage).chain(containers).chain(actions)
    }

    /// Two names that give the same event would make one of them deaf.
    fn check_names(&self, path: &Path) -> Result<(), MetadataError> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (event, name) in self.generated_names() {
            if BASE_EVENTS.contains(&event.as_str()) {
                return fail(
                    path,
                    format!(
                        "{name:?} would give the event {event}, which every charm has; rename it"
                    ),
                );
            }
            if let Some(other) = seen.insert(event.clone(), name) {
                return fail(
                    path,
                    format!("{other:?} and {name:?} both give the event {event}; rename one"),
                );
            }
        }
        Ok(())
    }
}

fn named<'a>(name: &'a str, events: &'a [&str]) -> impl Iterator<Item = (String, &'a str)> {
    let stem = name.replace('-', "_");
    events
        .iter()
        .map(move |event| (format!("{stem}_{event}"), name))
}

fn fail<T>(path: &Path, detail: impl Into<String>) -> Result<T, MetadataError> {
    Err(MetadataError {
        path: path.to_path_buf(),
        detail: detail.into(),
    })
}

/// A YAML map, empty if the document is, or none if there is no file.
fn read(path: &Path) -> Result<Option<Map<String, Value>>, MetadataError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return fail(path, error.to_string()),
    };
    match charmhost_yaml::parse(&text) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(Value::Null) => Ok(Some(Map::new())),
        Ok(_) => fail(path, "it is not a map"),
        Err(error) => fail(path, error.to_string()),
    }
}

fn entries(
    path: &Path,
    document: &Map<String, Value>,
    section: &str,
) -> Result<BTreeMap<String, Value>, MetadataError> {
    match document.get(section) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => Ok(map.clone().into_iter().collect()),
        Some(_) => fail(path, format!("{section} is not a map")),
    }
}

/// An endpoint is a map with an interface, or just the interface.
fn interface(path: &Path, name: &str, body: &Value) -> Result<String, MetadataError> {
    let interface = body
        .as_str()
        .or_else(|| body.get("interface").and_then(Value::as_str));
    match interface {
        Some(interface) => Ok(interface.to_owned()),
        None => fail(path, format!("the relation {name:?} has no interface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(metadata: &str, actions: &str) -> Result<Metadata, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("metadata.yaml"), metadata).unwrap();
        std::fs::write(dir.path().join("actions.yaml"), actions).unwrap();
        let shown = dir.path().display().to_string();
        Metadata::load(dir.path()).map_err(|error| error.to_string().replace(&shown, "DIR"))
    }

    #[test]
    fn every_section_is_read() {
        let metadata = load(
            "name: x\nrequires: {db: {interface: pg}}\nprovides: {my-web: http}\npeers:\nstorage: {data: {type: filesystem}}\ncontainers: {app: }\n",
            "do-backup: {description: x}\n",
        )
        .unwrap();
        assert_eq!(
            metadata.relations["my-web"],
            Endpoint {
                role: Role::Provides,
                interface: "http".to_owned()
            }
        );
        let names = metadata.event_names();
        for name in [
            "db_relation_broken",
            "my_web_relation_created",
            "data_storage_detaching",
            "app_pebble_check_recovered",
            "do_backup_action",
            "install",
            "secret_expired",
        ] {
            assert!(names.contains(name), "{name}");
        }
        assert_eq!(names.len(), 16 + 10 + 2 + 4 + 1);
    }

    #[test]
    fn bad_metadata_is_refused_with_the_reason() {
        for (metadata, actions, wanted) in [
            ("", "", "cannot read DIR/metadata.yaml: it has no name"),
            ("[1]", "", "cannot read DIR/metadata.yaml: it is not a map"),
            ("name: [", "", "cannot read DIR/metadata.yaml: line 2"),
            ("name: x\nrequires: 1", "", "requires is not a map"),
            (
                "name: x\nrequires: {db: {limit: 1}}",
                "",
                "the relation \"db\" has no interface",
            ),
            (
                "name: x\nrequires: {a-b: i, a_b: i}",
                "",
                "both give the event a_b_relation_created",
            ),
            (
                "name: x",
                "a: {}\n- b",
                "cannot read DIR/actions.yaml: line 2",
            ),
        ] {
            let error = load(metadata, actions).unwrap_err();
            assert!(error.contains(wanted), "{metadata:?} gave {error:?}");
        }
        let error = Metadata::load(Path::new("/nowhere"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "cannot read /nowhere/metadata.yaml: there is no such file; every charm has one"
        );
    }
}
