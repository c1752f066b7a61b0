//! The working directory of a simulation.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use charmhost_archive::Archive;
use charmhost_error_chain::ErrorChain;
use tempfile::TempDir;

use crate::charm_files::copy_tree;
use crate::unit_dirs::UnitDirs;
use crate::{Error, Interrupt, Options};

/// The path of the working directory for an isolated charm: where Juju has it.
pub const INSIDE: &str = "/var/lib/juju";
/// Where charms look for their containers.
const CHARM: &str = "/charm";
/// The prefix of the names of working directories.
const PREFIX: &str = "charmhost-sim-";

/// The working directory of a simulation: everything that it makes.
pub struct WorkDir {
    pub dir: TempDir,
    /// Owns the link `/charm` on the machine itself, and removes it.
    link: Option<Interrupt>,
}

impl WorkDir {
    /// A new directory that only this user can read.
    pub fn new(scratch: Option<&Path>) -> Result<Self, Error> {
        let private = std::fs::Permissions::from_mode(0o700);
        let parent = scratch.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(private)
            .tempdir_in(&parent);
        let dir = made.map_err(|source| Error::io("make a directory in", parent, source))?;
        Ok(WorkDir { dir, link: None })
    }

    /// Moves the staged charm to where an agent has it, and makes the directories
    /// beside it.
    pub fn unit_dirs(
        &self,
        staged: &Path,
        unit: &str,
        options: &Options,
    ) -> Result<UnitDirs, Error> {
        let home = self.dir.path().to_path_buf();
        let inside = match options.confine {
            Some(_) => PathBuf::from(INSIDE),
            None => home.clone(),
        };
        let dirs = UnitDirs {
            home,
            inside,
            unit: unit.to_owned(),
            locations: BTreeMap::new(),
        };
        let charm = dirs.charm();
        let agent = charm.parent().unwrap_or(&charm).to_path_buf();
        for dir in [&agent, &dirs.tools()] {
            std::fs::create_dir_all(dir).map_err(|source| Error::io("make", dir, source))?;
        }
        std::fs::rename(staged, &charm).map_err(|source| Error::io("move", staged, source))?;
        Ok(dirs)
    }

    /// Links `/charm` to this directory, where a charm that runs on the machine
    /// itself looks for its containers.
    pub fn link_containers(&mut self, interrupt: &Interrupt) -> Result<(), Error> {
        let link = PathBuf::from(CHARM);
        remove_stale(&link);
        std::os::unix::fs::symlink(self.dir.path(), &link).map_err(|source| {
            Error::io(
                "put the containers of an unconfined Kubernetes charm, which takes root, at",
                &link,
                source,
            )
        })?;
        interrupt.has_link(&link);
        self.link = Some(interrupt.clone());
        Ok(())
    }

    /// Removes everything, also what the charm made read-only.
    pub fn remove(self) -> Result<(), Error> {
        let path = self.dir.path().to_path_buf();
        make_removable(&path);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path, source))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.remove_link();
        }
        make_removable(self.dir.path());
    }
}

/// Removes the link of a simulation that was killed, so that nothing removed
/// it then.
fn remove_stale(link: &Path) {
    let target = std::fs::read_link(link).unwrap_or_default();
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with(PREFIX) && !target.exists() {
        // If that fails, the next step fails, and reports why.
        let _ = std::fs::remove_file(link);
    }
}

/// Nothing can be removed from a directory that cannot be written.
fn make_removable(dir: &Path) {
    let writable = std::fs::Permissions::from_mode(0o700);
    // What stays as it was shows in the attempt to remove it.
    let _ = std::fs::set_permissions(dir, writable);
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

/// Copies or unpacks the charm into the working directory.
pub fn stage(target: &Path, home: &Path) -> Result<PathBuf, Error> {
    let reject = |detail: String| Error::Target {
        target: target.to_path_buf(),
        detail,
    };
    let staged = home.join("staged");
    if target.is_file() {
        let unpacked = Archive::open(target).and_then(|mut archive| archive.unpack(&staged));
        unpacked.map_err(|error| reject(error.chain().to_string()))?;
        return Ok(staged);
    }
    if !target.exists() {
        return Err(reject("there is no such file or directory".to_owned()));
    }
    if !target.join("metadata.yaml").exists() {
        let detail = if target.join("charmcraft.yaml").exists() {
            "it is a project and no charm yet: build it first"
        } else {
            "it has no metadata.yaml; a charm's directory has one"
        };
        return Err(reject(detail.to_owned()));
    }
    copy_tree(target, &staged)?;
    Ok(staged)
}
