//! Files of a project that its charm has as they are: what charmcraft takes
//! without being asked, and what `prime` of the charm's part names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::error::Error;
use crate::problems::Problems;

/// Files and folders of the project's root that are shipped if they are there.
///
/// Of these charmcraft takes `hooks`, `lib`, `lxd-profile.yaml`, `templates` and
/// `version` by itself; who writes an icon, a licence or a README expects that
/// it is shipped too.
const USUAL: [&str; 8] = [
    "LICENSE",
    "README.md",
    "hooks",
    "icon.svg",
    "lib",
    "lxd-profile.yaml",
    "templates",
    "version",
];

/// What a build makes, and what is derived from `charmcraft.yaml`. A part may
/// name these under `prime`; they are not taken from the project.
const MADE: [&str; 7] = [
    "actions.yaml",
    "charm.cwasm",
    "charmhost.toml",
    "config.yaml",
    "dispatch",
    "manifest.yaml",
    "metadata.yaml",
];

/// Folders of the root that no pattern matches: what builds leave there.
const BUILT: [&str; 2] = ["build", "target"];

/// As in Python's `glob`, which craft-parts uses: `*` matches no `/`, and no
/// leading dot.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// How many links a chain of them may have, as in Linux.
const MAX_LINKS: usize = 40;

/// The list under `prime` of the charm's part: what is shipped beside the usual
/// files, and what is not.
#[derive(Debug, Clone, Default)]
pub struct Prime {
    includes: Vec<String>,
    excludes: Vec<Pattern>,
}

impl Prime {
    /// Reads the list of the part `charm`, or of the only part.
    pub fn read(charmcraft: &Map<String, Value>, problems: &mut Problems) -> Self {
        let mut prime = Prime::default();
        let Some(parts) = charmcraft.get("parts").and_then(Value::as_object) else {
            return prime;
        };
        let only = (parts.len() == 1).then(|| parts.iter().next()).flatten();
        let named = parts.get_key_value("charm").or(only);
        let Some((part, list)) = named.and_then(|(part, value)| Some((part, value.get("prime")?)))
        else {
            return prime;
        };
        let place = format!("parts.{part}.prime");
        let list = match list {
            Value::Null => return prime,
            list => problems.list(&place, list),
        };
        for entry in list.into_iter().flatten() {
            let Some(entry) = problems.string(&place, entry) else {
                continue;
            };
            if let Err(reason) = prime.add(entry) {
                problems.add(format!("cannot use {entry:?} in `{place}`: {reason}"));
            }
        }
        prime
    }

    fn add(&mut self, entry: &str) -> Result<(), String> {
        let (is_excluded, path) = match entry.strip_prefix('-') {
            Some(path) => (true, path),
            None => (false, entry.strip_prefix('\\').unwrap_or(entry)),
        };
        let path = match path.trim_start_matches("./").trim_end_matches('/') {
            "." => "*",
            path => path,
        };
        let is_inside = |part| matches!(part, Component::Normal(_));
        if path.is_empty() || !Path::new(path).components().all(is_inside) {
            return Err("it must be a path in the project, without a leading / or `..`".to_owned());
        }
        let pattern = Pattern::new(path).map_err(|error| error.to_string())?;
        match is_excluded {
            true => self.excludes.push(pattern),
            false => self.includes.push(path.to_owned()),
        }
        Ok(())
    }

    /// Whether a path, or a folder above it, is excluded.
    fn excludes(&self, name: &str) -> bool {
        let folders = name
            .match_indices('/')
            .filter_map(|(end, _)| name.get(..end));
        let mut paths = folders.chain([name]);
        paths.any(|path| {
            let matches = |pattern: &Pattern| pattern.matches_with(path, MATCHING);
            self.excludes.iter().any(matches)
        })
    }
}

