//! Reads and unpacks an archive, as Juju does (`archive §3`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{System, ZipArchive};

use crate::entry::{clash, invalid_name};
use crate::error::Error;

const TYPE_BITS: u32 = 0o170_000;
const SYMLINK: u32 = 0o120_000;
const REGULAR_FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// The longest target of a link, in bytes: Linux's limit for a path.
const MAX_TARGET: u64 = 4096;

/// A `.charm` file that Juju accepts and can run.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    index: usize,
    name: String,
    kind: Kind,
    permissions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
}

impl Archive {
    /// Opens an archive and checks its index: every member is a file, a directory
    /// or a link inside the charm, and there are `metadata.yaml` and an executable
    /// `dispatch`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let rejected = |reason: String| Error::Archive {
            path: path.to_owned(),
            reason,
        };
        let mut zip =
            ZipArchive::new(BufReader::new(file)).map_err(|error| rejected(zip_reason(&error)))?;
        let members = (0..zip.len())
            .filter_map(|index| member(&mut zip, index).transpose())
            .collect::<Result<Vec<_>, String>>()
            .map_err(rejected)?;
        check(&members).map_err(rejected)?;
        if zip.has_duplicate_names() {
            return Err(rejected(
                "two members have the same name; pack it again".into(),
            ));
        }
        Ok(Archive {
            path: path.to_owned(),
            zip,
            members,
        })
    }

    /// The names of its files and links, in their order, without directories.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.members.iter();
        files
            .filter(|member| member.kind != Kind::Directory)
            .map(|member| member.name.as_str())
    }

    /// The content of one file; none if there is no file of that name.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut members = self.members.iter();
        let Some(member) = members.find(|m| m.kind == Kind::File && m.name == name) else {
            return Ok(None);
        };
        match read_member(&mut self.zip, member.index) {
            Ok(content) => Ok(Some(content)),
            Err(reason) => Err(self.damaged(name, &reason)),
        }
    }

    /// Unpacks the charm into `dest`, which must be empty or missing, with the modes
    /// of the archive. After an error `dest` is as before.
    pub fn unpack(&mut self, dest: &Path) -> Result<(), Error> {
        let existed = dest.exists();
        fs::create_dir_all(dest).map_err(Error::io("create", dest))?;
        let mut inside = fs::read_dir(dest).map_err(Error::io("read", dest))?;
        if inside.next().is_some() {
            return Err(Error::Archive {
                path: self.path.clone(),
                reason: format!("{} is not empty; unpack it elsewhere", dest.display()),
            });
        }
        let unpacked = self.unpack_into(dest);
        if unpacked.is_err() {
            // The first error matters, not whether the rest can be removed.
            let _ = fs::remove_dir_all(dest);
            if existed {
                let _ = fs::create_dir_all(dest);
            }
        }
        unpacked
    }

    /// Unpacks directories and files first: while they are written, there is no
    /// link that could redirect a write.
    fn unpack_into(&mut self, dest: &Path) -> Result<(), Error> {
        let (links, others): (Vec<usize>, Vec<usize>) =
            (0..self.members.len()).partition(|index| {
                self.members
                    .get(*index)
                    .is_some_and(|m| m.kind == Kind::Link)
            });
        for index in others.into_iter().chain(links) {
            let Some(member) = self.members.get(index) else {
                continue;
            };
            if let Err(reason) = unpack_member(&mut self.zip, member, dest) {
                let name = member.name.clone();
                return Err(self.damaged(&name, &reason));
            }
        }
        self.check_links(dest)
    }

    /// Checks chains of links: each link may stay inside the charm, and the chain
    /// lead out.
    fn check_links(&self, dest: &Path) -> Result<(), Error> {
        let root = fs::canonicalize(dest).map_err(Error::io("read", dest))?;
        let links = self.members.iter().filter(|m| m.kind == Kind::Link);
        for link in links {
            let leads_out =
                fs::canonicalize(dest.join(&link.name)).is_ok_and(|real| !real.starts_with(&root));
            if leads_out {
                return Err(self.damaged(&link.name, "it is a link that leads out of the charm"));
            }
        }
        Ok(())
    }

    fn damaged(&self, name: &str, reason: &str) -> Error {
        Error::Archive {
            path: self.path.clone(),
            reason: format!("cannot unpack {name:?}: {reason}"),
        }
    }
}

