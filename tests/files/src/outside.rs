//! Changes between two dispatches: by an operator, an upgrade, a native charm, and
//! other grants.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use fastrand::Rng;

use crate::disk::{Kind, Tree};
use crate::scene::{CHARM, PROTECTED, RESOURCES, Root, STORAGE, Scene, is_hidden};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// What is outside the unit and can be granted.
const EXTERNAL: [&str; 6] = [
    "ext/one",
    "ext/one/sub",
    "ext/two",
    "ext/two/deep/er",
    "ext/three",
    STORAGE,
];
/// When there is more than this in the trees, some of it goes.
const ENTRIES_MAX: usize = 150;

/// A change of both trees.
#[derive(Debug, Clone)]
pub enum Change {
    Chmod(String, u32),
    Write(String, String),
    /// Writes another file and renames it over this one.
    Replace(String, String),
    Remove(String),
    MakeDirectory(String),
    Symlink(String, String),
    /// Replaces the packed files, as Juju's deployer does.
    Upgrade {
        old: u32,
        new: u32,
    },
}

/// Files of a revision of the charm, with their permissions.
fn packed(revision: u32) -> Vec<(String, u32)> {
    let mut files = vec![
        ("hooks/a".to_owned(), 0o644),
        ("actions/a".to_owned(), 0o644),
        ("config.yaml".to_owned(), 0o644),
        ("actions.yaml".to_owned(), 0o644),
        ("lxd-profile.yaml".to_owned(), 0o644),
        ("version".to_owned(), 0o600 + revision % 2 * 0o44),
        ("a/b".to_owned(), 0o755),
    ];
    for (index, name) in ["a/a", "b", "c/d/a", "d"].into_iter().enumerate() {
        if (revision as usize >> index).is_multiple_of(2) {
            files.push((name.to_owned(), 0o640));
        }
    }
    files
}

fn content(path: &str, revision: u32) -> String {
    match path {
        "actions.yaml" => format!("work: {{}} # {revision}\n"),
        path if path.ends_with(".yaml") => format!("{{}} # {revision}\n"),
        path => format!("{path} of revision {revision}\n"),
    }
}

impl Change {
    /// Draws a change for a tree.
    pub fn any(rng: &mut Rng, tree: &Tree, revision: &mut u32) -> Change {
        let text = format!("from outside {}\n", rng.u32(..1000));
        if tree.0.len() > ENTRIES_MAX {
            return Change::Remove(removable(rng, tree));
        }
        match rng.u8(..100) {
            0..30 => {
                let path = changeable(rng, tree);
                let is_directory =
                    tree.0.get(&path).map(|node| &node.kind) == Some(&Kind::Directory);
                let modes: [u32; 4] = match is_directory {
                    true => [0o755, 0o700, 0o750, 0o555],
                    false => [0o644, 0o600, 0o444, 0o755],
                };
                Change::Chmod(path, modes[rng.usize(..modes.len())])
            }
            30..45 => Change::Write(new_path(rng, tree), text),
            45..55 => Change::Replace(new_path(rng, tree), text),
            55..65 => Change::Remove(removable(rng, tree)),
            65..75 => Change::MakeDirectory(new_path(rng, tree)),
            75..80 => {
                let target = NAMES[rng.usize(..NAMES.len())].to_owned();
                Change::Symlink(target, new_path(rng, tree))
            }
            _ => {
                let old = *revision;
                *revision += 1;
                Change::Upgrade {
                    old,
                    new: *revision,
                }
            }
        }
    }

    /// Applies it to a tree.
    pub fn apply(&self, base: &Path) -> Result<(), io::ErrorKind> {
        let done = match self {
            Change::Chmod(path, mode) => chmod(&base.join(path), *mode),
            Change::Write(path, text) => write(&base.join(path), text),
            Change::Replace(path, text) => {
                let new = base.join(path).with_extension("new");
                let renamed =
                    fs::write(&new, text).and_then(|()| fs::rename(&new, base.join(path)));
                renamed.inspect_err(|_| drop(fs::remove_file(&new)))
            }
            Change::Remove(path) => remove(&base.join(path)),
            Change::MakeDirectory(path) => fs::create_dir(base.join(path)),
            Change::Symlink(target, path) => symlink(target, base.join(path)),
            Change::Upgrade { old, new } => upgrade(&base.join(CHARM), *old, *new),
        };
        done.map_err(|error| error.kind())
    }
}

