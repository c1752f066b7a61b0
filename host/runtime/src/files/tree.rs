//! The places of a guest's tree, by their paths alone.

use std::path::{Path, PathBuf};

/// The files of the charm that a guest cannot write over, not even for itself:
/// whoever looks there must see what runs.
const PROTECTED: [&str; 3] = ["dispatch", "charm.cwasm", "charmhost.toml"];
/// What a guest does not see of the charm's directory.
const HIDDEN: [&str; 2] = [super::OWN, ".unit-state.db"];

/// What a guest may do in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The charm's directory: written over, never in it.
    Charm,
    Read,
    Write,
}

#[derive(Debug, Clone)]
struct Mount {
    /// The guest's path, without a slash at its end.
    path: String,
    host: PathBuf,
    kind: Kind,
}

impl Mount {
    /// The directory and the name of a file that is a place by itself.
    fn file(&self) -> Option<(&Path, &str)> {
        let name = self.host.file_name()?.to_str()?;
        let parent = self.host.parent()?;
        self.host.is_file().then_some((parent, name))
    }
}

/// Where a path of the guest leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory of the machine in which it is.
    pub host: PathBuf,
    /// The path from there; `.` for the directory itself.
    pub rest: String,
    pub kind: Kind,
    /// Whether it is there only because nothing else is at its path.
    pub is_guess: bool,
}

impl Place {
    /// Whether it is a file of the charm that must stay what it is.
    pub fn is_protected(&self) -> bool {
        self.kind == Kind::Charm && PROTECTED.contains(&self.rest.as_str())
    }

    /// Whether the guest must not see it.
    pub fn is_hidden(&self) -> bool {
        let first = self.rest.split('/').next().unwrap_or_default();
        self.kind == Kind::Charm && is_hidden(first)
    }
}

