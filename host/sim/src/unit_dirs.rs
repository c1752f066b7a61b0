//! The directories of a unit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Error;

/// How many bytes block storage has; they take no space until they are written.
const BLOCK_SIZE: u64 = 1 << 30;

/// The directories of a unit, as the agent finds them and as the charm does.
pub struct UnitDirs {
    /// Everything of the simulation.
    pub home: PathBuf,
    /// The same as the charm sees it.
    pub inside: PathBuf,
    /// The unit, for example `demo/0`.
    pub unit: String,
    /// The locations of storage instances that are not the default ones.
    pub locations: BTreeMap<String, String>,
}

impl UnitDirs {
    /// The unit's tag, for example `unit-demo-0`.
    fn tag(&self) -> String {
        format!("unit-{}", self.unit.replace('/', "-"))
    }

    fn agent(&self) -> String {
        format!("agents/{}", self.tag())
    }

    /// The charm.
    pub fn charm(&self) -> PathBuf {
        self.home.join(self.agent()).join("charm")
    }

    /// The files of the charm's resources.
    pub fn resources(&self) -> PathBuf {
        self.home.join(self.agent()).join("resources")
    }

    /// The hook tools' programs.
    pub fn tools(&self) -> PathBuf {
        self.home.join("tools").join(self.tag())
    }

    /// The agent's socket. Not beside the charm: the path of a socket has 107
    /// bytes at most, and the name of an application can be long.
    pub fn socket(&self) -> PathBuf {
        self.home.join("agent.socket")
    }

    /// What holds a storage instance.
    pub fn storage_source(&self, id: &str) -> PathBuf {
        self.home.join("storage").join(id)
    }

    /// Makes a storage instance, a file for block storage and a directory for
    /// any other, and returns its location as the charm sees it.
    pub fn storage(&self, id: &str, kind: &str) -> Result<String, Error> {
        let source = self.storage_source(id);
        let parent = match kind {
            "block" => source.parent().unwrap_or(&source),
            _ => &source,
        };
        std::fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, error))?;
        if kind == "block" && !source.exists() {
            std::fs::File::create(&source)
                .and_then(|file| file.set_len(BLOCK_SIZE))
                .map_err(|error| Error::io("make", &source, error))?;
        }
        let location = self.locations.get(id).cloned();
        Ok(location.unwrap_or_else(|| self.seen(&source).display().to_string()))
    }

    /// A path of the agent's as the charm sees it.
    pub fn seen(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.home) {
            Ok(rest) => self.inside.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }
}