/// The files that a charm has of the project in `dir`. Links are followed and
/// replaced by what they lead to, as charmcraft does.
pub fn files(dir: &Path, prime: &Prime) -> Result<Vec<Entry>, Error> {
    let mut files = Files {
        root: fs::canonicalize(dir).map_err(Error::io("read", dir))?,
        prime,
        found: BTreeMap::new(),
        above: Vec::new(),
    };
    for name in USUAL {
        if fs::symlink_metadata(files.root.join(name)).is_ok() {
            files.add(name)?;
        }
    }
    for include in &prime.includes {
        files.include(include)?;
    }
    Ok(files.found.into_values().collect())
}

struct Files<'a> {
    root: PathBuf,
    prime: &'a Prime,
    found: BTreeMap<String, Entry>,
    /// The folders that are being read, without links.
    above: Vec<PathBuf>,
}

impl Files<'_> {
    fn include(&mut self, include: &str) -> Result<(), Error> {
        if MADE.contains(&include) {
            return Ok(());
        }
        if !include.contains('*') {
            return match fs::symlink_metadata(self.root.join(include)) {
                Ok(_) => self.add(include),
                Err(_) => Err(refused(
                    include,
                    "`prime` in charmcraft.yaml names it, and it is not there; make it, or remove the line",
                )),
            };
        }
        let pattern = format!(
            "{}/{include}",
            Pattern::escape(&self.root.to_string_lossy())
        );
        let matching = glob::glob_with(&pattern, MATCHING)
            .map_err(|error| refused(include, &error.to_string()))?;
        for path in matching {
            let path = path.map_err(|error| {
                let path = error.path().to_path_buf();
                Error::io("read", path)(error.into())
            })?;
            let name = self.name(&path)?;
            if !is_made(&name) {
                self.add(&name)?;
            }
        }
        Ok(())
    }

    /// Adds a file, or all of a folder, unless it is excluded.
    fn add(&mut self, name: &str) -> Result<(), Error> {
        if self.prime.excludes(name) || self.leads_to_dispatch(name) {
            return Ok(());
        }
        let path = self.root.join(name);
        let real = fs::canonicalize(&path).map_err(|error| match fs::read_link(&path) {
            Ok(target) => refused(
                name,
                &format!(
                    "it is a link to {target:?}, which is not there; remove it, or make the file"
                ),
            ),
            Err(_) => Error::io("read", &path)(error),
        })?;
        if !real.is_dir() {
            let entry = Entry::from_file(&self.root, name)?;
            self.found.insert(name.to_owned(), entry);
            return Ok(());
        }
        if !real.starts_with(&self.root) {
            return Err(refused(
                name,
                "it is a link that leads out of the project; copy the folder here",
            ));
        }
        if self.above.contains(&real) {
            return Err(refused(
                name,
                "it is a link to a folder that it is in; remove it",
            ));
        }
        self.above.push(real);
        let entries = fs::read_dir(&path).map_err(Error::io("read", &path))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &path))?;
            let name = self.name(&entry.path())?;
            self.add(&name)?;
        }
        self.above.pop();
        Ok(())
    }

    /// The name in the charm of a path below the root.
    fn name(&self, path: &Path) -> Result<String, Error> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let name = below.to_str().map(str::to_owned);
        name.ok_or_else(|| {
            refused(
                &below.to_string_lossy(),
                "the name is not UTF-8, which zip archives need; rename it",
            )
        })
    }

    /// Whether it is a link to `dispatch`, as older charms have one for each
    /// hook. Juju runs `dispatch` itself, and copies of it would be run as
    /// legacy hooks.
    fn leads_to_dispatch(&self, name: &str) -> bool {
        let mut name = PathBuf::from(name);
        for _ in 0..MAX_LINKS {
            let Ok(target) = fs::read_link(self.root.join(&name)) else {
                return false;
            };
            name = plain(&name.parent().unwrap_or(Path::new("")).join(target));
            if name == Path::new("dispatch") {
                return true;
            }
        }
        false
    }
}

/// Whether a path that a pattern matched is no source of the charm's.
fn is_made(name: &str) -> bool {
    let root = name.split('/').next().unwrap_or_default();
    MADE.contains(&name) || BUILT.contains(&root) || root == name && name.ends_with(".charm")
}

/// A path without `.`, and with `..` resolved by its text.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn refused(name: &str, reason: &str) -> Error {
    Error::Member {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}
