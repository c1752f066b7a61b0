//! Opens files below another root directory from outside.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// A directory that programs see as `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    /// This machine's `/`.
    fn default() -> Self {
        Root(PathBuf::from("/"))
    }
}

impl Root {
    pub(crate) fn of_process(pid: u32) -> Self {
        Root(PathBuf::from(format!("/proc/{pid}/root")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads a file. Symbolic links lead to files below the root.
    ///
    /// # Errors
    ///
    /// As for reading a file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.open(path.as_ref(), OFlags::RDONLY, Mode::empty())?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file in a directory that exists. A new file may be read by all
    /// and written by its owner. Symbolic links lead to files below the root.
    ///
    /// # Errors
    ///
    /// As for writing a file.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let mut file = self.open(path.as_ref(), flags, Mode::from_raw_mode(0o644))?;
        file.write_all(bytes)
    }

    /// Opens a file by its path below the root: symbolic links and `..` do not
    /// lead out of it.
    pub(crate) fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        if self == &Root::default() {
            // There is nothing outside, and older kernels have no `openat2`.
            return Ok(File::from(rustix::fs::openat(CWD, path, flags, mode)?));
        }
        let path_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, &self.0, path_flags, Mode::empty())?;
        let file = rustix::fs::openat2(&root, path, flags, mode, ResolveFlags::IN_ROOT)?;
        Ok(File::from(file))
    }
}
