//! Listings of directories.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::Files;
use super::errors::code;
use super::handles::OpenDirectory;
use super::walk::{Directory, Node};
use crate::memory::Reservation;

/// Memory of an entry of a listing beside its name, in bytes.
const ENTRY_SIZE: usize = 96;

/// Listings that a guest is reading, by handle.
#[derive(Debug, Default)]
pub(super) struct Listings(HashMap<u32, Listing>);

#[derive(Debug)]
pub(super) struct Listing {
    entries: VecDeque<DirectoryEntry>,
    _held: Reservation,
}

impl Listings {
    pub fn insert(&mut self, handle: u32, listing: Listing) {
        self.0.insert(handle, listing);
    }

    /// The next entry; none at the end, or if the listing does not exist.
    pub fn next(&mut self, handle: u32) -> Option<DirectoryEntry> {
        self.0.get_mut(&handle)?.entries.pop_front()
    }

    pub fn remove(&mut self, handle: u32) {
        self.0.remove(&handle);
    }
}

impl Files {
    /// Lists a directory, with the roots in it. Names that are not UTF-8 are left
    /// out: WASI cannot express them.
    pub(super) fn list(&self, directory: &OpenDirectory) -> Result<Listing, ErrorCode> {
        let mut found: BTreeMap<String, DescriptorType> = BTreeMap::new();
        let full = |_| ErrorCode::InsufficientMemory;
        let mut held = self.memory.reserve(0).map_err(full)?;
        if let Node::Directory(node) = &directory.node {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = fs::openat(&node.fd, ".", flags, Mode::empty()).map_err(code)?;
            for entry in Dir::read_from(&fd).map_err(code)? {
                let entry = entry.map_err(code)?;
                let Ok(name) = entry.file_name().to_str() else {
                    continue;
                };
                if name == "." || name == ".." || node.hides(name) {
                    continue;
                }
                held.grow(name.len() + ENTRY_SIZE).map_err(full)?;
                let kind = kind_of(node, name, entry.file_type());
                found.insert(name.to_owned(), kind);
            }
        }
        for name in self.roots.names_in(&directory.path) {
            let path = format!("{}/{name}", directory.path);
            let is_file = self
                .roots
                .at(&path)
                .is_some_and(|(_, root)| !root.is_directory);
            let kind = match is_file {
                true => DescriptorType::RegularFile,
                false => DescriptorType::Directory,
            };
            held.grow(name.len() + ENTRY_SIZE).map_err(full)?;
            found.insert(name.to_owned(), kind);
        }
        let entry = |(name, type_)| DirectoryEntry { name, type_ };
        Ok(Listing {
            entries: found.into_iter().map(entry).collect(),
            _held: held,
        })
    }
}

fn kind_of(parent: &Directory, name: &str, listed: FileType) -> DescriptorType {
    match listed {
        // Some file systems do not report the kind.
        FileType::Unknown => {
            let stat = fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW);
            descriptor_type(stat.map_or(FileType::Unknown, |stat| {
                FileType::from_raw_mode(stat.st_mode)
            }))
        }
        kind => descriptor_type(kind),
    }
}

/// Converts the kind of a file.
pub(super) fn descriptor_type(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}
