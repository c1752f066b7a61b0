//! The host's directories behind a guest's tree, and what lies over the charm's.
//!
//! Everything here goes through the functions of `wasi:filesystem` with a
//! directory of the host: these never leave it, whatever links a guest has
//! made.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, HostDescriptor,
    MetadataHashValue, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::tree::{self, Kind, Place};
use crate::state::State;

/// How much is copied at once, in bytes.
const CHUNK: u64 = 1 << 16;

/// A directory of the host's, and a path in it.
pub(super) struct At {
    root: u32,
    pub rest: String,
}

impl At {
    /// The directory, for one call.
    pub fn directory(&self) -> Resource<Descriptor> {
        Resource::new_borrow(self.root)
    }
}

impl State {
    /// A directory of the host's, opened once.
    fn root(&mut self, host: &Path, kind: Kind, make: bool) -> FsResult<u32> {
        let key = (host.to_path_buf(), kind);
        if let Some(root) = self.files.roots.get(&key) {
            return Ok(*root);
        }
        if make {
            if host == self.files.scratch {
                // A dispatch that was killed has left it.
                self.files.clean();
            }
            let mut private = std::fs::DirBuilder::new();
            let made = private.recursive(true).mode(0o700).create(host);
            made.map_err(ErrorCode::from)?;
        }
        let directory = std::fs::File::open(host).map_err(ErrorCode::from)?;
        let (permissions, mode) = match kind {
            Kind::Write => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
            Kind::Charm | Kind::Read => (FsPerms::ReadOnly, OpenMode::READ),
        };
        let directory = Descriptor::Dir(Dir::new(directory, permissions, mode, true));
        let root = self.table.push(directory).map_err(FsError::trap)?.rep();
        self.files.roots.insert(key, root);
        Ok(root)
    }

    /// What lies over the charm's directory; none while nothing does.
    fn upper(&mut self, rest: &str, make: bool) -> FsResult<Option<At>> {
        let work = self.files.work.clone();
        if !make && !work.exists() {
            return Ok(None);
        }
        let root = self.root(&work, Kind::Write, make)?;
        let rest = rest.to_owned();
        Ok(Some(At { root, rest }))
    }

    fn lower(&mut self, place: &Place) -> FsResult<At> {
        let is_scratch = place.host == self.files.scratch;
        let root = self.root(&place.host, place.kind, is_scratch)?;
        let rest = place.rest.clone();
        Ok(At { root, rest })
    }

    /// The handle of the directory below what lies over a place.
    pub(super) fn root_of(&mut self, place: &Place) -> FsResult<u32> {
        self.root(&place.host, place.kind, false)
    }

    /// What is there, itself or what it links to.
    pub(super) async fn stat_of(&mut self, at: &At, flags: PathFlags) -> FsResult<DescriptorStat> {
        let (directory, rest) = (at.directory(), at.rest.clone());
        self.filesystem().stat_at(directory, flags, rest).await
    }

    pub(super) async fn hash_of(
        &mut self,
        at: &At,
        flags: PathFlags,
    ) -> FsResult<MetadataHashValue> {
        let (directory, rest) = (at.directory(), at.rest.clone());
        self.filesystem()
            .metadata_hash_at(directory, flags, rest)
            .await
    }

    async fn exists(&mut self, at: &At) -> Option<DescriptorType> {
        let stat = self.stat_of(at, PathFlags::empty()).await;
        stat.ok().map(|stat| stat.type_)
    }

    /// Where a place is to be read, if there is anything.
    pub(super) async fn readable(&mut self, place: &Place) -> FsResult<At> {
        if place.is_hidden() {
            return Err(ErrorCode::NoEntry.into());
        }
        // A guest can lay a file over its code by a link; nobody looks at it.
        if place.kind == Kind::Charm
            && !place.is_protected()
            && let Some(over) = self.over(place).await?
        {
            return Ok(over);
        }
        self.lower(place)
    }

    /// What lies over a place of the charm. A file that came later with the
    /// charm, as in an upgrade, is not covered by what was written before.
    async fn over(&mut self, place: &Place) -> FsResult<Option<At>> {
        let Some(upper) = self.upper(&place.rest, false)? else {
            return Ok(None);
        };
        let Ok(over) = self.stat_of(&upper, PathFlags::empty()).await else {
            return Ok(None);
        };
        let lower = self.lower(place)?;
        let below = match self.stat_of(&lower, PathFlags::empty()).await {
            Ok(below) if below.type_ != DescriptorType::Directory => below,
            _ => return Ok(Some(upper)),
        };
        let changed = |stat: &DescriptorStat| {
            let time = stat.status_change_timestamp.as_ref();
            time.map(|time| (time.seconds, time.nanoseconds))
        };
        if changed(&below) <= changed(&over) {
            return Ok(Some(upper));
        }
        if over.type_ != DescriptorType::Directory {
            let (directory, rest) = (upper.directory(), upper.rest);
            self.filesystem().unlink_file_at(directory, rest).await?;
        }
        Ok(None)
    }

