//! Directories of a run, and those that are visible to a guest.
//!
//! ```text
//! BASE/real         directories of dispatch: unit/charm, unit/resources, ext/...
//! BASE/reference    the same, on which the kernel works
//! BASE/scratch      the reference of the guest's private /tmp
//! BASE/root         the reference's root directory
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The charm's directory, in `real` and `reference`.
pub const CHARM: &str = "unit/charm";
/// Resources, which a guest may read when they are there.
pub const RESOURCES: &str = "unit/resources";
/// Location of storage, if there is any.
pub const STORAGE: &str = "ext/store";
/// What a guest may not change at the top of the charm's directory.
pub const PROTECTED: [&str; 12] = [
    ".juju-charm",
    "actions",
    "actions.yaml",
    "charm.cwasm",
    "charmcraft.yaml",
    "charmhost.toml",
    "config.yaml",
    "dispatch",
    "hooks",
    "lxd-profile.yaml",
    "manifest.yaml",
    "metadata.yaml",
];
/// What a guest does not see there.
pub const HIDDEN: [&str; 3] = [".charmhost", ".unit-state.db", ".unit-state.db-journal"];

/// Whether a name at the top of the charm's directory is not shown to a guest.
pub fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name)
}

/// A directory or file that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its path in `real` and in `reference`.
    pub path: String,
    pub writable: bool,
}

/// Directories that are visible to a dispatch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scene {
    pub base: PathBuf,
    /// The charm's directory, resources, storage and grants.
    pub roots: Vec<Root>,
}

impl Scene {
    /// The guest's path of something in `real`.
    pub fn guest(&self, path: &str) -> PathBuf {
        join(&self.base.join("real"), path)
    }

    /// The path of something in `reference`.
    pub fn reference(&self, path: &str) -> PathBuf {
        join(&self.base.join("reference"), path)
    }

    /// The first part of every path of the guest but those in `/tmp`.
    pub fn top(&self) -> &str {
        let mut parts = self.base.iter().filter_map(|part| part.to_str());
        parts.nth(1).unwrap_or_default()
    }
}

/// Joins without a slash at the end.
pub fn join(base: &Path, path: &str) -> PathBuf {
    match path {
        "" => base.to_path_buf(),
        path => base.join(path),
    }
}
