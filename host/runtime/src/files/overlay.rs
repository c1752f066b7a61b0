//! The host's directories behind a guest's tree, and what lies over the charm's.
//!
//! Everything here goes through the functions of `wasi:filesystem` with a
//! directory of the host: these never leave it, whatever links a guest has
//! made.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, HostDescriptor,
    MetadataHashValue, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::removed::Time;
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

    /// What is at a place of the guest's tree, which may be a link.
    pub(super) async fn kind_at(&mut self, place: &Place) -> FsResult<DescriptorType> {
        let at = self.readable(place).await?;
        Ok(self.stat_of(&at, PathFlags::empty()).await?.type_)
    }

    /// What the charm has at a place, unless the guest has removed it.
    pub(super) async fn below(&mut self, place: &Place) -> FsResult<Option<(At, DescriptorType)>> {
        let lower = self.lower(place)?;
        let Ok(stat) = self.stat_of(&lower, PathFlags::empty()).await else {
            return Ok(None);
        };
        let changed = changed(&place.host, &place.rest);
        let is_removed = self.files.removed.has(&place.rest, changed);
        Ok((!is_removed).then_some((lower, stat.type_)))
    }

    /// Where a place is to be read, if there is anything.
    pub(super) async fn readable(&mut self, place: &Place) -> FsResult<At> {
        if place.is_hidden() {
            return Err(ErrorCode::NoEntry.into());
        }
        // A guest can lay a file over its code by a link; nobody looks at it.
        if place.kind != Kind::Charm || place.is_protected() {
            return self.lower(place);
        }
        if let Some(over) = self.over(place).await? {
            return Ok(over);
        }
        if self.files.removed.is_empty() {
            return self.lower(place);
        }
        match self.below(place).await? {
            Some((lower, _)) => Ok(lower),
            None => Err(ErrorCode::NoEntry.into()),
        }
    }

    /// What lies over a place of the charm. A file that came later with the
    /// charm, as in an upgrade, is not covered by what was written before.
    pub(super) async fn over(&mut self, place: &Place) -> FsResult<Option<At>> {
        let Some(upper) = self.upper(&place.rest, false)? else {
            return Ok(None);
        };
        let Ok(over) = self.stat_of(&upper, PathFlags::empty()).await else {
            return Ok(None);
        };
        let lower = self.lower(place)?;
        let Ok(below) = self.stat_of(&lower, PathFlags::empty()).await else {
            return Ok(Some(upper));
        };
        let came = changed(&place.host, &place.rest);
        let is_directory = |stat: &DescriptorStat| stat.type_ == DescriptorType::Directory;
        let covers = match (is_directory(&over), is_directory(&below)) {
            (true, true) => true,
            // Where a directory was there is a file only once that is removed.
            (false, true) => self.files.removed.has(&place.rest, came),
            _ => came <= changed(&self.files.work, &place.rest),
        };
        if covers {
            return Ok(Some(upper));
        }
        if !is_directory(&over) {
            let (directory, rest) = (upper.directory(), upper.rest);
            self.filesystem().unlink_file_at(directory, rest).await?;
        }
        Ok(None)
    }

    /// Where a place is to be written. In the charm's directory this is what
    /// lies over it; what is only below is copied, unless it does not count.
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
        self.copy_directories(place).await?;
        let Some(upper) = self.upper(&place.rest, true)? else {
            return Err(ErrorCode::Io.into());
        };
        if copy && let Some((lower, kind)) = self.below(place).await? {
            self.copy(&lower, kind, &upper).await?;
        }
        Ok(upper)
    }

    /// Makes the directories above a place in what lies over the charm's, as
    /// far as the charm has them.
    async fn copy_directories(&mut self, place: &Place) -> FsResult<()> {
        let parts: Vec<&str> = place.rest.split('/').collect();
        for count in 1..parts.len() {
            let rest = parts.get(..count).unwrap_or_default().join("/");
            let place = Place {
                rest: rest.clone(),
                ..place.clone()
            };
            if self.over(&place).await?.is_some() {
                continue;
            }
            match self.below(&place).await? {
                Some((lower, kind @ DescriptorType::Directory)) => {
                    let Some(upper) = self.upper(&rest, true)? else {
                        return Err(ErrorCode::Io.into());
                    };
                    self.copy(&lower, kind, &upper).await?;
                }
                Some(_) => return Err(ErrorCode::NotDirectory.into()),
                None => return Err(ErrorCode::NoEntry.into()),
            }
        }
        Ok(())
    }

    /// Copies a file, a link, or a directory without what is in it.
    async fn copy(&mut self, from: &At, kind: DescriptorType, to: &At) -> FsResult<()> {
        let (source, target) = (from.directory(), to.directory());
        let (from_rest, to_rest) = (from.rest.clone(), to.rest.clone());
        match kind {
            DescriptorType::RegularFile => self.copy_file(from, to).await,
            DescriptorType::Directory => {
                self.filesystem().create_directory_at(target, to_rest).await
            }
            DescriptorType::SymbolicLink => {
                let mut filesystem = self.filesystem();
                let link = filesystem.readlink_at(source, from_rest).await?;
                filesystem.symlink_at(target, link, to_rest).await
            }
            _ => Err(ErrorCode::NotPermitted.into()),
        }
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
        let names = self.files.tree.names_in(path).into_iter();
        let mut found: BTreeMap<String, DescriptorType> = names
            .map(|name| (name, DescriptorType::Directory))
            .collect();
        let (over, below) = match place.kind {
            Kind::Charm => (
                self.over(place).await?,
                self.below(place).await?.map(|(lower, _)| lower),
            ),
            Kind::Read | Kind::Write => (None, self.lower(place).ok()),
        };
        if over.is_none() && below.is_none() && found.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        if let Some(below) = below {
            match self.list_side(&below).await {
                Ok(listed) => found.extend(self.not_removed(place, listed).await?),
                // A file may lie where a directory was, and the other way.
                Err(_) if over.is_some() || !found.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(over) = over {
            let listed = self.list_side(&over).await?;
            found.extend(listed.into_iter().map(|entry| (entry.name, entry.type_)));
        }
        if place.kind == Kind::Charm && place.rest == "." {
            found.retain(|name, _| !tree::is_hidden(name));
        }
        let entry = |(name, type_)| DirectoryEntry { name, type_ };
        Ok(found.into_iter().map(entry).collect())
    }

    /// What the guest has not removed of a directory of the charm.
    async fn not_removed(
        &mut self,
        place: &Place,
        listed: Vec<DirectoryEntry>,
    ) -> FsResult<Vec<(String, DescriptorType)>> {
        let is_whole = place.kind != Kind::Charm || self.files.removed.is_empty();
        let mut left = Vec::new();
        for DirectoryEntry { name, type_ } in listed {
            let rest = format!("{}/{name}", place.rest);
            let rest = rest.trim_start_matches("./").to_owned();
            let place = Place {
                rest,
                ..place.clone()
            };
            if is_whole || self.below(&place).await?.is_some() {
                left.push((name, type_));
            }
        }
        Ok(left)
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

/// When a file in a directory of the machine's last changed; what
/// `wasi:filesystem` tells instead is when it was made.
fn changed(directory: &Path, rest: &str) -> Time {
    let found = directory.join(rest).symlink_metadata();
    found.map_or((0, 0), |found| (found.ctime(), found.ctime_nsec()))
}
