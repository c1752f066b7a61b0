//! `wasi:filesystem`, over the places of a guest's tree.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::tree::{Kind, Place, join};
use crate::state::State;

type Handle = Resource<Descriptor>;

impl preopens::Host for State {
    /// One directory, `/`, in which everything is.
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Handle, String)>> {
        let place = self.files.tree.find("/");
        let root = std::fs::File::open(&place.host)?;
        let directory = wasmtime_wasi::filesystem::Dir::new(
            root,
            wasmtime_wasi::FsPerms::ReadOnly,
            wasmtime_wasi::OpenMode::READ,
            true,
        );
        let handle = self.table.push(Descriptor::Dir(directory))?;
        self.files.directories.insert(handle.rep(), "/".to_owned());
        Ok(vec![(handle, "/".to_owned())])
    }
}

impl Host for State {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.filesystem().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.filesystem().filesystem_error_code(error)
    }
}

/// Whether a guest wants to change what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Read,
    Write,
}

impl State {
    /// The path in the guest's tree, and where it leads.
    fn place(&mut self, directory: &Handle, path: &str) -> FsResult<(String, Place)> {
        let Some(parent) = self.files.directories.get(&directory.rep()) else {
            return Err(ErrorCode::NotDirectory.into());
        };
        let path = join(parent, path);
        let mut place = self.files.tree.find(&path);
        if place.is_guess && self.find_storage() {
            place = self.files.tree.find(&path);
        }
        Ok((path, place))
    }

    /// Notes what was refused, if there is something that could be granted;
    /// gives the error on.
    fn refused(&mut self, path: &str, place: &Place, wish: Wish, error: FsError) -> FsError {
        let is_refusal = match error.downcast_ref() {
            Some(ErrorCode::NotPermitted | ErrorCode::ReadOnly) => true,
            Some(ErrorCode::NoEntry) => place.is_guess,
            _ => false,
        };
        if !is_refusal || place.kind == Kind::Write {
            return error;
        }
        let on_machine = std::path::Path::new(path);
        let quoted = |key: &str, path: &std::path::Path| format!("{key} = [{path:?}]");
        match (wish, place.kind, place.is_guess) {
            (Wish::Write, Kind::Charm, false) => {
                self.files
                    .denials
                    .add(&format!("changing {path} of the charm"), None);
            }
            // The guest does not learn what is on the machine, the log does.
            (Wish::Read, _, true) if on_machine.exists() => {
                let what = format!("reading {path}");
                let grant = quoted("read", on_machine);
                self.files.denials.add(&what, Some(&grant));
            }
            (Wish::Write, _, _) => {
                let directory = on_machine.parent().unwrap_or(on_machine);
                if directory.exists() {
                    let grant = quoted("write", directory);
                    self.files
                        .denials
                        .add(&format!("writing {path}"), Some(&grant));
                }
            }
            _ => {}
        }
        error
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

/// A function that reads: finds the place, and does there what `wasi:filesystem`
/// does.
macro_rules! reading {
    ($self:ident, $directory:ident, $path:ident, |$at:ident| $call:expr) => {{
        let (path, place) = $self.place(&$directory, &$path)?;
        let done = match $self.readable(&place).await {
            Ok($at) => $call,
            Err(error) => Err(error),
        };
        done.map_err(|error| $self.refused(&path, &place, Wish::Read, error))
    }};
}

/// The same for one that writes; `$copy` says whether the content counts of
/// what is there.
macro_rules! writing {
    ($self:ident, $directory:ident, $path:ident, $copy:expr, |$at:ident| $call:expr) => {{
        let (path, place) = $self.place(&$directory, &$path)?;
        let done = match $self.writable(&place, $copy).await {
            Ok($at) => $call,
            Err(error) => Err(error),
        };
        done.map_err(|error| $self.refused(&path, &place, Wish::Write, error))
    }};
}

impl HostDescriptor for State {
    async fn open_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        let (full, place) = self.place(&directory, &path)?;
        let changes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || flags.contains(DescriptorFlags::WRITE);
        let has_names = !self.files.tree.names_in(&full).is_empty();
        // A directory is opened to look into it; what is done in it is checked
        // when it is done.
        let plain = flags & DescriptorFlags::READ;
        let opened = self
            .open_place(&place, path_flags, how, flags, plain, changes)
            .await;
        let opened = match opened {
            // Only a part of the way to a place.
            Err(_) if has_names => {
                let root = self.files.tree.find("/");
                let at = self.readable(&root).await?;
                self.open(&at, PathFlags::empty(), OpenFlags::DIRECTORY, plain)
                    .await
            }
            opened => opened,
        };
        let wish = if changes { Wish::Write } else { Wish::Read };
        let handle = opened.map_err(|error| self.refused(&full, &place, wish, error))?;
        if let Descriptor::Dir(_) = self.table.get(&handle).map_err(FsError::trap)? {
            self.files.directories.insert(handle.rep(), full);
        }
        Ok(handle)
    }

    async fn stat_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let full = self.place(&directory, &path)?.0;
        let found = reading!(self, directory, path, |at| {
            self.stat_of(&at, path_flags).await
        });
        match found {
            Err(_) if !self.files.tree.names_in(&full).is_empty() => {
                let root = self.files.tree.find("/");
                let at = self.readable(&root).await?;
                self.stat_of(&at, path_flags).await
            }
            found => found,
        }
    }