/// Changes the permissions of what is no link, as that leads elsewhere.
fn chmod(path: &Path, mode: u32) -> io::Result<()> {
    match path.symlink_metadata()?.is_symlink() {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}

/// Writes to a file that is none or a plain one: what a link leads to from here
/// is not what it leads a guest to.
fn write(path: &Path, text: &str) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => Err(io::ErrorKind::AlreadyExists.into()),
        _ => fs::write(path, text),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Removes what the old revision had and the new one has not, and puts the new
/// files where they belong, over whatever is there.
pub fn upgrade(charm: &Path, old: u32, new: u32) -> io::Result<()> {
    let files = packed(new);
    for (path, _) in packed(old) {
        if files.iter().all(|(other, _)| *other != path) {
            // The guest may have removed it, or its directory.
            let _ = remove(&charm.join(path));
        }
    }
    for (path, mode) in files {
        let mut parent = charm.to_path_buf();
        for part in Path::new(&path).parent().into_iter().flatten() {
            parent.push(part);
            if !parent.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                let _ = fs::remove_file(&parent);
                fs::create_dir(&parent)?;
            }
        }
        let full = charm.join(&path);
        let _ = remove(&full);
        fs::write(&full, content(&path, new))?;
        fs::set_permissions(&full, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// An existing path that is neither a protected file nor a directory above
/// the roots.
fn changeable(rng: &mut Rng, tree: &Tree) -> String {
    let paths: Vec<&String> = tree.0.keys().filter(|path| is_changeable(path)).collect();
    match paths.is_empty() {
        true => "ext/one".to_owned(),
        false => paths[rng.usize(..paths.len())].clone(),
    }
}

fn is_changeable(path: &str) -> bool {
    let in_charm = path
        .strip_prefix(CHARM)
        .map(|rest| rest.trim_start_matches('/'));
    let first = in_charm.map(|rest| rest.split('/').next().unwrap_or_default());
    match first {
        Some(first) => !first.is_empty() && !PROTECTED.contains(&first) && !is_hidden(first),
        None => path.starts_with("ext/") || path.starts_with("unit/resources/"),
    }
}

fn removable(rng: &mut Rng, tree: &Tree) -> String {
    changeable(rng, tree)
}

/// A path that may exist or not.
fn new_path(rng: &mut Rng, tree: &Tree) -> String {
    let path = changeable(rng, tree);
    let name = NAMES[rng.usize(..NAMES.len())];
    match tree.0.get(&path).map(|node| &node.kind) {
        Some(Kind::Directory) => format!("{path}/{name}"),
        _ if rng.bool() => format!("{CHARM}/{name}"),
        _ => path,
    }
}

/// Makes sure that there is something to grant.
pub fn prepare(base: &Path) -> io::Result<()> {
    for path in EXTERNAL {
        // A guest may have put something else there; then it stays.
        let _ = fs::create_dir_all(base.join(path));
    }
    let file = base.join("ext/two/file");
    if file.symlink_metadata().is_err() {
        let _ = fs::write(file, "a file that can be granted\n");
    }
    Ok(())
}

/// Draws the mounts of the next dispatch, and the charm's settings that grant them.
pub fn grants(rng: &mut Rng, base: &Path, tree: &Tree) -> (Vec<Root>, String) {
    let reference = base.join("reference");
    let root = |path: &str, writable| Root {
        path: path.to_owned(),
        writable,
    };
    let mut roots = vec![root(CHARM, true)];
    if is_plain(&reference, RESOURCES) == Some(Kind::Directory) {
        roots.push(root(RESOURCES, false));
    }
    if rng.bool() && is_plain(&reference, STORAGE) == Some(Kind::Directory) {
        roots.push(root(STORAGE, true));
    }
    let mut wanted: Vec<String> = EXTERNAL.map(str::to_owned).to_vec();
    wanted.extend(["ext/two/file", "ext", "unit", "unit/charm/a"].map(str::to_owned));
    // And something that a guest may have made.
    for _ in 0..3 {
        wanted.push(changeable(rng, tree));
    }
    let (mut read, mut write) = (Vec::new(), Vec::new());
    for path in wanted {
        if rng.u8(..100) >= 35 {
            continue;
        }
        let in_charm = path.starts_with(CHARM);
        let may_write = !in_charm && path != "unit";
        let kind = is_plain(&reference, &path);
        let writable = may_write && kind == Some(Kind::Directory) && rng.bool();
        if kind.is_none() {
            continue;
        }
        let list = if writable { &mut write } else { &mut read };
        list.push(base.join("real").join(&path).display().to_string());
        if in_charm {
            continue;
        }
        match roots.iter_mut().find(|root| root.path == path) {
            Some(same) => same.writable |= writable,
            None => roots.push(root(&path, writable)),
        }
    }
    let settings = format!("[grants]\nread = {read:?}\nwrite = {write:?}\n");
    (roots, settings)
}

/// What is at a path to which no symbolic link leads.
fn is_plain(base: &Path, path: &str) -> Option<Kind> {
    let mut full = base.to_path_buf();
    for part in Path::new(path) {
        full.push(part);
        if full.symlink_metadata().ok()?.is_symlink() {
            return None;
        }
    }
    match full.is_dir() {
        true => Some(Kind::Directory),
        false => Some(Kind::File(Vec::new())),
    }
}

/// Makes both trees as they are when the charm is installed.
pub fn install(scene: &Scene, built: &Path) -> anyhow::Result<()> {
    // The metadata declares the location of storage.
    let metadata = format!(
        "name: files\nstorage: {{data: {{type: filesystem, location: {:?}}}}}\n",
        scene.guest(STORAGE)
    );
    for side in ["real", "reference"] {
        let base = scene.base.join(side);
        let charm = base.join(CHARM);
        for path in ["hooks", "actions"] {
            fs::create_dir_all(charm.join(path))?;
        }
        fs::create_dir_all(base.join(RESOURCES).join("image"))?;
        fs::write(base.join(RESOURCES).join("image/file"), "a resource\n")?;
        for name in ["dispatch", "charm.cwasm"] {
            fs::copy(built.join(name), charm.join(name))?;
        }
        for (name, text) in [
            ("metadata.yaml", metadata.as_str()),
            ("charmcraft.yaml", "name: files\ntype: charm\n"),
            ("manifest.yaml", "bases: []\n"),
            ("charmhost.toml", ""),
            (".juju-charm", ""),
        ] {
            fs::write(charm.join(name), text)?;
        }
        upgrade(&charm, 0, 0)?;
        prepare(&base)?;
    }
    Ok(())
}
