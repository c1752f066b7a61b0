//! A guest's private `/tmp`: made when it is first named, gone with the
//! dispatch.

use std::os::fd::OwnedFd;

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::{self, Errno};

use super::HOST_DIR;

/// The guest's path of it.
pub(super) const PATH: &str = "/tmp";
/// Its name in the directory of the host.
const NAME: &str = "scratch";

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Makes it in the charm's directory, empty.
pub(super) fn open(charm: &OwnedFd) -> io::Result<OwnedFd> {
    let host = make(charm, HOST_DIR)?;
    let scratch = make(&host, NAME)?;
    // What a killed dispatch has left is not for the next one.
    empty(&scratch)?;
    Ok(scratch)
}

/// Removes it.
pub(super) fn remove(charm: &OwnedFd, scratch: &OwnedFd) -> io::Result<()> {
    empty(scratch)?;
    let host = fs::openat(charm, HOST_DIR, FLAGS, Mode::empty())?;
    fs::unlinkat(&host, NAME, AtFlags::REMOVEDIR)
}

/// Makes a directory for the owner alone, and opens it; a link in its stead is
/// an error.
fn make(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => fs::openat(parent, name, FLAGS, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

/// Removes all that is in a directory.
///
/// A guest can nest directories deeper than a recursion or the limit of open
/// files allows, so what is found two levels down is moved to the first.
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

/// Removes an entry, unless it is a directory with entries of its own.
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
    fn however_deep_it_is_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        let charm = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let scratch = open(&charm).unwrap();
        let mut deep = scratch.try_clone().unwrap();
        for _ in 0..3000 {
            fs::mkdirat(&deep, "d", Mode::RWXU).unwrap();
            fs::openat(&deep, "f", OFlags::CREATE, Mode::RWXU).unwrap();
            deep = fs::openat(&deep, "d", FLAGS, Mode::empty()).unwrap();
        }
        // What a killed dispatch has left is gone, too.
        let scratch = open(&charm).unwrap();
        assert!(names(&scratch).unwrap().is_empty());
        remove(&charm, &scratch).unwrap();
        assert!(!dir.path().join(HOST_DIR).join(NAME).exists());
    }

    #[test]
    fn it_is_never_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/var", dir.path().join(HOST_DIR)).unwrap();
        let charm = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        assert!(open(&charm).is_err());
    }
}