    async fn metadata_hash_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let full = self.place(&directory, &path)?.0;
        let found = reading!(self, directory, path, |at| {
            self.hash_of(&at, path_flags).await
        });
        match found {
            Err(_) if !self.files.tree.names_in(&full).is_empty() => {
                let root = self.files.tree.find("/");
                let at = self.readable(&root).await?;
                let found = self.hash_of(&at, path_flags).await?;
                // Different directories must not look like one.
                let lower = found.lower ^ u64::try_from(full.len()).unwrap_or_default();
                Ok(MetadataHashValue { lower, ..found })
            }
            found => found,
        }
    }

    async fn readlink_at(&mut self, directory: Handle, path: String) -> FsResult<String> {
        reading!(self, directory, path, |at| {
            self.filesystem().readlink_at(at.directory(), at.rest).await
        })
    }

    async fn read_directory(&mut self, handle: Handle) -> FsResult<Resource<DirectoryEntryStream>> {
        let (path, place) = self.place(&handle, ".")?;
        let entries = self.list(&path, &place).await?;
        let stream = self.filesystem().read_directory(handle).await?;
        self.files.listings.insert(stream.rep(), entries.into());
        Ok(stream)
    }

    async fn create_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let (full, place) = self.place(&directory, &path)?;
        let is_there = match self.readable(&place).await {
            Ok(at) => self.stat_of(&at, PathFlags::empty()).await.is_ok(),
            Err(_) => false,
        };
        if is_there || !self.files.tree.names_in(&full).is_empty() {
            return Err(ErrorCode::Exist.into());
        }
        writing!(self, directory, path, false, |at| {
            self.filesystem()
                .create_directory_at(at.directory(), at.rest)
                .await
        })
    }

    async fn set_times_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        writing!(self, directory, path, true, |at| {
            let mut filesystem = self.filesystem();
            let (root, rest) = (at.directory(), at.rest);
            filesystem
                .set_times_at(root, path_flags, rest, access, modification)
                .await
        })
    }

    async fn remove_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.only_written(&directory, &path).await?;
        writing!(self, directory, path, false, |at| {
            self.filesystem()
                .remove_directory_at(at.directory(), at.rest)
                .await
        })
    }

    async fn unlink_file_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        self.only_written(&directory, &path).await?;
        writing!(self, directory, path, false, |at| {
            self.filesystem()
                .unlink_file_at(at.directory(), at.rest)
                .await
        })
    }

    async fn symlink_at(
        &mut self,
        directory: Handle,
        target: String,
        path: String,
    ) -> FsResult<()> {
        writing!(self, directory, path, false, |at| {
            self.filesystem()
                .symlink_at(at.directory(), target, at.rest)
                .await
        })
    }

    async fn rename_at(
        &mut self,
        old_directory: Handle,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        self.only_written(&old_directory, &old).await?;
        let place = self.place(&old_directory, &old)?.1;
        let from = self.writable(&place, false).await?;
        writing!(self, new_directory, new, false, |to| {
            let mut filesystem = self.filesystem();
            let (from_root, to_root) = (from.directory(), to.directory());
            filesystem
                .rename_at(from_root, from.rest, to_root, to.rest)
                .await
        })
    }

    async fn link_at(
        &mut self,
        old_directory: Handle,
        old_flags: PathFlags,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        self.only_written(&old_directory, &old).await?;
        let place = self.place(&old_directory, &old)?.1;
        let from = self.writable(&place, false).await?;
        writing!(self, new_directory, new, false, |to| {
            let mut filesystem = self.filesystem();
            let (from_root, to_root) = (from.directory(), to.directory());
            let linked = filesystem.link_at(from_root, old_flags, from.rest, to_root, to.rest);
            linked.await
        })
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.files.directories.remove(&handle.rep());
        HostDescriptor::drop(&mut self.filesystem(), handle)
    }

    // What follows is about what is open already.

    async fn advise(&mut self, f: Handle, o: Filesize, l: Filesize, a: Advice) -> FsResult<()> {
        self.filesystem().advise(f, o, l, a).await
    }

    async fn sync_data(&mut self, file: Handle) -> FsResult<()> {
        self.filesystem().sync_data(file).await
    }

    async fn get_flags(&mut self, file: Handle) -> FsResult<DescriptorFlags> {
        self.filesystem().get_flags(file).await
    }

    async fn get_type(&mut self, file: Handle) -> FsResult<DescriptorType> {
        self.filesystem().get_type(file).await
    }

    async fn set_size(&mut self, file: Handle, size: Filesize) -> FsResult<()> {
        self.filesystem().set_size(file, size).await
    }

    async fn set_times(
        &mut self,
        file: Handle,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        self.filesystem()
            .set_times(file, access, modification)
            .await
    }

    async fn read(&mut self, f: Handle, l: Filesize, o: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.filesystem().read(f, l, o).await
    }

    async fn write(&mut self, file: Handle, bytes: Vec<u8>, at: Filesize) -> FsResult<Filesize> {
        self.filesystem().write(file, bytes, at).await
    }

    async fn sync(&mut self, file: Handle) -> FsResult<()> {
        self.filesystem().sync(file).await
    }

    async fn stat(&mut self, file: Handle) -> FsResult<DescriptorStat> {
        self.filesystem().stat(file).await
    }

    fn read_via_stream(&mut self, f: Handle, o: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.filesystem().read_via_stream(f, o)
    }

    fn write_via_stream(&mut self, f: Handle, o: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.filesystem().write_via_stream(f, o)
    }

    fn append_via_stream(&mut self, file: Handle) -> FsResult<Resource<DynOutputStream>> {
        self.filesystem().append_via_stream(file)
    }

    async fn is_same_object(&mut self, a: Handle, b: Handle) -> wasmtime::Result<bool> {
        self.filesystem().is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, file: Handle) -> FsResult<MetadataHashValue> {
        self.filesystem().metadata_hash(file).await
    }
}

