//! Files of a project that are copied to the charm: those that charmcraft copies
//! by default, and those under `prime` of the charm's part (`archive §7`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::error::Error;
use crate::problems::Problems;

/// Files and directories of the project's root that are copied if they exist.
///
/// charmcraft copies `hooks`, `lib`, `lxd-profile.yaml`, `templates` and `version`
/// by default; an icon, a licence and a README are expected in a charm too.
const DEFAULT_FILES: [&str; 8] = [
    "LICENSE",
    "README.md",
    "hooks",
    "icon.svg",
    "lib",
    "lxd-profile.yaml",
    "templates",
    "version",
];

/// Files that a build produces or that are derived from `charmcraft.yaml`. A part
/// may list them under `prime`; they are not copied from the project.
const GENERATED: [&str; 7] = [
    "actions.yaml",
    "charm.cwasm",
    "charmhost.toml",
    "config.yaml",
    "dispatch",
    "manifest.yaml",
    "metadata.yaml",
];

/// Directories of the root with results of builds, which no pattern matches.
const BUILD_DIRS: [&str; 2] = ["build", "target"];

/// As in Python's `glob`, which craft-parts uses: `*` matches neither `/` nor a
/// leading dot.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The most links of a chain, as in Linux.
const MAX_LINKS: usize = 40;

/// The list under `prime` of the charm's part: additional files, and exclusions.
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
        let field = format!("parts.{part}.prime");
        let list = match list {
            Value::Null => return prime,
            list => problems.list(&field, list),
        };
        for entry in list.into_iter().flatten() {
            let Some(entry) = problems.string(&field, entry) else {
                continue;
            };
            if let Err(reason) = prime.add(entry) {
                problems.add(format!("cannot use {entry:?} in `{field}`: {reason}"));
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

    /// Whether a path, or a directory above it, is excluded.
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

/// Returns the files of the project in `dir` that are copied to the charm. Links
/// are replaced by their targets, as with charmcraft.
pub fn files(dir: &Path, prime: &Prime) -> Result<Vec<Entry>, Error> {
    let mut files = Files {
        root: fs::canonicalize(dir).map_err(Error::io("read", dir))?,
        prime,
        found: BTreeMap::new(),
        parents: Vec::new(),
    };
    for name in DEFAULT_FILES {
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
    /// The directories that are being read, from the outermost, without links.
    parents: Vec<PathBuf>,
}

impl Files<'_> {
    fn include(&mut self, include: &str) -> Result<(), Error> {
        if GENERATED.contains(&include) {
            return Ok(());
        }
        if !include.contains('*') {
            return match fs::symlink_metadata(self.root.join(include)) {
                Ok(_) => self.add(include),
                Err(_) => Err(rejected(
                    include,
                    "`prime` in charmcraft.yaml lists it, and it does not exist; create it, or remove the line",
                )),
            };
        }
        let pattern = format!(
            "{}/{include}",
            Pattern::escape(&self.root.to_string_lossy())
        );
        let matching = glob::glob_with(&pattern, MATCHING)
            .map_err(|error| rejected(include, &error.to_string()))?;
        for path in matching {
            let path = path.map_err(|error| {
                let path = error.path().to_path_buf();
                Error::io("read", path)(error.into())
            })?;
            let name = self.name(&path)?;
            if !is_generated(&name) {
                self.add(&name)?;
            }
        }
        Ok(())
    }

    /// Adds a file, or all files of a directory, unless it is excluded.
    fn add(&mut self, name: &str) -> Result<(), Error> {
        if self.prime.excludes(name) || self.leads_to_dispatch(name) {
            return Ok(());
        }
        let path = self.root.join(name);
        let real = fs::canonicalize(&path).map_err(|error| match fs::read_link(&path) {
            Ok(target) => rejected(
                name,
                &format!(
                    "it is a link to {target:?}, which does not exist; remove it, or create the file"
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
            return Err(rejected(
                name,
                "it is a link that leads out of the project; copy the folder here",
            ));
        }
        if self.parents.contains(&real) {
            return Err(rejected(
                name,
                "it is a link to a folder that it is in; remove it",
            ));
        }
        self.parents.push(real);
        let entries = fs::read_dir(&path).map_err(Error::io("read", &path))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &path))?;
            let name = self.name(&entry.path())?;
            self.add(&name)?;
        }
        self.parents.pop();
        Ok(())
    }

    /// The name in the charm of a path in the root.
    fn name(&self, path: &Path) -> Result<String, Error> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let name = below.to_str().map(str::to_owned);
        name.ok_or_else(|| {
            rejected(
                &below.to_string_lossy(),
                "the name is not UTF-8, which zip archives need; rename it",
            )
        })
    }

    /// Whether a name is a link to `dispatch`: older charms have one for each hook.
    /// Juju runs `dispatch` itself, and copies of it would run as legacy hooks.
    fn leads_to_dispatch(&self, name: &str) -> bool {
        let mut name = PathBuf::from(name);
        for _ in 0..MAX_LINKS {
            let Ok(target) = fs::read_link(self.root.join(&name)) else {
                return false;
            };
            name = normalised(&name.parent().unwrap_or(Path::new("")).join(target));
            if name == Path::new("dispatch") {
                return true;
            }
        }
        false
    }
}

/// Whether a path that a pattern matched is not a source of the charm.
fn is_generated(name: &str) -> bool {
    let root = name.split('/').next().unwrap_or_default();
    GENERATED.contains(&name)
        || BUILD_DIRS.contains(&root)
        || root == name && name.ends_with(".charm")
}

/// A path without `.` and with `..` resolved by its text.
fn normalised(path: &Path) -> PathBuf {
    let mut normalised = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normalised.pop();
            }
            part => normalised.push(part),
        }
    }
    normalised
}

fn rejected(name: &str, reason: &str) -> Error {
    Error::Member {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}
