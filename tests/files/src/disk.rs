//! Content of a directory, for comparison and restoring.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::scene::{CHARM, is_hidden};

/// Files of more bytes than this are not read: the charm's code.
const READ_MAX: u64 = 1 << 17;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File(Vec<u8>),
    /// A file that is left where it is.
    Large(u64),
    Link(String),
    /// Another name of the file at this path.
    SameAs(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub mode: u32,
    /// When it was modified, if a step has set that.
    modified: Option<i64>,
}

/// Everything in a directory, by paths from there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, Node>);

impl Tree {
    /// Reads a directory, without what the host hides in the charm's.
    pub fn read(base: &Path) -> io::Result<Self> {
        let mut tree = Tree::default();
        let mut first_names = BTreeMap::new();
        tree.read_below(base, "", &mut first_names)?;
        Ok(tree)
    }

    fn read_below(
        &mut self,
        base: &Path,
        below: &str,
        first_names: &mut BTreeMap<u64, String>,
    ) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(base.join(below))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names {
            if below == CHARM && is_hidden(&name) {
                continue;
            }
            let path = format!("{below}/{name}");
            let path = path.trim_start_matches('/').to_owned();
            let full = base.join(&path);
            let found = full.symlink_metadata()?;
            let kind = if found.is_dir() {
                Kind::Directory
            } else if found.is_symlink() {
                Kind::Link(fs::read_link(&full)?.to_string_lossy().into_owned())
            } else if let Some(first) = first_names.get(&found.ino()) {
                Kind::SameAs(first.clone())
            } else if found.len() > READ_MAX {
                Kind::Large(found.len())
            } else {
                Kind::File(fs::read(&full)?)
            };
            first_names
                .entry(found.ino())
                .or_insert_with(|| path.clone());
            // The host itself makes and removes files in the charm's directory.
            let is_set = found.mtime() < 1_000_000_000 && path != CHARM;
            let node = Node {
                modified: is_set.then(|| found.mtime()),
                mode: found.mode() & 0o7777,
                kind: kind.clone(),
            };
            self.0.insert(path.clone(), node);
            if kind == Kind::Directory {
                self.read_below(base, &path, first_names)?;
            }
        }
        Ok(())
    }

    /// Restores a directory; large files must still be in it.
    pub fn restore(&self, base: &Path) -> io::Result<()> {
        let large: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, node)| matches!(node.kind, Kind::Large(_)))
            .map(|(path, _)| path.as_str())
            .collect();
        remove_all_but(base, "", &large)?;
        for (path, node) in &self.0 {
            let full = base.join(path);
            match &node.kind {
                Kind::Directory => fs::create_dir_all(&full)?,
                Kind::File(bytes) => fs::write(&full, bytes)?,
                Kind::Link(target) => symlink(target, &full)?,
                Kind::SameAs(first) => fs::hard_link(base.join(first), &full)?,
                Kind::Large(_) => {}
            }
        }
        // Directories last, from below: what is done in them changes them.
        for (path, node) in self.0.iter().rev() {
            let full = base.join(path);
            if matches!(node.kind, Kind::Link(_)) {
                set_link_time(&full, node.modified)?;
                continue;
            }
            if let Some(modified) = node.modified {
                File::open(&full)?.set_times(FileTimes::new().set_modified(time(modified)))?;
            }
            fs::set_permissions(&full, Permissions::from_mode(node.mode))?;
        }
        Ok(())
    }

    /// Lines for what differs from another tree.
    pub fn differences(&self, other: &Tree) -> Vec<String> {
        let paths: std::collections::BTreeSet<&String> =
            self.0.keys().chain(other.0.keys()).collect();
        let show = |node: Option<&Node>| node.map_or("nothing".to_owned(), show);
        let mut lines = Vec::new();
        for path in paths {
            let (one, two) = (self.0.get(path), other.0.get(path));
            if one != two {
                lines.push(format!("{path}: {} and {}", show(one), show(two)));
            }
        }
        lines
    }
}

fn show(node: &Node) -> String {
    let kind = match &node.kind {
        Kind::File(bytes) => steps::contents(bytes),
        kind => format!("{kind:?}"),
    };
    format!("{kind} {:o} {:?}", node.mode, node.modified)
}

fn time(seconds: i64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn set_link_time(path: &Path, modified: Option<i64>) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let Some(tv_sec) = modified else {
        return Ok(());
    };
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec { tv_sec, tv_nsec: 0 },
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Removes what is in a directory, whatever its permissions.
fn remove_all_but(base: &Path, below: &str, except: &[&str]) -> io::Result<()> {
    let directory = base.join(below);
    fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        let path = format!("{below}/{}", entry.file_name().display());
        let path = path.trim_start_matches('/');
        if entry.file_type()?.is_dir() {
            remove_all_but(base, path, except)?;
            let holds = |except: &&str| except.starts_with(&format!("{path}/"));
            if !except.iter().any(holds) {
                fs::remove_dir(entry.path())?;
            }
        } else if !except.contains(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes everything in a directory, whatever its permissions.
pub fn clear(base: &Path) -> io::Result<()> {
    remove_all_but(base, "", &[])
}
