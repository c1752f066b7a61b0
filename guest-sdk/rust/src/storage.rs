//! Storage of this unit.

use std::path::PathBuf;

use crate::Result;
use crate::bindings::storage as wit;
use crate::error::ModelResult;

/// A storage instance that is attached to this unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Storage {
    name: String,
    index: u32,
}

/// What a storage instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageKind {
    /// A mounted file system.
    Filesystem,
    /// A block device.
    Block,
    /// A kind of a newer Juju.
    Other(String),
}

/// Returns the instances of a storage, by its name in the charm's metadata; sorted
/// by index.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler() -> Result<()> {
/// for storage in storages("data")? {
///     std::fs::write(storage.location()?.join("ready"), "yes")?;
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn storages(name: &str) -> Result<Vec<Storage>> {
    let indices = wit::list(name).model()?.into_iter();
    let storage = |index| Storage::new(name, index);
    Ok(indices.map(storage).collect())
}

/// Requests more instances of a storage, when the hook succeeds. Each one is
/// announced by a storage-attached event.
#[track_caller]
pub fn request_storage(name: &str, count: u32) -> Result<()> {
    wit::request(name, count).model()
}

impl Storage {
    /// The instance of a storage with an index, for example 0 of `data/0`. Nothing is
    /// looked up yet.
    pub fn new(name: impl Into<String>, index: u32) -> Self {
        Storage {
            name: name.into(),
            index,
        }
    }

    /// The storage's name in the charm's metadata.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instance's index, for example 0 of `data/0`.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Returns the path of the mount point or of the device. The charm can read and
    /// write files below a mount point.
    #[track_caller]
    pub fn location(&self) -> Result<PathBuf> {
        Ok(self.info()?.location.into())
    }

    /// Returns what the instance is.
    #[track_caller]
    pub fn kind(&self) -> Result<StorageKind> {
        Ok(match self.info()?.kind {
            wit::StorageKind::Filesystem => StorageKind::Filesystem,
            wit::StorageKind::Block => StorageKind::Block,
            wit::StorageKind::Other(kind) => StorageKind::Other(kind),
        })
    }

    #[track_caller]
    fn info(&self) -> Result<wit::StorageInfo> {
        wit::get(&self.name, self.index).model()
    }
}
