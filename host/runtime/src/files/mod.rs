//! The files that a guest sees.
//!
//! A guest has one tree, `/`, in which only some places exist: the charm's
//! directory, where it is on the machine; a private `/tmp`; resources and
//! storage, where Juju says that they are; and what is granted. A path that is
//! in none of these places is looked for in the charm's directory, which is
//! thereby the working directory of programs that know only one.
//!
//! The charm's directory can be read, and what a guest writes there goes to a
//! directory of its own, which is laid over the charm's and kept from one
//! dispatch to the next, as are the marks of what it has removed there.

mod changes;
mod host;
mod names;
mod overlay;
mod removed;
mod tree;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;

use crate::denials::Denials;
use crate::settings::Grants;
use removed::Removed;
use tree::{Kind, Tree};

/// Where this host keeps what belongs to a charm's guest, in the charm's
/// directory.
const OWN: &str = ".charmhost";

/// The files of a guest.
pub(crate) struct Files {
    tree: Tree,
    /// What lies over the charm's directory.
    work: PathBuf,
    removed: Removed,
    scratch: PathBuf,
    /// The host's directories that are open.
    roots: HashMap<(PathBuf, Kind), u32>,
    /// The paths of the guest's open directories, by their handles.
    directories: HashMap<u32, String>,
    /// Listings that the host has made up, by their handles.
    listings: HashMap<u32, VecDeque<DirectoryEntry>>,
    pub denials: Denials,
    /// Whether Juju was asked where storage is.
    knows_storage: bool,
}

impl Files {
    pub fn new(charm_dir: &Path, grants: &Grants, denials: Denials) -> Self {
        let own = charm_dir.join(OWN);
        let scratch = own.join("scratch");
        let mut tree = Tree::new(charm_dir);
        tree.add("/tmp", &scratch, Kind::Write);
        if let Some(parent) = charm_dir.parent() {
            tree.add_same(&parent.join("resources"), Kind::Read);
        }
        for path in &grants.read {
            tree.add_same(path, Kind::Read);
        }
        for path in &grants.write {
            tree.add_same(path, Kind::Write);
        }
        Files {
            tree,
            work: own.join("work"),
            removed: Removed::new(own.join("removed")),
            scratch,
            roots: HashMap::new(),
            directories: HashMap::new(),
            listings: HashMap::new(),
            denials,
            knows_storage: false,
        }
    }

    /// Adds a place that Juju has named.
    pub fn add(&mut self, path: &Path, kind: Kind) {
        self.tree.add_same(path, kind);
    }

    /// Removes what the guest had in its `/tmp`.
    pub fn clean(&self) {
        // There is rarely any, and what stays is removed the next time.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}
