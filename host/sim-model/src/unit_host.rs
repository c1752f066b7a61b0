//! What hook tools need of the machine that a unit runs on.

use std::io;
use std::path::Path;
use std::time::SystemTime;

/// The machine of a unit, as far as hook tools touch it: files that arguments
/// name, such as `--file` and `-o` (juju §2.2), and the time.
pub trait UnitHost: Send {
    /// Reads a file of the unit's file system.
    ///
    /// # Errors
    ///
    /// As for reading a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Writes a file of the unit's file system.
    ///
    /// # Errors
    ///
    /// As for writing a file.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// The present time.
    fn now(&self) -> SystemTime;
}

/// A machine without files, whose clock stands at the Unix epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl UnitHost for NoHost {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::Error::from_raw_os_error(ENOENT))
    }

    fn write(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(ENOENT))
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// "No such file or directory" on Linux.
const ENOENT: i32 = 2;
