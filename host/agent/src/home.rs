//! The directory of everything that a simulation makes.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use charmhost_archive::Archive;
use charmhost_error_chain::ErrorChain;
use tempfile::TempDir;

use crate::files::copy_tree;
use crate::unit::Dirs;
use crate::{Error, Interrupt, Options};

/// Where an isolated charm finds what the simulation makes: where Juju has it.
pub const INSIDE: &str = "/var/lib/juju";
/// Where charms look for their containers.
const CHARM: &str = "/charm";
/// How the names of the directories of simulations begin.
const PREFIX: &str = "charmhost-sim-";

/// The directory of everything that the simulation makes.
pub struct Home {
    pub dir: TempDir,
    /// What has put a link on the machine itself, and takes it away again.
    link: Option<Interrupt>,
}

impl Home {
    /// A new directory that only this user can read.
    pub fn new(scratch: Option<&Path>) -> Result<Self, Error> {
        let private = std::fs::Permissions::from_mode(0o700);
        let place = scratch.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(private)
            .tempdir_in(&place);
        let dir = made.map_err(|source| Error::io("make a directory in", place, source))?;
        Ok(Home { dir, link: None })
    }

    /// Gives the staged charm its place, and makes the directories beside it.
    pub fn dirs(&self, staged: &Path, app: &str, options: &Options) -> Result<Dirs, Error> {
        let home = self.dir.path().to_path_buf();
        let inside = match options.confine {
            Some(_) => PathBuf::from(INSIDE),
            None => home.clone(),
        };
        let dirs = Dirs {
            home,
            inside,
            app: app.to_owned(),
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

    /// Puts the containers where a charm that runs on the machine itself looks
    /// for them.
    pub fn put_on_machine(&mut self, interrupt: &Interrupt) -> Result<(), Error> {
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

impl Drop for Home {
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
        // If that fails, so does what comes next, and says why.
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

/// Puts the charm where nobody else uses it.
pub fn stage(target: &Path, home: &Path) -> Result<PathBuf, Error> {
    let refuse = |detail: String| Error::Target {
        target: target.to_path_buf(),
        detail,
    };
    let staged = home.join("staged");
    if target.is_file() {
        let unpacked = Archive::open(target).and_then(|mut archive| archive.unpack(&staged));
        unpacked.map_err(|error| refuse(error.chain().to_string()))?;
        return Ok(staged);
    }
    if !target.exists() {
        return Err(refuse("there is no such file or directory".to_owned()));
    }
    if !target.join("metadata.yaml").exists() {
        let detail = if target.join("charmcraft.yaml").exists() {
            "it is a project and no charm yet: build it first"
        } else {
            "it has no metadata.yaml; a charm's directory has one"
        };
        return Err(refuse(detail.to_owned()));
    }
    copy_tree(target, &staged)?;
    Ok(staged)
}
