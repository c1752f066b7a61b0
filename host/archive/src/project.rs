//! A charm project: a directory with `charmcraft.yaml` (`archive §7`).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::charmcraft;
use crate::check;
use crate::entry::Entry;
use crate::error::Error;
use crate::platforms::{self, Platform};
use crate::problems::Problems;
use crate::shipped::{self, Prime};

/// The checked contents of `charmcraft.yaml`.
#[derive(Debug, Clone)]
pub struct Project {
    dir: PathBuf,
    name: String,
    platforms: Vec<Platform>,
    prime: Prime,
    metadata: Value,
    config: Option<Value>,
    actions: Option<Value>,
}

/// The texts of the documents that Juju reads from an archive. Every string is
/// quoted, so that Juju, charmcraft and ops read the same values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// `metadata.yaml`.
    pub metadata: String,
    /// `config.yaml`, if the charm has options.
    pub config: Option<String>,
    /// `actions.yaml`, if the charm has actions.
    pub actions: Option<String>,
    /// `manifest.yaml`: base and architecture.
    pub manifest: String,
}

impl Project {
    /// Reads the project in `dir` and checks all of it.
    ///
    /// `metadata.yaml`, `config.yaml` and `actions.yaml` may be beside
    /// `charmcraft.yaml` instead of its keys, as for charmcraft; their values are
    /// copied. Everything that Juju or charmcraft would reject becomes one
    /// [`Error::Project`] with all problems.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let charmcraft =
            read_yaml(dir, "charmcraft.yaml")?.ok_or_else(|| Error::NoProject(dir.into()))?;
        let Value::Object(charmcraft) = charmcraft else {
            return Err(Error::Project(vec![
                "cannot use charmcraft.yaml: it must be a map of keys".into(),
            ]));
        };
        let mut problems = Problems::default();
        charmcraft::check_keys(&charmcraft, &mut problems);
        let platforms = platforms::read(&charmcraft, &mut problems);
        let prime = Prime::read(&charmcraft, &mut problems);
        let metadata = metadata(dir, &charmcraft, &mut problems)?;
        let config = section(dir, "config", &charmcraft, &mut problems)?;
        let actions = section(dir, "actions", &charmcraft, &mut problems)?;
        check::metadata(&metadata, &mut problems);
        let name = metadata.get("name").and_then(Value::as_str).unwrap_or("");
        if let Some(config) = &config {
            check::config(config, &mut problems);
        }
        if let Some(actions) = &actions {
            check::actions(actions, name, &mut problems);
        }
        if let Some(profile) = read_yaml(dir, "lxd-profile.yaml")? {
            check::lxd_profile(&profile, &mut problems);
        }
        let problems = problems.into_vec();
        if !problems.is_empty() {
            return Err(Error::Project(problems));
        }
        Ok(Project {
            dir: dir.to_owned(),
            name: name.to_owned(),
            platforms,
            prime,
            metadata: Value::Object(metadata),
            config,
            actions,
        })
    }

    /// The charm's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory it was read from.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its platforms: at least one, one for each architecture.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// The Debian names of the architectures of its platforms.
    pub fn architectures(&self) -> Vec<String> {
        let name = |platform: &Platform| platform.architecture.clone();
        self.platforms.iter().map(name).collect()
    }

    /// The value of `metadata.yaml`.
    pub fn metadata(&self) -> &Value {
        &self.metadata
    }

    /// The value of `config.yaml`, if there is one.
    pub fn config(&self) -> Option<&Value> {
        self.config.as_ref()
    }

    /// The value of `actions.yaml`, if there is one.
    pub fn actions(&self) -> Option<&Value> {
        self.actions.as_ref()
    }

    /// Returns the documents of the archive for one architecture. The same project
    /// always has the same bytes.
    pub fn documents(&self, architecture: &str) -> Result<Documents, Error> {
        let platform = self.platform(architecture)?;
        Ok(Documents {
            metadata: charmhost_yaml::to_string(&self.metadata),
            config: self.config.as_ref().map(charmhost_yaml::to_string),
            actions: self.actions.as_ref().map(charmhost_yaml::to_string),
            manifest: charmhost_yaml::to_string(&manifest(platform)),
        })
    }

    /// charmcraft's name of the archive: `<name>_<platform>.charm`.
    pub fn platform_file_name(&self, architecture: &str) -> Result<String, Error> {
        let label = self.platform(architecture)?.label.replace(':', "-");
        Ok(format!("{}_{label}.charm", self.name))
    }

    /// Returns the files of the project that are part of the charm, without the
    /// documents and the result of the build: `hooks/`, `lib/`, `templates/`,
    /// `LICENSE`, `README.md`, `icon.svg`, `lxd-profile.yaml` and `version` if they
    /// exist, and the files under `prime` of the charm's part, without those that
    /// it excludes (`-PATH`).
    ///
    /// A file that its owner may execute stays executable. Links are followed, but
    /// not out of the project.
    pub fn files(&self) -> Result<Vec<Entry>, Error> {
        shipped::files(&self.dir, &self.prime)
    }

    fn platform(&self, architecture: &str) -> Result<&Platform, Error> {
        let mut platforms = self.platforms.iter();
        platforms
            .find(|platform| platform.architecture == architecture)
            .ok_or_else(|| Error::Architecture {
                architecture: architecture.to_owned(),
                known: self.architectures().join(", "),
            })
    }
}

