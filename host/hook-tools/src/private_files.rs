//! Files of the host that only the agent reads beside it.

use std::fs::File;
use std::io::{Result, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// The host's directory in the charm's directory, which is hidden from the guest,
/// and the directory of these files in it.
const DIRECTORIES: [&str; 2] = [".charmhost", "hook-tools"];

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Creates files that the agent is to read, which the guest cannot reach: in the
/// host's directory in the charm's directory. That is in the agent's file system,
/// and its user can read it.
#[derive(Debug, Clone)]
pub struct PrivateFiles {
    charm_dir: PathBuf,
}

/// A private file, which is removed when this is dropped.
#[derive(Debug)]
pub struct PrivateFile {
    directory: OwnedFd,
    name: String,
    path: PathBuf,
}

impl PrivateFiles {
    /// Creates no file yet. The path of the charm's directory is absolute.
    pub fn new(charm_dir: &Path) -> Self {
        PrivateFiles {
            charm_dir: charm_dir.to_path_buf(),
        }
    }

    /// Creates a file with mode 0600, and removes those of earlier processes, which
    /// were killed.
    ///
    /// # Errors
    ///
    /// Those of the file system, and for a link in the place of a directory.
    pub fn create(&self, content: &[u8]) -> Result<PrivateFile> {
        let mut directory = fs::open(&self.charm_dir, DIRECTORY, Mode::empty())?;
        let mut path = self.charm_dir.clone();
        for name in DIRECTORIES {
            directory = make_directory(&directory, name)?;
            path.push(name);
        }
        let own = format!("{}-", std::process::id());
        remove_others(&directory, &own)?;
        let (name, file) = create_new(&directory, &own)?;
        let created = PrivateFile {
            directory,
            path: path.join(&name),
            name,
        };
        File::from(file).write_all(content)?;
        Ok(created)
    }
}

impl PrivateFile {
    /// The file's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        // If that fails, the next process that needs such a file removes it.
        let _ = fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
    }
}

/// Creates a directory with mode 0700, and opens it.
fn make_directory(parent: &OwnedFd, name: &str) -> Result<OwnedFd> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(fs::openat(parent, name, DIRECTORY, Mode::empty())?),
        Err(errno) => Err(errno.into()),
    }
}

/// Creates a file with a new name, which begins with the id of this process.
fn create_new(directory: &OwnedFd, own: &str) -> Result<(String, OwnedFd)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut number = 0_u64;
    loop {
        let name = format!("{own}{number}");
        match fs::openat(directory, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((name, file)),
            Err(Errno::EXIST) => number += 1,
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn remove_others(directory: &OwnedFd, own: &str) -> Result<()> {
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        let bytes = name.as_bytes();
        if bytes != b"." && bytes != b".." && !bytes.starts_with(own.as_bytes()) {
            fs::unlinkat(directory, &*name, AtFlags::empty())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_private_and_goes_with_its_owner_or_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let files = PrivateFiles::new(dir.path());
        let host = dir.path().join(".charmhost/hook-tools");
        std::fs::create_dir_all(&host).unwrap();
        std::fs::write(host.join("1-0"), "of a process that was killed").unwrap();
        let [one, two] = [b"one", b"two"].map(|content| files.create(content).unwrap());
        for (file, content) in [(&one, "one"), (&two, "two")] {
            assert!(file.path().starts_with(&host));
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), content);
            let mode = std::fs::metadata(file.path()).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
        assert_eq!(std::fs::read_dir(&host).unwrap().count(), 2);
        drop((one, two));
        assert_eq!(std::fs::read_dir(&host).unwrap().count(), 0);
    }

    #[test]
    fn no_link_leads_to_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), dir.path().join(".charmhost")).unwrap();
        assert!(PrivateFiles::new(dir.path()).create(b"x").is_err());
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
