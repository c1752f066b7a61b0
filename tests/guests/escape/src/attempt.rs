//! What an attempt is, and what most of them need.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use charmhost::prelude::*;
use serde::Deserialize;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

/// What an attempt obtained, or why it failed.
pub type Tried = std::result::Result<String, Box<dyn Error>>;

/// One attempt.
pub struct Attempt {
    pub name: &'static str,
    /// The grants under which it is tried, by the names of the harness.
    pub setups: &'static [&'static str],
    /// The guard without which it succeeds: a patch in `tests/escape/controls`.
    pub control: &'static str,
    /// Hook afterwards: files that the attempt created may have an effect only in
    /// the next dispatch.
    pub then: Option<&'static str>,
    pub run: fn(&Params) -> Tried,
}

/// An attempt of one dispatch.
pub const fn way(
    name: &'static str,
    setups: &'static [&'static str],
    control: &'static str,
    run: fn(&Params) -> Tried,
) -> Attempt {
    Attempt {
        name,
        setups,
        control,
        then: None,
        run,
    }
}

impl Attempt {
    /// The same with a second dispatch.
    pub const fn then(mut self, path: &'static str) -> Attempt {
        self.then = Some(path);
        self
    }

    pub fn described(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "setups": self.setups,
            "control": self.control,
            "then": self.then,
        })
    }
}

use charmhost::serde_json;

/// What to try, and where.
#[derive(Deserialize)]
#[serde(default)]
pub struct Params {
    /// The name of the attempt.
    pub attempt: String,
    /// A directory outside of the sandbox, with the file `secret`.
    pub outside: String,
    /// Port of a listener on this machine that is not granted.
    pub port: u16,
    /// A directory that the guest may write.
    pub place: String,
    /// A directory that the guest may only read, with `public` and `sub`.
    pub read: String,
    /// A directory that the guest may write, with `root` somewhere below.
    pub above: String,
    /// A grant below another one that may be written.
    pub root: String,
    /// A path that the charm asks to be granted and should not get.
    pub wanted: String,
    /// Port of a listener that the guest may connect to.
    pub granted_port: u16,
    /// A name of this machine that is not granted.
    pub name: String,
    /// A descriptor that the process inherits.
    pub descriptor: i32,
    /// Whether this is the dispatch behind the attempt.
    pub again: bool,
    /// Access that must work, so that failures are due to guards.
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub connects: Vec<String>,
    pub variables: Vec<String>,
    pub tools: Vec<String>,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            attempt: String::new(),
            outside: String::new(),
            port: 0,
            place: "/tmp".to_owned(),
            read: String::new(),
            above: String::new(),
            root: String::new(),
            wanted: String::new(),
            granted_port: 0,
            name: "localhost".to_owned(),
            descriptor: 7,
            again: false,
            reads: Vec::new(),
            writes: Vec::new(),
            connects: Vec::new(),
            variables: Vec::new(),
            tools: Vec::new(),
        }
    }
}

impl Params {
    pub fn secret(&self) -> String {
        self.outside("secret")
    }

    pub fn outside(&self, name: &str) -> String {
        format!("{}/{name}", self.outside)
    }

    /// A path in the directory that the guest may write.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.place)
    }

    pub fn read(&self, name: &str) -> String {
        format!("{}/{name}", self.read)
    }

    pub fn above(&self, name: &str) -> String {
        format!("{}/{name}", self.above)
    }

    pub fn root(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }
}

/// Grants of files of every kind, and none.
pub const FILES: &[&str] = &[
    "none",
    "charm",
    "read-file",
    "read-directory",
    "write-directory",
    "read-in-write",
    "write-in-write",
    "write-in-read",
    "storage",
    "operator",
];

pub fn held<T>(reason: impl Into<String>) -> std::result::Result<T, Box<dyn Error>> {
    Err(reason.into().into())
}

/// The preopened directory of the guest.
pub fn root() -> std::result::Result<Descriptor, Box<dyn Error>> {
    match get_directories().into_iter().next() {
        Some((directory, _)) => Ok(directory),
        None => held("no directory was given"),
    }
}

/// A path as the root directory's descriptor takes it.
pub fn below_root(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// Opens a directory for everything that it can be opened for.
pub fn directory(path: &str) -> std::result::Result<Descriptor, Box<dyn Error>> {
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    Ok(root()?.open_at(
        PathFlags::SYMLINK_FOLLOW,
        below_root(path),
        OpenFlags::DIRECTORY,
        flags,
    )?)
}

pub fn symlink(
    target: impl AsRef<str>,
    link: impl AsRef<str>,
) -> std::result::Result<(), Box<dyn Error>> {
    Ok(root()?.symlink_at(target.as_ref(), below_root(link.as_ref()))?)
}

/// Opens and reads without the standard library, which normalises paths.
pub fn read_raw(path: &str, flags: DescriptorFlags) -> Tried {
    read_at(&root()?, path, flags)
}

pub fn read_at(directory: &Descriptor, path: &str, flags: DescriptorFlags) -> Tried {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let file = directory.open_at(follow, path, OpenFlags::empty(), flags)?;
    let (bytes, _) = file.read(300, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is in a file, as far as it is of interest.
pub fn read(path: impl AsRef<Path>) -> Tried {
    let mut bytes = Vec::new();
    File::open(path)?.take(300).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn write(path: impl AsRef<Path>) -> Tried {
    let path = path.as_ref();
    fs::write(path, "overwritten by the guest")?;
    Ok(format!("wrote {}", path.display()))
}

pub fn own(name: &str) -> String {
    format!("{}/{name}", context().charm_dir)
}

/// So many steps up as lead out of every directory.
pub fn up(path: &str) -> String {
    format!("{}{}", "../".repeat(40), below_root(path))
}

/// Something that only a change of the file itself can do.
pub fn succeeded<T>(result: std::io::Result<T>, what: &str) -> Tried {
    result?;
    Ok(what.to_owned())
}

/// The names in a directory, as far as they can be read: what is behind a name
/// that leads nowhere may not be.
pub fn list(path: &str) -> std::io::Result<Vec<String>> {
    let entries = fs::read_dir(path)?.map_while(Result::ok);
    Ok(entries
        .map(|entry| entry.file_name().display().to_string())
        .collect())
}

/// A directory that shows what is not the guest's.
pub fn shows(path: &str, foreign: &[&str]) -> Tried {
    let names = list(path)?;
    match names.iter().find(|name| foreign.contains(&name.as_str())) {
        Some(name) => Ok(format!("{path} shows {name}")),
        None => held(format!("{path} has {}", names.join(" "))),
    }
}
