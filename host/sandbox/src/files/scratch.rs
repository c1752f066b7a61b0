//! The private `/tmp` of a guest: created when it is first used, removed at the
//! end of the session.

use std::os::fd::OwnedFd;

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::{self, Errno};

use super::HOST_DIR;

/// Its path in the guest's tree.
pub(super) const PATH: &str = "/tmp";
/// Its name in the host's directory.
const NAME: &str = "scratch";

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Creates it in the charm's directory, empty.
pub(super) fn open(charm: &OwnedFd) -> io::Result<OwnedFd> {
    let host = make(charm, HOST_DIR)?;
    let scratch = make(&host, NAME)?;
    // A killed dispatch may have left files.
    empty(&scratch)?;
    Ok(scratch)
}

/// Removes it.
pub(super) fn remove(charm: &OwnedFd, scratch: &OwnedFd) -> io::Result<()> {
    empty(scratch)?;
    let host = fs::openat(charm, HOST_DIR, FLAGS, Mode::empty())?;
    fs::unlinkat(&host, NAME, AtFlags::REMOVEDIR)
}

/// Creates a directory with mode 0700, and opens it. A link in its place is an
/// error.
fn make(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => fs::openat(parent, name, FLAGS, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

/// Removes everything in a directory.
///
/// A guest can nest directories deeper than a recursion or the limit of open
/// files allows, so that directories two levels down are moved to the first
/// level.
fn empty(directory: &OwnedFd) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let names = names(directory)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if remove_one(directory, &name)? {
                continue;
            }
            let child = fs::openat(directory, &*name, FLAGS, Mode::empty())?;
            for below in self::names(&child)? {
                if remove_one(&child, &below)? {
                    continue;
                }
                loop {
                    moved += 1;
                    let free = format!("{moved}.moved");
                    let flags = fs::RenameFlags::NOREPLACE;
                    match fs::renameat_with(&child, &*below, directory, &*free, flags) {
                        Ok(()) => break,
                        Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno),
                    }
                }
            }
            fs::unlinkat(directory, &*name, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Removes an entry, unless it is a directory that is not empty.
fn remove_one(parent: &OwnedFd, name: &std::ffi::CStr) -> io::Result<bool> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    match fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn names(directory: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeply_nested_directories_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let charm = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let scratch = open(&charm).unwrap();
        let mut deep = scratch.try_clone().unwrap();
        for _ in 0..3000 {
            fs::mkdirat(&deep, "d", Mode::RWXU).unwrap();
            fs::openat(&deep, "f", OFlags::CREATE, Mode::RWXU).unwrap();
            deep = fs::openat(&deep, "d", FLAGS, Mode::empty()).unwrap();
        }
        // So are those of a killed dispatch.
        let scratch = open(&charm).unwrap();
        assert!(names(&scratch).unwrap().is_empty());
        remove(&charm, &scratch).unwrap();
        assert!(!dir.path().join(HOST_DIR).join(NAME).exists());
    }

    #[test]
    fn no_link_leads_to_it() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/var", dir.path().join(HOST_DIR)).unwrap();
        let charm = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        assert!(open(&charm).is_err());
    }
}