/// Reads the index entry of a member, with the modes that Juju gives it. None for
/// the charm's own directory, which is a member of archives that Juju packed.
fn member(zip: &mut ZipArchive<BufReader<File>>, index: usize) -> Result<Option<Member>, String> {
    let file = zip.by_index_raw(index).map_err(|e| zip_reason(&e))?;
    let written = file.name().map_err(|e| zip_reason(&e))?.into_owned();
    let name = written.strip_suffix('/').unwrap_or(&written).to_owned();
    if written == "./" {
        return Ok(None);
    }
    if let Some(reason) = invalid_name(&name) {
        return Err(format!("cannot unpack {written:?}: {reason}"));
    }
    let mode = match file.system() {
        System::Unix | System::OsDarwin => file.external_attributes() >> 16,
        _ if written.ends_with('/') => DIRECTORY | 0o755,
        _ => REGULAR_FILE | 0o644,
    };
    let kind = match mode & TYPE_BITS {
        _ if written.ends_with('/') => Kind::Directory,
        0 | REGULAR_FILE => Kind::File,
        DIRECTORY => Kind::Directory,
        SYMLINK => Kind::Link,
        other => {
            return Err(format!(
                "cannot unpack {name:?}: it is neither file, folder nor link (type {other:o})"
            ));
        }
    };
    Ok(Some(Member {
        index,
        name,
        kind,
        permissions: mode & 0o777,
    }))
}

fn check(members: &[Member]) -> Result<(), String> {
    let files = members.iter().filter(|m| m.kind != Kind::Directory);
    if let Some((name, reason)) = clash(files.map(|m| m.name.as_str())) {
        return Err(format!("cannot unpack {name:?}: {reason}"));
    }
    let find = |name: &str| {
        let mut files = members.iter().filter(|m| m.kind != Kind::Directory);
        files.find(|m| m.name == name)
    };
    if find("metadata.yaml").is_none() {
        return Err("it has no metadata.yaml at its root; is it a charm?".into());
    }
    match find("dispatch") {
        None => Err("it has no dispatch at its root, the program Juju runs".into()),
        Some(m) if m.kind == Kind::File && m.permissions & 0o100 == 0 => Err(format!(
            "its dispatch is not executable (mode {:04o}); pack it with mode 0755",
            m.permissions
        )),
        Some(_) => Ok(()),
    }
}

fn read_member(zip: &mut ZipArchive<BufReader<File>>, index: usize) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let mut file = zip.by_index(index).map_err(|e| zip_reason(&e))?;
    file.read_to_end(&mut content).map_err(|e| e.to_string())?;
    Ok(content)
}

fn unpack_member(
    zip: &mut ZipArchive<BufReader<File>>,
    member: &Member,
    dest: &Path,
) -> Result<(), String> {
    let path = dest.join(&member.name);
    let text = |error: io::Error| error.to_string();
    if member.kind == Kind::Directory {
        return fs::create_dir_all(&path).map_err(text);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(text)?;
    }
    let mut packed = zip.by_index(member.index).map_err(|e| zip_reason(&e))?;
    if member.kind == Kind::Link {
        let mut target = String::new();
        let mut packed = packed.take(MAX_TARGET);
        packed.read_to_string(&mut target).map_err(text)?;
        check_target(&member.name, &target)?;
        return symlink(&target, &path).map_err(text);
    }
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(member.permissions);
    let mut file = options.open(&path).map_err(text)?;
    io::copy(&mut packed, &mut file).map_err(text)?;
    Ok(())
}

/// Checks by its text that the target of a link is relative and inside the charm.
fn check_target(name: &str, target: &str) -> Result<(), String> {
    if target.starts_with('/') {
        return Err(format!("it is a link to {target:?}, which is absolute"));
    }
    let mut depth = name.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| format!("it is a link to {target:?}, out of the charm"))?;
            }
            _ => depth += 1,
        }
    }
    Ok(())
}

fn zip_reason(error: &ZipError) -> String {
    match error {
        ZipError::InvalidArchive(what) => {
            format!(
                "it is not a zip archive, or only a part of one ({what}); fetch or pack it again"
            )
        }
        ZipError::CompressionMethodNotSupported(_) => {
            "it has a member that is compressed as Juju cannot read it; pack it with deflate".into()
        }
        other => other.to_string(),
    }
}