/// Whether a name in the charm's directory is not for the guest.
pub(crate) fn is_hidden(name: &str) -> bool {
    HIDDEN.iter().any(|hidden| {
        let rest = name.strip_prefix(hidden);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// All places.
#[derive(Debug)]
pub(crate) struct Tree {
    mounts: Vec<Mount>,
    charm: PathBuf,
}

impl Tree {
    pub fn new(charm_dir: &Path) -> Self {
        let mut tree = Tree {
            mounts: Vec::new(),
            charm: charm_dir.to_path_buf(),
        };
        tree.add_same(charm_dir, Kind::Charm);
        tree
    }

    /// Adds a place that the guest sees where it is on the machine. One inside
    /// the charm's directory adds nothing.
    pub fn add_same(&mut self, host: &Path, kind: Kind) {
        if let Some(path) = host.to_str() {
            self.add(path, host, kind);
        }
    }

    pub fn add(&mut self, path: &str, host: &Path, kind: Kind) {
        let path = path.trim_end_matches('/').to_owned();
        let charm = self.mounts.first();
        if charm.is_some_and(|charm| is_in(&path, &charm.path)) {
            return;
        }
        let host = host.to_path_buf();
        // Of two grants for one path the wider counts.
        if let Some(same) = self.mounts.iter_mut().find(|mount| mount.path == path) {
            if kind == Kind::Write {
                same.kind = kind;
            }
            return;
        }
        self.mounts.push(Mount { path, host, kind });
    }

    /// Where a path leads: the place with the longest path that holds it.
    pub fn find(&self, path: &str) -> Place {
        let holding = self.mounts.iter().filter(|mount| is_in(path, &mount.path));
        let place = |host: &Path, kind, rest: &str, is_guess| {
            let rest = rest.trim_start_matches('/');
            Place {
                host: host.to_path_buf(),
                rest: if rest.is_empty() { "." } else { rest }.to_owned(),
                kind,
                is_guess,
            }
        };
        match holding.max_by_key(|mount| mount.path.len()) {
            Some(mount) => {
                let rest = path.get(mount.path.len()..).unwrap_or_default();
                match (rest, mount.file()) {
                    ("", Some((parent, name))) => place(parent, mount.kind, name, false),
                    _ => place(&mount.host, mount.kind, rest, false),
                }
            }
            None => place(&self.charm, Kind::Charm, path, true),
        }
    }

    /// The names that stand in a directory because places are further down.
    pub fn names_in(&self, path: &str) -> Vec<String> {
        let parent = path.trim_end_matches('/');
        let mut names: Vec<String> = Vec::new();
        for mount in &self.mounts {
            let below = mount.path.strip_prefix(parent);
            let Some(rest) = below.and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            let name = rest.split('/').next().unwrap_or_default();
            if !name.is_empty() && !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

/// Whether a path is another one or below it.
fn is_in(path: &str, parent: &str) -> bool {
    let rest = path.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new(Path::new("/srv/unit/charm"));
        tree.add(
            "/tmp",
            Path::new("/srv/unit/charm/.charmhost/scratch"),
            Kind::Write,
        );
        tree.add_same(Path::new("/srv"), Kind::Read);
        tree.add_same(Path::new("/srv/data"), Kind::Write);
        tree
    }

    #[test]
    fn the_nearest_place_that_holds_a_path_counts() {
        for (path, host, rest, kind, is_guess) in [
            (
                "/srv/unit/charm/a/b",
                "/srv/unit/charm",
                "a/b",
                Kind::Charm,
                false,
            ),
            (
                "/srv/unit/charm",
                "/srv/unit/charm",
                ".",
                Kind::Charm,
                false,
            ),
            ("/srv/unit/charms", "/srv", "unit/charms", Kind::Read, false),
            ("/srv/data/x", "/srv/data", "x", Kind::Write, false),
            (
                "/tmp",
                "/srv/unit/charm/.charmhost/scratch",
                ".",
                Kind::Write,
                false,
            ),
            (
                "/etc/passwd",
                "/srv/unit/charm",
                "etc/passwd",
                Kind::Charm,
                true,
            ),
            ("/", "/srv/unit/charm", ".", Kind::Charm, true),
        ] {
            let place = tree().find(path);
            let (host, rest) = (PathBuf::from(host), rest.to_owned());
            assert_eq!(
                place,
                Place {
                    host,
                    rest,
                    kind,
                    is_guess
                },
                "{path}"
            );
        }
    }

    #[test]
    fn a_file_can_be_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut tree = tree();
        tree.add_same(&file, Kind::Read);
        let place = tree.find(file.to_str().unwrap());
        assert_eq!(
            (place.host.as_path(), place.rest.as_str()),
            (dir.path(), "file")
        );
        assert!(
            tree.find(dir.path().to_str().unwrap()).kind == Kind::Write,
            "in /tmp"
        );
    }

    #[test]
    fn nothing_is_laid_over_the_charm_by_a_grant() {
        let mut tree = tree();
        tree.add_same(Path::new("/srv/unit/charm/hooks"), Kind::Write);
        tree.add_same(Path::new("/srv/unit/charm"), Kind::Write);
        assert_eq!(tree.find("/srv/unit/charm/hooks/x").kind, Kind::Charm);
    }

    #[test]
    fn the_charms_code_is_protected_and_its_state_hidden() {
        for (path, is_protected, is_hidden) in [
            ("/srv/unit/charm/dispatch", true, false),
            ("/charm.cwasm", true, false),
            ("/srv/unit/charm/sub/dispatch", false, false),
            ("/srv/unit/charm/.charmhost/work/x", false, true),
            ("/srv/unit/charm/.unit-state.db-journal", false, true),
            ("/.unit-state.db", false, true),
            ("/srv/unit/charm/.unit-state.db.txt", false, false),
            ("/srv/data/dispatch", false, false),
        ] {
            let place = tree().find(path);
            assert_eq!(place.is_protected(), is_protected, "{path}");
            assert_eq!(place.is_hidden(), is_hidden, "{path}");
        }
    }

    #[test]
    fn directories_above_places_have_their_names() {
        assert_eq!(tree().names_in("/"), ["srv", "tmp"]);
        assert_eq!(tree().names_in("/srv"), ["unit", "data"]);
        assert!(tree().names_in("/srv/data").is_empty());
    }
}
