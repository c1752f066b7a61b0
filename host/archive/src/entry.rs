//! Files of an archive, and the rules for their names (`archive §3`).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path in the charm, for example `src/charm.py`.
    pub name: String,
    /// Whether it is executable.
    pub mode: Mode,
    /// Its content.
    pub content: Content,
}

/// The mode of a file. Juju packs a charm again at each upgrade, and changes every
/// mode to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// 0644.
    Data,
    /// 0755.
    Executable,
}

/// The content of a file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of a file, which is read when the archive is written.
    File(PathBuf),
}

impl Mode {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        match self {
            Mode::Data => 0o644,
            Mode::Executable => 0o755,
        }
    }
}

impl Entry {
    /// A data file with this content.
    pub fn data(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Entry {
            name: name.into(),
            mode: Mode::Data,
            content: Content::Bytes(content.into()),
        }
    }

    /// A program with the content of `file`.
    pub fn program(name: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Entry {
            name: name.into(),
            mode: Mode::Executable,
            content: Content::File(file.into()),
        }
    }

    /// The file `name` in the directory `root`, under that name; executable if its
    /// owner may execute it. Follows a link, but not out of `root`.
    pub fn from_file(root: &Path, name: &str) -> Result<Self, Error> {
        let rejected = |reason: &str| {
            Err(Error::Member {
                name: name.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let path = root.join(name);
        let root = fs::canonicalize(root).map_err(Error::io("read", root))?;
        let real = fs::canonicalize(&path).map_err(Error::io("read", &path))?;
        if !real.starts_with(&root) {
            return rejected("it is a link that leads out of the project; copy the file here");
        }
        let metadata = fs::metadata(&real).map_err(Error::io("read", &real))?;
        if !metadata.is_file() {
            return rejected("it is not a file");
        }
        Ok(Entry {
            name: name.to_owned(),
            mode: match metadata.permissions().mode() & 0o100 {
                0 => Mode::Data,
                _ => Mode::Executable,
            },
            content: Content::File(real),
        })
    }
}

/// Returns why a name cannot be one of an archive's; none if it can.
pub fn invalid_name(name: &str) -> Option<&'static str> {
    if name.starts_with('/') {
        return Some("the name is absolute; write it relative to the charm");
    }
    if name.contains('\\') {
        return Some("the name has a backslash; separate folders with /");
    }
    if name.contains('\0') {
        return Some("the name has a NUL character");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("the name has an empty part, `.` or `..`; write the plain path in the charm");
    }
    None
}

/// Returns why Juju loses a file when it packs the charm again; none if it does
/// not.
pub fn lost_by_juju(name: &str) -> Option<&'static str> {
    let mut parts = name.split('/');
    let root = parts.next();
    if name.split('/').any(|part| part == ".jujuignore") {
        return Some("Juju would leave out the files it lists at the next upgrade; do not ship it");
    }
    if root == Some("build") {
        return Some(
            "Juju leaves out build/ at the root of a charm at the next upgrade; name the folder otherwise",
        );
    }
    if name == "revision" {
        return Some("Juju writes this file itself; remove it");
    }
    let hidden = [".git", ".svn", ".hg", ".bzr", ".tox"];
    if name.split('/').any(|part| hidden.contains(&part)) {
        return Some(
            "Juju leaves out the folders of version control and .tox at the next upgrade; do not ship them",
        );
    }
    None
}

/// Finds a name that occurs twice, or is both a file and a directory.
pub fn clash<'a>(names: impl Iterator<Item = &'a str>) -> Option<(&'a str, &'static str)> {
    let mut files = BTreeSet::new();
    for name in names {
        if !files.insert(name) {
            return Some((name, "two files have this name; remove one"));
        }
    }
    let is_folder_too = |name: &&str| {
        name.match_indices('/')
            .filter_map(|(end, _)| name.get(..end))
            .any(|folder| files.contains(folder))
    };
    let below = files.iter().copied().find(is_folder_too)?;
    Some((below, "a folder above it is a file too; rename one"))
}
