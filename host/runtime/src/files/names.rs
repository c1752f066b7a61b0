//! What a guest's paths name: links are followed over all that it sees, so that
//! what it wrote may lead to what the charm came with, and the other way.

use std::collections::VecDeque;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorType, ErrorCode, HostDescriptor, PathFlags,
};

use super::tree::{Kind, Place};
use crate::state::State;

/// How many links a path may lead through, as in Linux.
const MAX_LINKS: usize = 40;

impl State {
    /// The path in the guest's tree, and where it leads; without the links in
    /// the charm's directory, but for the last unless that is to be followed.
    /// Elsewhere links are the business of `wasi:filesystem`.
    pub(super) async fn locate(
        &mut self,
        directory: &Resource<Descriptor>,
        path: &str,
        last: PathFlags,
    ) -> FsResult<(String, Place)> {
        let Some(parent) = self.files.directories.get(&directory.rep()) else {
            return Err(ErrorCode::NotDirectory.into());
        };
        let parts = |path: &str| -> Vec<String> { path.split('/').map(str::to_owned).collect() };
        let mut done = parent.trim_end_matches('/').to_owned();
        let mut rest: VecDeque<String> = parts(path).into();
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    let parent = done.rfind('/').unwrap_or_default();
                    done.truncate(parent);
                    continue;
                }
                _ => {}
            }
            let next = format!("{done}/{part}");
            let is_followed = !rest.is_empty() || last.contains(PathFlags::SYMLINK_FOLLOW);
            match self.link_at(&next, !rest.is_empty()).await? {
                Some(target) if is_followed => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(ErrorCode::Loop.into());
                    }
                    if target.starts_with('/') {
                        done.clear();
                    }
                    for part in parts(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                _ => done = next,
            }
        }
        let path = if done.is_empty() { "/" } else { &done };
        Ok((path.to_owned(), self.place(path)))
    }

    /// Where a path leads.
    fn place(&mut self, path: &str) -> Place {
        let place = self.files.tree.find(path);
        // A charm's metadata can put its storage anywhere, also below `/tmp`.
        let may_be_storage = place.is_guess || place.host == self.files.scratch;
        match may_be_storage && self.find_storage() {
            true => self.files.tree.find(path),
            false => place,
        }
    }

    /// What a link in the charm's directory says, if there is one; if the path
    /// goes on, there must be that or a directory.
    async fn link_at(&mut self, path: &str, goes_on: bool) -> FsResult<Option<String>> {
        let place = self.files.tree.find(path);
        if place.kind != Kind::Charm {
            return Ok(None);
        }
        match self.kind_at(&place).await {
            Ok(DescriptorType::SymbolicLink) => {
                let at = self.readable(&place).await?;
                let (directory, rest) = (at.directory(), at.rest);
                Ok(self.filesystem().readlink_at(directory, rest).await.ok())
            }
            Ok(DescriptorType::Directory) => Ok(None),
            // It may lead to another place further down.
            _ if place.is_guess || !goes_on => Ok(None),
            Ok(_) => Err(ErrorCode::NotDirectory.into()),
            Err(error) => Err(error),
        }
    }

    /// Asks Juju where storage is, once, and only for a charm that has some.
    /// Whether anything new came of it.
    fn find_storage(&mut self) -> bool {
        if self.files.knows_storage || self.charm.metadata.storage.is_empty() {
            return false;
        }
        self.files.knows_storage = true;
        // A charm that cannot be told has no storage to see.
        let locations = self.charm.model.storage_locations().unwrap_or_default();
        for location in &locations {
            self.files.add(std::path::Path::new(location), Kind::Write);
        }
        !locations.is_empty()
    }
}
