//! The lock that keeps two dispatches of a unit apart (ops §2.8).

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::limits::LOCK_TIMEOUT;
use crate::{Error, FILE_NAME};

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// An exclusive lock on the state in a charm's directory, also while there is
/// no state file yet. It is released when it is dropped, or when the process
/// ends in whatever way.
///
/// It is a `flock` of the directory itself, so taking it writes nothing. ops does
/// not take it: against a native charm, the lock that SQLite holds on the file of
/// a `StateFile` protects the state.
#[derive(Debug)]
pub(crate) struct StateLock {
    _directory: File,
}

impl StateLock {
    /// Takes the lock; waits up to 10 s for another process to release it.
    pub fn acquire(charm_dir: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open {
            path: charm_dir.to_path_buf(),
            source,
        };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(charm_dir)
            .map_err(open)?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let mut pause = Duration::from_millis(1);
        loop {
            match directory.try_lock() {
                Ok(()) => {
                    return Ok(StateLock {
                        _directory: directory,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(open(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(Error::Locked(charm_dir.join(FILE_NAME)));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use charmhost_error_chain::ErrorChain;

    use super::*;

    #[test]
    fn the_lock_is_exclusive_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateLock::acquire(dir.path()).unwrap();
        let path = dir.path().to_path_buf();
        let (done, waits) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            let lock = StateLock::acquire(&path).unwrap();
            done.send(()).unwrap();
            drop(lock);
        });
        assert!(waits.recv_timeout(Duration::from_millis(100)).is_err());
        drop(first);
        waits.recv_timeout(LOCK_TIMEOUT).unwrap();
        second.join().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_a_directory_can_be_locked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = StateLock::acquire(&file).unwrap_err();
        let error = error.chain().to_string();
        let wanted = format!(
            "cannot open {}: Not a directory (os error 20)",
            file.display()
        );
        assert_eq!(error, wanted);
    }
}
