//! Files that the host reads for a guest.

use std::fs::File;
use std::io::Result as IoResult;
use std::os::unix::fs::FileExt;

use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};

use super::handles::{Open, OpenDirectory};
use super::roots::CHARM;
use super::walk::{Last, top};
use super::{Access, FilesView};
use crate::memory::{HostMemoryExceeded, Reservation};

/// The content of a file, which counts as memory of the host until this is
/// dropped.
#[derive(Debug)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    _held: Reservation,
}

/// Why a file of a guest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The guest cannot read it either.
    #[error("cannot read {path:?} in the charm's own file tree: {reason}")]
    Unreadable {
        /// The path as the guest wrote it.
        path: String,
        /// The reason, which does not say what the machine has at the path.
        reason: String,
    },
    /// It is larger than what the host may hold for the guest.
    #[error("cannot read {path:?}: {limit}")]
    TooLarge {
        /// The path as the guest wrote it.
        path: String,
        /// The limit.
        limit: HostMemoryExceeded,
    },
}

impl FilesView<'_> {
    /// Reads a file for the guest, as the guest would: in its tree, within its
    /// rights, with the same log lines for what is denied. A relative path begins
    /// in the charm's directory.
    ///
    /// # Errors
    ///
    /// If the guest cannot read it, and if the host would hold too much.
    pub fn read(&mut self, path: &str) -> Result<FileContent, ReadError> {
        let file = self.open_for_host(path).map_err(|code| {
            let reason = match code {
                ErrorCode::NoEntry => "no such file".to_owned(),
                ErrorCode::IsDirectory => "it is a directory".to_owned(),
                ErrorCode::NotPermitted | ErrorCode::Access => "the sandbox denies it".to_owned(),
                code => code.name().to_owned(),
            };
            let path = path.to_owned();
            ReadError::Unreadable { path, reason }
        })?;
        let too_large = |limit| {
            let path = path.to_owned();
            ReadError::TooLarge { path, limit }
        };
        let failed = |error: std::io::Error| ReadError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let size = file.metadata().map_err(failed)?.len();
        let reserve = usize::try_from(size).unwrap_or(usize::MAX);
        let held = self.files.memory.reserve(reserve).map_err(too_large)?;
        let bytes = read_at_most(&file, reserve).map_err(failed)?;
        Ok(FileContent { bytes, _held: held })
    }

    fn open_for_host(&mut self, path: &str) -> Result<File, ErrorCode> {
        let charm = self.files.roots.get(CHARM);
        let charm = charm.map_or("", |root| root.path.as_str());
        let absolute = match path {
            "" => return Err(ErrorCode::NoEntry),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("{charm}/{path}"),
        };
        let from = OpenDirectory {
            path: String::new(),
            node: top(&self.files.roots)?,
        };
        let located = self.locate_from(&from, &absolute, Last::Follow, Access::Read)?;
        let path = located.path.clone();
        let opened = self
            .files
            .open(located, OpenFlags::empty(), DescriptorFlags::READ);
        match opened {
            Ok(Open::File(open)) => open.file.try_clone().map_err(|_| ErrorCode::Io),
            Ok(Open::Directory(_)) => Err(ErrorCode::IsDirectory),
            Err(error) => Err(self.explain(&path, Access::Read, error)),
        }
    }
}

/// Reads a file from its beginning. What another process appends meanwhile is not
/// counted as memory, and not read.
fn read_at_most(file: &File, size: usize) -> IoResult<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut length = 0;
    // Not by the position of the descriptor, which a granted file shares.
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}