impl Documents {
    /// The documents as members of an archive.
    pub fn entries(self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::data("manifest.yaml", self.manifest),
            Entry::data("metadata.yaml", self.metadata),
        ];
        entries.extend(self.config.map(|text| Entry::data("config.yaml", text)));
        entries.extend(self.actions.map(|text| Entry::data("actions.yaml", text)));
        entries
    }
}

/// The value of `manifest.yaml` (`archive §4`), without charmcraft's version and
/// start time: it was not charmcraft, and archives must be reproducible.
fn manifest(platform: &Platform) -> Value {
    json!({
        "charmhost-version": env!("CARGO_PKG_VERSION"),
        "bases": [{
            "name": platform.base,
            "channel": platform.channel,
            "architectures": [platform.architecture],
        }],
        "analysis": {
            "attributes": [
                {"name": "language", "result": "unknown"},
                {"name": "framework", "result": "unknown"},
            ],
        },
    })
}

/// Reads a document of the project; none if there is no such file.
fn read_yaml(dir: &Path, file: &str) -> Result<Option<Value>, Error> {
    let path = dir.join(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let value = charmhost_yaml::parse(&text).map_err(|source| Error::Yaml {
        file: file.to_owned(),
        source,
    })?;
    Ok(Some(value))
}

/// The metadata from `metadata.yaml` if it exists, else from `charmcraft.yaml`.
fn metadata(
    dir: &Path,
    charmcraft: &Map<String, Value>,
    problems: &mut Problems,
) -> Result<Map<String, Value>, Error> {
    let Some(file) = read_yaml(dir, "metadata.yaml")? else {
        return Ok(charmcraft::metadata(charmcraft, problems));
    };
    let Value::Object(file) = file else {
        problems.add("cannot use metadata.yaml: it must be a map of keys");
        return Ok(charmcraft::metadata(charmcraft, problems));
    };
    for key in charmcraft::metadata_keys(charmcraft) {
        let problem = if file.contains_key(key) {
            "cannot be duplicated in metadata.yaml; remove it from one of the files"
        } else {
            "would be lost, because metadata.yaml exists and is used instead; move it there, \
             or move all of metadata.yaml to charmcraft.yaml"
        };
        problems.add(format!(
            "cannot use `{key}` in charmcraft.yaml: it {problem}"
        ));
    }
    Ok(file)
}

/// The value of a section, which is a key of `charmcraft.yaml` or a file.
fn section(
    dir: &Path,
    key: &str,
    charmcraft: &Map<String, Value>,
    problems: &mut Problems,
) -> Result<Option<Value>, Error> {
    let file_name = format!("{key}.yaml");
    let file = read_yaml(dir, &file_name)?;
    match (charmcraft.get(key), file) {
        (Some(_), Some(_)) => {
            problems.add(format!(
                "cannot specify the section `{key}` in charmcraft.yaml when {file_name} exists; \
                 move all of {file_name} to the section"
            ));
            Ok(None)
        }
        (None | Some(Value::Null), None) => Ok(None),
        (Some(Value::Object(map)), None) if map.is_empty() => Ok(None),
        (Some(value), None) => Ok(Some(charmcraft::sorted(value.clone()))),
        // An empty file is no actions. An empty `config.yaml` stays, because Juju
        // rejects it, and so does the check.
        (None, Some(Value::Null)) if key == "actions" => Ok(None),
        (None, Some(value)) => Ok(Some(value)),
    }
}
