//! The charm's metadata: `metadata.yaml`, `actions.yaml` and `config.yaml`
//! (ops §17).

mod document;
mod section;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::events::names;
use crate::events::table::{EventKind, Subject};

/// The endpoint that Juju adds to every charm.
const EVERY_CHARMS_ENDPOINT: &str = "juju-info";

/// Metadata that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {detail}")]
pub struct MetadataError {
    path: PathBuf,
    detail: String,
}

/// The side of a relation that an endpoint is.
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
    /// The side of its relations.
    pub role: Role,
    /// The interface of its relations.
    pub interface: String,
}

/// The charm's metadata, as far as a dispatch needs it. A section that is
/// missing or null is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The charm's name.
    pub name: String,
    /// Endpoints by name. Of several sections with a name, the last of requires,
    /// provides and peers counts.
    pub relations: BTreeMap<String, Endpoint>,
    /// Storage sections by name.
    pub storage: BTreeMap<String, Value>,
    /// Container sections by name.
    pub containers: BTreeMap<String, Value>,
    /// Action sections by name.
    pub actions: BTreeMap<String, Value>,
    dir: PathBuf,
    /// `metadata.yaml`.
    document: Map<String, Value>,
    /// The types of the configuration options, once they are read.
    config_options: OnceLock<Result<BTreeMap<String, String>, MetadataError>>,
}

impl Metadata {
    /// Returns the locations that the charm wants for its storage
    /// (`storage.NAME.location`): directories, or parents of directories for a
    /// storage with several instances.
    pub fn storage_locations(&self) -> Vec<PathBuf> {
        let location = |storage: &Value| Some(storage.get("location")?.as_str()?.into());
        self.storage.values().filter_map(location).collect()
    }

    /// Reads the metadata from a charm's directory. `metadata.yaml` must exist,
    /// `actions.yaml` need not.
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
        metadata.document = document;
        Ok(metadata)
    }

    /// Returns the types of the configuration options by name. `config.yaml` is
    /// read with the first call, and need not exist.
    pub fn config_options(&self) -> Result<&BTreeMap<String, String>, MetadataError> {
        let options = self
            .config_options
            .get_or_init(|| self.read_config_options());
        options.as_ref().map_err(MetadataError::clone)
    }

    fn read_config_options(&self) -> Result<BTreeMap<String, String>, MetadataError> {
        let path = self.dir.join("config.yaml");
        let document = self.config_file()?;
        let option = |(name, body): (String, Value)| {
            let ty = body.get("type").and_then(Value::as_str).unwrap_or("string");
            (name, ty.to_owned())
        };
        Ok(entries(&path, &document, "options")?
            .into_iter()
            .map(option)
            .collect())
    }

    /// Reads `config.yaml`, which need not exist.
    fn config_file(&self) -> Result<Map<String, Value>, MetadataError> {
        Ok(read(&self.dir.join("config.yaml"))?.unwrap_or_default())
    }

    /// Returns the names of the resources.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.names_in("resources")
    }

    /// Returns the names under which the charm has networks: its endpoints, also
    /// the one that every charm has, and its extra bindings.
    pub fn bindings(&self) -> impl Iterator<Item = &str> {
        let endpoints = self.relations.keys().map(String::as_str);
        let extra = self.names_in("extra-bindings");
        endpoints.chain(extra).chain([EVERY_CHARMS_ENDPOINT])
    }

    /// Returns the names in a section of `metadata.yaml`.
    fn names_in(&self, section: &str) -> impl Iterator<Item = &str> {
        let section = self.document.get(section).and_then(Value::as_object);
        section
            .into_iter()
            .flat_map(|section| section.keys().map(String::as_str))
    }

    /// Whether this charm has an event of a name, for example
    /// `db_relation_changed` (ops §3.1).
    pub fn has_event(&self, name: &str) -> bool {
        self.event(name).is_some()
    }

    /// Returns the kind of the event of a name and the name of its subject; none
    /// if this charm has no such event.
    pub(crate) fn event(&self, name: &str) -> Option<(EventKind, &str)> {
        EventKind::ALL.iter().copied().find_map(|kind| {
            let stem = names::subject_of(kind, name)?;
            let subject = kind.row().subject;
            if !Subject::NAMED.contains(&subject) {
                return Some((kind, ""));
            }
            let mut declared = self.names(subject);
            Some((kind, declared.find(|name| names::is_same(name, stem))?))
        })
    }

    /// Returns the names of the endpoints, storages, containers or actions; other
    /// subjects have no names.
    pub fn names(&self, subject: Subject) -> Box<dyn Iterator<Item = &str> + '_> {
        match subject {
            Subject::Relation => Box::new(self.relations.keys().map(String::as_str)),
            Subject::Storage => Box::new(self.storage.keys().map(String::as_str)),
            Subject::Container => Box::new(self.containers.keys().map(String::as_str)),
            Subject::Action => Box::new(self.actions.keys().map(String::as_str)),
            Subject::Unit | Subject::Secret => Box::new(std::iter::empty()),
        }
    }

    /// Rejects names that make an event of a name that another event has: the
    /// charm could observe only one of them (ops §3.1).
    fn check_names(&self, path: &Path) -> Result<(), MetadataError> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for subject in Subject::NAMED {
            for name in self.names(subject) {
                for event in names::of_subject(subject, name) {
                    if names::is_of_every_charm(&event) {
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
                            format!(
                                "{other:?} and {name:?} both give the event {event}; rename one"
                            ),
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

fn fail<T>(path: &Path, detail: impl Into<String>) -> Result<T, MetadataError> {
    Err(MetadataError {
        path: path.to_path_buf(),
        detail: detail.into(),
    })
}

/// Reads a YAML map, which is empty if the document is; none if there is no file.
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

/// Returns the interface of an endpoint: a map with an interface, or just the
/// interface.
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
        for name in [
            "db_relation_broken",
            "my_web_relation_created",
            "data_storage_detaching",
            "app_pebble_check_recovered",
            "do_backup_action",
            "install",
            "secret_expired",
        ] {
            assert!(metadata.has_event(name), "{name}");
        }
        for name in ["my-web_relation_created", "web_relation_created", "action"] {
            assert!(!metadata.has_event(name), "{name}");
        }
    }

    #[test]
    fn bad_metadata_is_rejected_with_the_reason() {
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