impl State {
    /// Opens what is at a place, to read it or to write it.
    async fn open_place(
        &mut self,
        place: &Place,
        path_flags: PathFlags,
        how: OpenFlags,
        flags: DescriptorFlags,
        plain: DescriptorFlags,
        changes: bool,
    ) -> FsResult<Handle> {
        if how.contains(OpenFlags::DIRECTORY) || !changes {
            let at = self.readable(place).await?;
            return self.open(&at, path_flags, how, plain).await;
        }
        if how.contains(OpenFlags::EXCLUSIVE) {
            let at = self.readable(place).await;
            if let Ok(at) = at
                && self.stat_of(&at, PathFlags::empty()).await.is_ok()
            {
                return Err(ErrorCode::Exist.into());
            }
        }
        let copy = !how.contains(OpenFlags::TRUNCATE);
        let at = self.writable(place, copy).await?;
        self.open(&at, path_flags, how, flags).await
    }

    /// Refuses to remove or move what the charm was packed with.
    async fn only_written(&mut self, directory: &Handle, path: &str) -> FsResult<()> {
        let (full, place) = self.place(directory, path)?;
        let is_below = place.kind == Kind::Charm && !place.is_hidden() && {
            let at = self.readable(&place).await?;
            let lower = self.root_of(&place)?;
            at.directory().rep() == lower
        };
        if !is_below {
            return Ok(());
        }
        let at = self.readable(&place).await?;
        let error = match self.stat_of(&at, PathFlags::empty()).await {
            Ok(_) => ErrorCode::NotPermitted.into(),
            Err(error) => error,
        };
        Err(self.refused(&full, &place, Wish::Write, error))
    }
}

impl HostDirectoryEntryStream for State {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        match self.files.listings.get_mut(&stream.rep()) {
            Some(listing) => Ok(listing.pop_front()),
            None => self.filesystem().read_directory_entry(stream).await,
        }
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.files.listings.remove(&stream.rep());
        HostDirectoryEntryStream::drop(&mut self.filesystem(), stream)
    }
}
