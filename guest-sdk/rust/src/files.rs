//! Files of workload containers.

use std::io::{self, Read, Write};

use crate::Result;
use crate::bindings::pebble as wit;
use crate::error::ModelResult;

/// How many bytes cross to the host and back at once.
const PIECE: usize = 64 * 1024;

/// How a file or directory is made.
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
    /// Pebble's mode and owner, and no directories on the way.
    pub fn new() -> Self {
        FileOptions::default()
    }

    /// The same with a mode, as `0o600`.
    pub fn mode(mut self, permissions: u32) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// The same with an owner, by name.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The same with an owner, by number.
    pub fn user_id(mut self, id: u32) -> Self {
        self.user_id = Some(id);
        self
    }

    /// The same with a group, by name.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The same with a group, by number.
    pub fn group_id(mut self, id: u32) -> Self {
        self.group_id = Some(id);
        self
    }

    /// The same, making the directories on the way.
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

/// What a path is.
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
    /// What it is.
    pub kind: FileKind,
    /// Its size in bytes; only for regular files.
    pub size: Option<u64>,
    /// Its mode, as 0o644.
    pub permissions: u32,
    /// When it was last modified: RFC 3339.
    pub last_modified: String,
    /// Its owner's number.
    pub user_id: Option<u32>,
    /// Its owner's name.
    pub user: Option<String>,
    /// Its group's number.
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
        last_modified: info.last_modified,
        user_id: info.user_id,
        user: info.user,
        group_id: info.group_id,
        group: info.group,
    }
}

/// A file of a container that is being read, whatever its size.
#[derive(Debug)]
pub struct FileReader {
    reader: wit::FileReader,
    piece: Vec<u8>,
    used: usize,
}

impl FileReader {
    pub(crate) fn new(reader: wit::FileReader) -> Self {
        FileReader {
            reader,
            piece: Vec::new(),
            used: 0,
        }
    }

    #[track_caller]
    fn next(&self) -> Result<Vec<u8>> {
        self.reader.read(PIECE as u32).model()
    }

    #[track_caller]
    pub(crate) fn read_all(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let piece = self.next()?;
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend(piece);
        }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            self.piece = self.next().map_err(to_io)?;
            self.used = 0;
        }
        let rest = self.piece.get(self.used..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let pairs = buffer.iter_mut().zip(rest);
        pairs.for_each(|(to, from)| *to = *from);
        self.used += count;
        Ok(count)
    }
}

/// A file of a container that is being written. Dropped before it is closed,
/// it leaves what was there.
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
        for piece in content.chunks(PIECE) {
            self.writer.write(piece).model()?;
        }
        Ok(())
    }

    /// Puts the file in its place.
    #[track_caller]
    pub fn close(self) -> Result<()> {
        self.writer.close().model()
    }
}

impl Write for FileWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = buffer.len().min(PIECE);
        let piece = buffer.get(..count).unwrap_or_default();
        self.add(piece).map_err(to_io)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_io(error: crate::Error) -> io::Error {
    io::Error::other(error.to_string())
}