    /// Where a place is to be written. In the charm's directory this is what
    /// lies over it; a file that is only below is copied, unless its content
    /// does not matter.
    pub(super) async fn writable(&mut self, place: &Place, copy: bool) -> FsResult<At> {
        match place.kind {
            Kind::Write => return self.lower(place),
            Kind::Read => return Err(ErrorCode::NotPermitted.into()),
            Kind::Charm if place.is_hidden() || place.is_protected() => {
                return Err(ErrorCode::NotPermitted.into());
            }
            Kind::Charm => {}
        }
        if let Some(over) = self.over(place).await? {
            return Ok(over);
        }
        let lower = self.lower(place)?;
        self.copy_directories(place).await?;
        let Some(upper) = self.upper(&place.rest, true)? else {
            return Err(ErrorCode::Io.into());
        };
        if copy && self.exists(&lower).await == Some(DescriptorType::RegularFile) {
            self.copy_file(&lower, &upper).await?;
        }
        Ok(upper)
    }

    /// Makes the directories above a place in what lies over the charm's, as
    /// far as the charm has them.
    async fn copy_directories(&mut self, place: &Place) -> FsResult<()> {
        let parts: Vec<&str> = place.rest.split('/').collect();
        for count in 1..parts.len() {
            let rest = parts.get(..count).unwrap_or_default().join("/");
            let Some(upper) = self.upper(&rest, true)? else {
                return Err(ErrorCode::Io.into());
            };
            if self.exists(&upper).await.is_some() {
                continue;
            }
            let lower = self.lower(&Place {
                rest: rest.clone(),
                ..place.clone()
            })?;
            match self.exists(&lower).await {
                Some(DescriptorType::Directory) => {
                    let directory = upper.directory();
                    self.filesystem()
                        .create_directory_at(directory, rest)
                        .await?;
                }
                Some(_) => return Err(ErrorCode::NotDirectory.into()),
                None => return Err(ErrorCode::NoEntry.into()),
            }
        }
        Ok(())
    }

    async fn copy_file(&mut self, from: &At, to: &At) -> FsResult<()> {
        let open = (
            PathFlags::SYMLINK_FOLLOW,
            OpenFlags::empty(),
            DescriptorFlags::READ,
        );
        let source = self.open(from, open.0, open.1, open.2).await?;
        let make = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let target = self
            .open(to, PathFlags::empty(), make, DescriptorFlags::WRITE)
            .await?;
        let mut offset = 0;
        loop {
            let read = Resource::new_borrow(source.rep());
            let (bytes, is_end) = self.filesystem().read(read, CHUNK, offset).await?;
            let length = bytes.len() as u64;
            if length > 0 {
                let write = Resource::new_borrow(target.rep());
                let written = self.filesystem().write(write, bytes, offset).await?;
                if written == 0 {
                    return Err(ErrorCode::InsufficientSpace.into());
                }
                offset += written.min(length);
            }
            if is_end {
                break;
            }
        }
        self.filesystem().drop(source).map_err(FsError::trap)?;
        self.filesystem().drop(target).map_err(FsError::trap)
    }

    pub(super) async fn open(
        &mut self,
        at: &At,
        path: PathFlags,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let (directory, rest) = (at.directory(), at.rest.clone());
        self.filesystem()
            .open_at(directory, path, rest, how, flags)
            .await
    }

    /// What is in a directory of the guest's tree.
    pub(super) async fn list(
        &mut self,
        path: &str,
        place: &Place,
    ) -> FsResult<Vec<DirectoryEntry>> {
        let mut found = BTreeMap::new();
        for name in self.files.tree.names_in(path) {
            found.insert(name, DescriptorType::Directory);
        }
        let is_virtual = !found.is_empty();
        let mut sides = vec![self.lower(place)];
        if place.kind == Kind::Charm
            && let Some(upper) = self.upper(&place.rest, false)?
        {
            sides.push(Ok(upper));
        }
        let mut is_anywhere = is_virtual;
        for side in sides {
            let listed = match side {
                Ok(side) => self.list_side(&side).await,
                Err(error) => Err(error),
            };
            match listed {
                Ok(entries) => {
                    is_anywhere = true;
                    found.extend(entries.into_iter().map(|entry| (entry.name, entry.type_)));
                }
                Err(error) if !is_anywhere && place.kind != Kind::Charm => return Err(error),
                Err(_) => {}
            }
        }
        if !is_anywhere {
            return Err(ErrorCode::NoEntry.into());
        }
        if place.kind == Kind::Charm && place.rest == "." {
            found.retain(|name, _| !tree::is_hidden(name));
        }
        let entry = |(name, type_)| DirectoryEntry { name, type_ };
        Ok(found.into_iter().map(entry).collect())
    }

    async fn list_side(&mut self, at: &At) -> FsResult<Vec<DirectoryEntry>> {
        let read = DescriptorFlags::READ;
        let directory = self
            .open(at, PathFlags::SYMLINK_FOLLOW, OpenFlags::DIRECTORY, read)
            .await?;
        let borrowed = Resource::new_borrow(directory.rep());
        let listing = self.filesystem().read_directory(borrowed).await;
        self.filesystem().drop(directory).map_err(FsError::trap)?;
        let listing = self.table.delete(listing?).map_err(FsError::trap)?;
        listing.into_iter().collect()
    }
}
