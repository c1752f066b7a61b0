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

use super::changes::Opening;
use super::tree::{Kind, Place};
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
        // What is to be new is not looked for behind a link.
        let last = match how.contains(OpenFlags::EXCLUSIVE) {
            true => PathFlags::empty(),
            false => path_flags,
        };
        let (full, place) = self.locate(&directory, &path, last).await?;
        let opening = Opening { last, how, flags };
        let opened = self.open_place(&full, &place, opening).await;
        let wish = match opening.changes() {
            true => Wish::Write,
            false => Wish::Read,
        };
        let handle = opened.map_err(|error| self.refused(&full, &place, wish, error))?;
        if let Descriptor::Dir(_) = self.table.get(&handle).map_err(FsError::trap)? {
            self.files.directories.insert(handle.rep(), full);
        }
        Ok(handle)
    }

    async fn stat_at(
        &mut self,
        directory: Handle,
        last: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let (full, place) = self.locate(&directory, &path, last).await?;
        let found = match self.existing(&full, &place).await {
            Ok(at) => self.stat_of(&at, last).await,
            Err(error) => Err(error),
        };
        found.map_err(|error| self.refused(&full, &place, Wish::Read, error))
    }

    async fn metadata_hash_at(
        &mut self,
        directory: Handle,
        last: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let (full, place) = self.locate(&directory, &path, last).await?;
        let found = match self.existing(&full, &place).await {
            Ok(at) => self.hash_of(&at, last).await,
            Err(error) => Err(error),
        };
        let found = found.map_err(|error| self.refused(&full, &place, Wish::Read, error))?;
        match self.files.tree.names_in(&full).is_empty() {
            true => Ok(found),
            // Different directories must not look like one.
            false => {
                let lower = found.lower ^ u64::try_from(full.len()).unwrap_or_default();
                Ok(MetadataHashValue { lower, ..found })
            }
        }
    }

    async fn readlink_at(&mut self, directory: Handle, path: String) -> FsResult<String> {
        let (full, place) = self.locate(&directory, &path, PathFlags::empty()).await?;
        let found = match self.readable(&place).await {
            Ok(at) => self.filesystem().readlink_at(at.directory(), at.rest).await,
            Err(error) => Err(error),
        };
        found.map_err(|error| self.refused(&full, &place, Wish::Read, error))
    }

    async fn read_directory(&mut self, handle: Handle) -> FsResult<Resource<DirectoryEntryStream>> {
        let (path, place) = self.locate(&handle, ".", PathFlags::empty()).await?;
        let entries = self.list(&path, &place).await?;
        let stream = self.filesystem().read_directory(handle).await?;
        self.files.listings.insert(stream.rep(), entries.into());
        Ok(stream)
    }

    async fn create_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let (full, place) = self.locate(&directory, &path, PathFlags::empty()).await?;
        let made = self.make_directory(&full, &place).await;
        made.map_err(|error| self.refused(&full, &place, Wish::Write, error))
    }

    async fn set_times_at(
        &mut self,
        directory: Handle,
        last: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let (full, place) = self.locate(&directory, &path, last).await?;
        let set = self.put_times(&place, last, access, modification).await;
        set.map_err(|error| self.refused(&full, &place, Wish::Write, error))
    }

    async fn remove_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let (full, place) = self.locate(&directory, &path, PathFlags::empty()).await?;
        let removed = self.remove_directory(&full, &place).await;
        removed.map_err(|error| self.refused(&full, &place, Wish::Write, error))
    }

    async fn unlink_file_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let (full, place) = self.locate(&directory, &path, PathFlags::empty()).await?;
        let removed = self.remove_file(&place).await;
        removed.map_err(|error| self.refused(&full, &place, Wish::Write, error))
    }

    async fn symlink_at(
        &mut self,
        directory: Handle,
        target: String,
        path: String,
    ) -> FsResult<()> {
        let (full, place) = self.locate(&directory, &path, PathFlags::empty()).await?;
        let linked = self.make_symlink(&target, &place).await;
        linked.map_err(|error| self.refused(&full, &place, Wish::Write, error))
    }

    async fn rename_at(
        &mut self,
        old_directory: Handle,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        let (from, source) = self
            .locate(&old_directory, &old, PathFlags::empty())
            .await?;
        let (to, target) = self
            .locate(&new_directory, &new, PathFlags::empty())
            .await?;
        let ready = self.movable(&source).await;
        let from = ready.map_err(|error| self.refused(&from, &source, Wish::Write, error))?;
        let renamed = self.rename(from, &source, &to, &target).await;
        renamed.map_err(|error| self.refused(&to, &target, Wish::Write, error))
    }

    async fn link_at(
        &mut self,
        old_directory: Handle,
        last: PathFlags,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        let (from, source) = self.locate(&old_directory, &old, last).await?;
        let (to, target) = self
            .locate(&new_directory, &new, PathFlags::empty())
            .await?;
        let ready = self.movable(&source).await;
        let from = ready.map_err(|error| self.refused(&from, &source, Wish::Write, error))?;
        let linked = self.make_link(from, last, &target).await;
        linked.map_err(|error| self.refused(&to, &target, Wish::Write, error))
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
