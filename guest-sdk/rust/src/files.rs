//! Files of workload containers.

use std::io::{self, Read, Write};
use std::time::SystemTime;

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::{Pollable, Result, time};

/// Size of a chunk in bytes.
const CHUNK: usize = 64 * 1024;

/// Options for creating a file or directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    permissions: Option<u32>,
    user: Option<String>,
    user_id: Option<u32>,
    group: Option<String>,
    group_id: Option<u32>,
    parents: bool,
}

impl FileOptions {
    /// Pebble's default mode and owner, without parent directories.
    pub fn new() -> Self {
        FileOptions::default()
    }

    /// Sets the mode, for example `0o600`.
    pub fn mode(mut self, permissions: u32) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Sets the owner, by name.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the owner, by id.
    pub fn user_id(mut self, id: u32) -> Self {
        self.user_id = Some(id);
        self
    }

    /// Sets the group, by name.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Sets the group, by id.
    pub fn group_id(mut self, id: u32) -> Self {
        self.group_id = Some(id);
        self
    }

    /// Creates parent directories.
    pub fn parents(mut self) -> Self {
        self.parents = true;
        self
    }
}

pub(crate) fn to_wit(options: &FileOptions) -> wit::FileOptions {
    wit::FileOptions {
        permissions: options.permissions,
        user_id: options.user_id,
        user: options.user.clone(),
        group_id: options.group_id,
        group: options.group.clone(),
        make_parents: options.parents,
    }
}

/// Type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the kind of its name")]
pub enum FileKind {
    Regular,
    Directory,
    Symlink,
    Socket,
    NamedPipe,
    Device,
    Unknown,
}

/// A file or directory of a container.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its absolute path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FileKind,
    /// Its size in bytes; only for regular files.
    pub size: Option<u64>,
    /// Its mode, for example 0o644.
    pub permissions: u32,
    /// When it was last modified.
    pub last_modified: SystemTime,
    /// Its owner's id.
    pub user_id: Option<u32>,
    /// Its owner's name.
    pub user: Option<String>,
    /// Its group's id.
    pub group_id: Option<u32>,
    /// Its group's name.
    pub group: Option<String>,
}

pub(crate) fn from_wit(info: wit::FileInfo) -> FileInfo {
    let kind = match info.kind {
        wit::FileKind::Regular => FileKind::Regular,
        wit::FileKind::Directory => FileKind::Directory,
        wit::FileKind::Symlink => FileKind::Symlink,
        wit::FileKind::Socket => FileKind::Socket,
        wit::FileKind::NamedPipe => FileKind::NamedPipe,
        wit::FileKind::Device => FileKind::Device,
        wit::FileKind::Unknown => FileKind::Unknown,
    };
    FileInfo {
        path: info.path,
        name: info.name,
        kind,
        size: info.size.map(|size| size as u64),
        permissions: info.permissions,
        last_modified: time::from_seconds(info.last_modified),
        user_id: info.user_id,
        user: info.user,
        group_id: info.group_id,
        group: info.group,
    }
}

/// A file of a container that is being read in chunks.
#[derive(Debug)]
pub struct FileReader {
    reader: wit::FileReader,
}

impl FileReader {
    pub(crate) fn new(reader: wit::FileReader) -> Self {
        FileReader { reader }
    }

    /// Reads what is there, at most `max` bytes; none at the end.
    #[track_caller]
    pub fn read_some(&self, max: u32) -> Result<Vec<u8>> {
        self.reader.read(max).model()
    }

    /// Becomes ready when reading would not block.
    pub fn subscribe(&self) -> Pollable {
        Pollable::new(self.reader.subscribe())
    }

    #[track_caller]
    pub(crate) fn read_all(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let chunk = self.read_some(CHUNK as u32)?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.extend(chunk);
        }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let chunk = self.read_some(max).map_err(to_io)?;
        (&chunk[..]).read(buffer)
    }
}

/// A file of a container that is being written. If this is dropped before it is
/// closed, the file is unchanged.
#[derive(Debug)]
pub struct FileWriter {
    writer: wit::FileWriter,
}

impl FileWriter {
    pub(crate) fn new(writer: wit::FileWriter) -> Self {
        FileWriter { writer }
    }

    #[track_caller]
    pub(crate) fn add(&self, content: &[u8]) -> Result<()> {
        let mut rest = content;
        while !rest.is_empty() {
            let count = self.write_some(rest)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Becomes ready when writing would not block.
    pub fn subscribe(&self) -> Pollable {
        Pollable::new(self.writer.subscribe())
    }

    /// Writes what fits, at least one byte; returns how much.
    #[track_caller]
    pub fn write_some(&self, content: &[u8]) -> Result<usize> {
        let chunk = content.get(..CHUNK).unwrap_or(content);
        Ok(self.writer.write(chunk).model()? as usize)
    }

    /// Replaces the file.
    #[track_caller]
    pub fn close(self) -> Result<()> {
        self.writer.close().model()
    }
}

impl Write for FileWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match buffer {
            [] => Ok(0),
            _ => self.write_some(buffer).map_err(to_io),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_io(error: crate::Error) -> io::Error {
    io::Error::other(error)
}
