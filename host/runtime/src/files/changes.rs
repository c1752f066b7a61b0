//! What a guest opens, makes, removes and moves in its tree.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};

use super::overlay::At;
use super::tree::{Kind, Place};
use crate::state::State;

/// How a guest opens what is at a path.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    pub last: PathFlags,
    pub how: OpenFlags,
    pub flags: DescriptorFlags,
}

impl Opening {
    /// Whether it may change what is there.
    pub fn changes(&self) -> bool {
        let makes = OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let writes = self.how.intersects(makes) || self.flags.contains(DescriptorFlags::WRITE);
        writes && !self.how.contains(OpenFlags::DIRECTORY)
    }
}

impl State {
    /// Where a place is to be read; a directory that is only a part of the way
    /// to one has an empty one in its stead.
    pub(super) async fn existing(&mut self, path: &str, place: &Place) -> FsResult<At> {
        let is_way = !self.files.tree.names_in(path).is_empty();
        if is_way && self.kind_at(place).await.is_err() {
            let root = self.files.tree.find("/");
            return self.readable(&root).await;
        }
        self.readable(place).await
    }

    /// Opens what is at a place, to read it or to write it.
    pub(super) async fn open_place(
        &mut self,
        path: &str,
        place: &Place,
        wish: Opening,
    ) -> FsResult<Resource<Descriptor>> {
        if !wish.changes() {
            let at = self.existing(path, place).await?;
            // A directory is opened to look into it; what is done in it is
            // checked when it is done.
            let flags = wish.flags & DescriptorFlags::READ;
            return self.open(&at, wish.last, wish.how, flags).await;
        }
        if place.kind == Kind::Charm {
            match self.kind_at(place).await {
                Ok(_) if wish.how.contains(OpenFlags::EXCLUSIVE) => {
                    return Err(ErrorCode::Exist.into());
                }
                Ok(DescriptorType::Directory) => return Err(ErrorCode::IsDirectory.into()),
                _ => {}
            }
        }
        let copy = !wish.how.contains(OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let at = self.writable(place, copy).await?;
        self.open(&at, wish.last, wish.how, wish.flags).await
    }

    pub(super) async fn make_directory(&mut self, path: &str, place: &Place) -> FsResult<()> {
        if !self.files.tree.names_in(path).is_empty() {
            return Err(ErrorCode::Exist.into());
        }
        let at = self.vacant(place).await?;
        let mut filesystem = self.filesystem();
        filesystem
            .create_directory_at(at.directory(), at.rest)
            .await
    }

    pub(super) async fn make_symlink(&mut self, target: &str, place: &Place) -> FsResult<()> {
        let at = self.vacant(place).await?;
        let (directory, target) = (at.directory(), target.to_owned());
        self.filesystem()
            .symlink_at(directory, target, at.rest)
            .await
    }

    /// Gives a file a second name.
    pub(super) async fn make_link(
        &mut self,
        from: At,
        last: PathFlags,
        to: &Place,
    ) -> FsResult<()> {
        let to = self.vacant(to).await?;
        let (source, target) = (from.directory(), to.directory());
        self.filesystem()
            .link_at(source, last, from.rest, target, to.rest)
            .await
    }

    pub(super) async fn put_times(
        &mut self,
        place: &Place,
        last: PathFlags,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        self.kind_at(place).await?;
        let at = self.writable(place, true).await?;
        let directory = at.directory();
        self.filesystem()
            .set_times_at(directory, last, at.rest, access, modification)
            .await
    }

    /// Where something is to be made, if nothing is there.
    async fn vacant(&mut self, place: &Place) -> FsResult<At> {
        if place.kind == Kind::Charm && self.kind_at(place).await.is_ok() {
            return Err(ErrorCode::Exist.into());
        }
        self.writable(place, false).await
    }

    pub(super) async fn remove_file(&mut self, place: &Place) -> FsResult<()> {
        if place.kind != Kind::Charm {
            let at = self.writable(place, false).await?;
            return self
                .filesystem()
                .unlink_file_at(at.directory(), at.rest)
                .await;
        }
        match self.kind_at(place).await? {
            DescriptorType::Directory => return Err(ErrorCode::IsDirectory.into()),
            _ => self.mark_removed(place).await?,
        }
        match self.over(place).await? {
            Some(at) => {
                let directory = at.directory();
                self.filesystem().unlink_file_at(directory, at.rest).await
            }
            None => Ok(()),
        }
    }

    pub(super) async fn remove_directory(&mut self, path: &str, place: &Place) -> FsResult<()> {
        if place.kind != Kind::Charm {
            let at = self.writable(place, false).await?;
            return self
                .filesystem()
                .remove_directory_at(at.directory(), at.rest)
                .await;
        }
        self.must_be_empty(path, place).await?;
        self.mark_removed(place).await?;
        match self.over(place).await? {
            Some(at) => {
                let directory = at.directory();
                self.filesystem()
                    .remove_directory_at(directory, at.rest)
                    .await
            }
            None => Ok(()),
        }
    }

    async fn must_be_empty(&mut self, path: &str, place: &Place) -> FsResult<()> {
        match self.kind_at(place).await? {
            DescriptorType::Directory if self.list(path, place).await?.is_empty() => Ok(()),
            DescriptorType::Directory => Err(ErrorCode::NotEmpty.into()),
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Hides what the charm has at a place, if it has something.
    async fn mark_removed(&mut self, place: &Place) -> FsResult<()> {
        if place.is_hidden() || place.is_protected() {
            return Err(ErrorCode::NotPermitted.into());
        }
        if place.kind == Kind::Charm && self.below(place).await?.is_some() {
            let marked = self.files.removed.add(&place.rest);
            marked.map_err(ErrorCode::from)?;
        }
        Ok(())
    }

    /// Where something is that is to be moved. A directory that the charm came
    /// with is not: that would be a copy of everything in it, which the guest
    /// makes itself when it is told that it crosses devices.
    pub(super) async fn movable(&mut self, place: &Place) -> FsResult<At> {
        if place.kind == Kind::Charm && !place.is_hidden() && !place.is_protected() {
            self.kind_at(place).await?;
            if let Some((_, DescriptorType::Directory)) = self.below(place).await? {
                return Err(ErrorCode::CrossDevice.into());
            }
        }
        self.writable(place, true).await
    }

    /// Moves what is at a place to another, over what may be there.
    pub(super) async fn rename(
        &mut self,
        from: At,
        source: &Place,
        path: &str,
        target: &Place,
    ) -> FsResult<()> {
        if source == target {
            return Ok(());
        }
        let is_directory =
            self.stat_of(&from, PathFlags::empty()).await?.type_ == DescriptorType::Directory;
        if target.kind == Kind::Charm {
            match (is_directory, self.kind_at(target).await) {
                (_, Err(_)) => {}
                (true, Ok(_)) => {
                    self.must_be_empty(path, target).await?;
                    // What comes is not to be mixed with what the charm has.
                    self.mark_removed(target).await?;
                }
                (false, Ok(DescriptorType::Directory)) => {
                    return Err(ErrorCode::IsDirectory.into());
                }
                (false, Ok(_)) => {}
            }
        }
        let to = self.writable(target, false).await?;
        let (from_root, to_root) = (from.directory(), to.directory());
        self.filesystem()
            .rename_at(from_root, from.rest, to_root, to.rest)
            .await?;
        self.mark_removed(source).await
    }
}
