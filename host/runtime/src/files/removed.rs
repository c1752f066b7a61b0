//! What a guest has removed of the charm's directory.
//!
//! Nothing is ever removed there: a mark, an empty file at the same path in a
//! directory of this host's own, says that a file or a whole directory of the
//! charm is gone for the guest. What came later than its mark, as with an
//! upgrade, is there again.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// When a file last changed, in seconds and nanoseconds.
pub(super) type Time = (i64, i64);

/// The marks, by the directory that has them.
#[derive(Debug)]
pub(super) struct Removed {
    marks: PathBuf,
}

impl Removed {
    pub fn new(marks: PathBuf) -> Self {
        Removed { marks }
    }

    /// Whether there are any marks.
    pub fn is_empty(&self) -> bool {
        !self.marks.exists()
    }

    /// Whether a file of the charm is gone that has last changed at a time.
    pub fn has(&self, rest: &str, changed: Time) -> bool {
        let mut path = self.marks.clone();
        for part in Path::new(rest) {
            path.push(part);
            match path.symlink_metadata() {
                Ok(mark) if mark.is_dir() => {}
                Ok(mark) => return (mark.ctime(), mark.ctime_nsec()) >= changed,
                Err(_) => return false,
            }
        }
        false
    }

    /// Marks a file, or a directory with all that is in it.
    pub fn add(&self, rest: &str) -> io::Result<()> {
        let mark = self.marks.join(rest);
        let above: Vec<&Path> = Path::new(rest).ancestors().skip(1).collect();
        for path in above.into_iter().rev() {
            let path = self.marks.join(path);
            // The mark of a directory that came again is out of date.
            if path.is_file() {
                std::fs::remove_file(&path)?;
            }
            if !path.is_dir() {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            }
        }
        match mark.symlink_metadata() {
            Ok(old) if old.is_dir() => std::fs::remove_dir_all(&mark)?,
            Ok(_) => std::fs::remove_file(&mark)?,
            Err(_) => {}
        }
        File::create_new(mark).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = (0, 0);
    const LATER: Time = (i64::MAX, 0);

    #[test]
    fn a_mark_counts_for_what_is_below_and_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let removed = Removed::new(dir.path().join("removed"));
        assert!(!removed.has("a/b", NOW) && removed.is_empty());
        removed.add("a/b").unwrap();
        for (rest, changed, wanted) in [
            ("a/b", NOW, true),
            ("a/b", LATER, false),
            ("a/b/c", NOW, true),
            ("a/c", NOW, false),
            ("a", NOW, false),
            ("a/bc", NOW, false),
        ] {
            assert_eq!(removed.has(rest, changed), wanted, "{rest}");
        }
        assert!(!removed.is_empty());
    }

    #[test]
    fn marks_are_made_above_and_below_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let removed = Removed::new(dir.path().join("removed"));
        for rest in ["a/b/c", "a/b", "a/b", "a"] {
            removed.add(rest).unwrap();
            assert!(removed.has(rest, NOW), "{rest}");
        }
        assert!(removed.has("a/b/c", NOW));
        // The directory came again, and another file of it is removed.
        removed.add("a/d").unwrap();
        assert!(removed.has("a/d", NOW) && !removed.has("a", NOW));
    }
}
