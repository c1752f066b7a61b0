//! Snapshots of directory trees, for comparison.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files larger than this are compared by what the kernel knows of them: nobody
/// can set the time of the last change of an inode.
const LARGE: u64 = 64 << 10;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Directory,
    File {
        bytes: Vec<u8>,
        modified: (i64, i64),
    },
    Large {
        inode: u64,
        changed: (i64, i64),
    },
    Link(PathBuf),
    /// A socket or a FIFO.
    Other,
}

impl Entry {
    fn of(path: &Path) -> std::io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(if found.is_dir() {
            Entry::Directory
        } else if found.is_symlink() {
            Entry::Link(fs::read_link(path)?)
        } else if !found.is_file() {
            Entry::Other
        } else if found.len() > LARGE {
            Entry::large(&found)
        } else {
            Entry::File {
                bytes: fs::read(path)?,
                modified: (found.mtime(), found.mtime_nsec()),
            }
        })
    }

    /// A file that is not read.
    fn large(found: &Metadata) -> Self {
        Entry::Large {
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// A file of the kind that is not read.
    pub fn of_large(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        found.is_file().then(|| Entry::large(&found))
    }
}

/// Everything below a directory, but what is left out.
pub fn take(
    root: &Path,
    is_left_out: impl Fn(&Path) -> bool,
) -> std::io::Result<BTreeMap<PathBuf, Entry>> {
    let mut entries = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let found = Entry::of(&path)?;
            if found == Entry::Directory {
                left.push(path.clone());
            }
            if !is_left_out(relative) {
                entries.insert(relative.to_path_buf(), found);
            }
        }
    }
    Ok(entries)
}

/// The paths at which two snapshots differ.
pub fn differences(
    before: &BTreeMap<PathBuf, Entry>,
    after: &BTreeMap<PathBuf, Entry>,
) -> Vec<PathBuf> {
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let mut paths: Vec<PathBuf> = before
        .keys()
        .chain(after.keys())
        .filter(differs)
        .cloned()
        .collect();
    paths.sort();
    paths.dedup();
    paths
}
