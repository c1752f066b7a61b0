//! `wasi:filesystem` on the files of a guest.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;

use charmhost_error_chain::ErrorChain;
use rustix::fs::{self, AtFlags, FileType, Stat};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::errors::{code, code_of};
use super::handles::{Handles, Open, OpenDirectory};
use super::listing::descriptor_type;
use super::ops::{changes, stat_of_node, times};
use super::protected::Zone;
use super::roots::id_of;
use super::streams::{CHUNK, FileInput, FileOutput, Position, resize, write};
use super::walk::{Last, Node, top};
use super::{Access, Files, FilesView};

type Handle = Resource<Descriptor>;

/// Represents a listing in the table of resources.
struct ListingSlot;

/// The attributes of a directory that only leads to roots.
const VIRTUAL: DescriptorStat = DescriptorStat {
    type_: DescriptorType::Directory,
    link_count: 1,
    size: 0,
    data_access_timestamp: None,
    data_modification_timestamp: None,
    status_change_timestamp: None,
};

fn last(flags: PathFlags) -> Last {
    match flags.contains(PathFlags::SYMLINK_FOLLOW) {
        true => Last::Follow,
        false => Last::Keep,
    }
}

fn time(seconds: i64, nanoseconds: u64) -> Option<Datetime> {
    Some(Datetime {
        seconds: u64::try_from(seconds).ok()?,
        nanoseconds: u32::try_from(nanoseconds).ok()?,
    })
}

#[allow(clippy::useless_conversion)] // The width of a field differs between architectures.
fn described(stat: &Stat) -> DescriptorStat {
    let nanoseconds = |nanoseconds| u64::try_from(nanoseconds).unwrap_or_default();
    DescriptorStat {
        type_: descriptor_type(FileType::from_raw_mode(stat.st_mode)),
        link_count: u64::from(stat.st_nlink),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        data_access_timestamp: time(stat.st_atime, nanoseconds(stat.st_atime_nsec)),
        data_modification_timestamp: time(stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
        status_change_timestamp: time(stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
    }
}

/// A number that identifies a file or directory.
fn hash(stat: Option<&Stat>, path: &str) -> MetadataHashValue {
    let mut hasher = DefaultHasher::new();
    match stat {
        Some(stat) => id_of(stat).hash(&mut hasher),
        None => path.hash(&mut hasher),
    }
    let lower = hasher.finish();
    lower.hash(&mut hasher);
    MetadataHashValue {
        lower,
        upper: hasher.finish(),
    }
}

impl Files {
    fn stat_of(&self, handle: &Handle) -> Result<Option<Stat>, ErrorCode> {
        match self.handles.get(handle)? {
            Open::File(open) => Ok(Some(fs::fstat(&open.file).map_err(code)?)),
            Open::Directory(directory) => stat_of_node(&directory.node),
        }
    }
}

impl preopens::Host for FilesView<'_> {
    /// The only preopened directory is `/`.
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Handle, String)>> {
        let node = top(&self.files.roots).map_err(|error| {
            wasmtime::format_err!("cannot open the charm's directory: {}", error.chain())
        })?;
        let root = Open::Directory(OpenDirectory {
            path: String::new(),
            node,
        });
        let handle = self.files.handles.add(self.table, root);
        let handle = handle.map_err(|error| error.downcast().map_or_else(|e| e, Into::into))?;
        Ok(vec![(handle, "/".to_owned())])
    }
}

impl Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<std::io::Error>().map(code_of))
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        let makes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        if how.contains(OpenFlags::DIRECTORY) && how.intersects(makes) {
            return Err(ErrorCode::Invalid.into());
        }
        // A new file is not created through a link.
        let follow = match how.contains(OpenFlags::EXCLUSIVE) {
            true => Last::Keep,
            false => last(path_flags),
        };
        let access = match changes(how, flags) {
            true => Access::Write,
            false => Access::Read,
        };
        let located = self.locate(&directory, &path, follow, access)?;
        let path = located.path.clone();
        match self.files.open(located, how, flags) {
            Ok(open) => self.files.handles.add(self.table, open),
            Err(error) => Err(self.explain(&path, access, error).into()),
        }
    }

    async fn stat_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let located = self.locate(&directory, &path, last(flags), Access::Read)?;
        match self.files.stat_at(&located) {
            Ok(stat) => Ok(stat.as_ref().map_or(VIRTUAL, described)),
            Err(error) => Err(self.explain(&located.path, Access::Read, error).into()),
        }
    }

    async fn metadata_hash_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let located = self.locate(&directory, &path, last(flags), Access::Read)?;
        match self.files.stat_at(&located) {
            Ok(stat) => Ok(hash(stat.as_ref(), &located.path)),
            Err(error) => Err(self.explain(&located.path, Access::Read, error).into()),
        }
    }

    async fn readlink_at(&mut self, directory: Handle, path: String) -> FsResult<String> {
        let located = self.locate(&directory, &path, Last::Keep, Access::Read)?;
        let target = self.files.read_link(&located);
        target.map_err(|error| self.explain(&located.path, Access::Read, error).into())
    }

    async fn read_directory(&mut self, handle: Handle) -> FsResult<Resource<DirectoryEntryStream>> {
        let directory = self.files.handles.directory(&handle)?.clone();
        let listing = self.files.list(&directory)?;
        let slot = self.table.push(ListingSlot).map_err(FsError::trap)?;
        self.files.listings.insert(slot.rep(), listing);
        Ok(Resource::new_own(slot.rep()))
    }

    async fn create_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let located = self.locate(&directory, &path, Last::Entry, Access::Write)?;
        let made = self.files.make_directory(&located);
        made.map_err(|error| self.explain(&located.path, Access::Write, error).into())
    }

    async fn set_times_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let located = self.locate(&directory, &path, last(flags), Access::Write)?;
        let set = self.files.set_times_at(&located, access, modification);
        set.map_err(|error| self.explain(&located.path, Access::Write, error).into())
    }

    async fn remove_directory_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let located = self.locate(&directory, &path, Last::Entry, Access::Write)?;
        let removed = self.files.remove_directory(&located);
        removed.map_err(|error| self.explain(&located.path, Access::Write, error).into())
    }

    async fn unlink_file_at(&mut self, directory: Handle, path: String) -> FsResult<()> {
        let located = self.locate(&directory, &path, Last::Entry, Access::Write)?;
        let removed = self.files.remove_file(&located);
        removed.map_err(|error| self.explain(&located.path, Access::Write, error).into())
    }

    async fn symlink_at(
        &mut self,
        directory: Handle,
        target: String,
        path: String,
    ) -> FsResult<()> {
        let located = self.locate(&directory, &path, Last::Entry, Access::Write)?;
        let made = self.files.make_link_to(&target, &located);
        made.map_err(|error| self.explain(&located.path, Access::Write, error).into())
    }

    async fn rename_at(
        &mut self,
        old_directory: Handle,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        let from = self.locate(&old_directory, &old, Last::Entry, Access::Write)?;
        let to = self.locate(&new_directory, &new, Last::Entry, Access::Write)?;
        let renamed = self.files.rename(&from, &to);
        renamed.map_err(|error| {
            let path = match from.zone() {
                Zone::Writable => &to.path,
                _ => &from.path,
            };
            self.explain(path, Access::Write, error).into()
        })
    }

    async fn link_at(
        &mut self,
        old_directory: Handle,
        flags: PathFlags,
        old: String,
        new_directory: Handle,
        new: String,
    ) -> FsResult<()> {
        let from = self.locate(&old_directory, &old, last(flags), Access::Write)?;
        let to = self.locate(&new_directory, &new, Last::Entry, Access::Write)?;
        let linked = self.files.link(&from, &to);
        linked.map_err(|error| {
            let path = match from.zone() {
                Zone::Writable => &to.path,
                _ => &from.path,
            };
            self.explain(path, Access::Write, error).into()
        })
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.files.handles.remove(self.table, &handle)
    }

    // The following calls act upon open files.

    async fn advise(&mut self, file: Handle, o: Filesize, l: Filesize, a: Advice) -> FsResult<()> {
        let open = self.files.handles.file(&file)?;
        let advice = match a {
            Advice::Normal => fs::Advice::Normal,
            Advice::Sequential => fs::Advice::Sequential,
            Advice::Random => fs::Advice::Random,
            Advice::WillNeed => fs::Advice::WillNeed,
            Advice::DontNeed => fs::Advice::DontNeed,
            Advice::NoReuse => fs::Advice::NoReuse,
        };
        let length = std::num::NonZeroU64::new(l);
        Ok(fs::fadvise(&open.file, o, length, advice).map_err(code)?)
    }

    async fn sync_data(&mut self, handle: Handle) -> FsResult<()> {
        self.sync_all(&handle, |file| file.sync_data())
    }

    async fn sync(&mut self, handle: Handle) -> FsResult<()> {
        self.sync_all(&handle, |file| file.sync_all())
    }

    async fn get_flags(&mut self, handle: Handle) -> FsResult<DescriptorFlags> {
        let flag = |flag, is_set| match is_set {
            true => flag,
            false => DescriptorFlags::empty(),
        };
        Ok(match self.files.handles.get(&handle)? {
            Open::File(open) => {
                flag(DescriptorFlags::READ, open.reads) | flag(DescriptorFlags::WRITE, open.writes)
            }
            Open::Directory(directory) => {
                let writable = matches!(
                    &directory.node,
                    Node::Directory(node) if node.zone == Zone::Writable
                );
                DescriptorFlags::READ | flag(DescriptorFlags::MUTATE_DIRECTORY, writable)
            }
        })
    }

    async fn get_type(&mut self, handle: Handle) -> FsResult<DescriptorType> {
        Ok(match self.files.handles.get(&handle)? {
            Open::File(_) => DescriptorType::RegularFile,
            Open::Directory(_) => DescriptorType::Directory,
        })
    }

    async fn set_size(&mut self, handle: Handle, size: Filesize) -> FsResult<()> {
        let open = self.files.handles.file(&handle)?;
        if !open.writes {
            return Err(ErrorCode::Invalid.into());
        }
        let set = resize(&open.file, size, &self.files.quota);
        Ok(set.map_err(|error| code_of(&error))?)
    }

    async fn set_times(
        &mut self,
        handle: Handle,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let times = times(access, modification)?;
        match self.files.handles.get(&handle)? {
            Open::File(open) if open.writes => Ok(fs::futimens(&open.file, &times).map_err(code)?),
            Open::Directory(OpenDirectory {
                node: Node::Directory(node),
                ..
            }) if node.zone == Zone::Writable => {
                let flags = AtFlags::empty();
                Ok(fs::utimensat(&node.fd, ".", &times, flags).map_err(code)?)
            }
            _ => Err(ErrorCode::NotPermitted.into()),
        }
    }

    async fn read(&mut self, f: Handle, l: Filesize, o: Filesize) -> FsResult<(Vec<u8>, bool)> {
        let open = self.files.handles.file(&f)?;
        if !open.reads {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let length = usize::try_from(l).unwrap_or(CHUNK).min(CHUNK);
        let mut buffer = vec![0; length];
        let count = open.file.read_at(&mut buffer, o).map_err(|e| code_of(&e))?;
        buffer.truncate(count);
        Ok((buffer, count == 0 && length > 0))
    }

    async fn write(&mut self, file: Handle, bytes: Vec<u8>, at: Filesize) -> FsResult<Filesize> {
        let open = self.files.handles.file(&file)?;
        if !open.writes {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let written = write(&open.file, &bytes, Position::At(at), &self.files.quota);
        Ok(written.map_err(|error| code_of(&error))? as Filesize)
    }

    async fn stat(&mut self, handle: Handle) -> FsResult<DescriptorStat> {
        let stat = self.files.stat_of(&handle)?;
        Ok(stat.as_ref().map_or(VIRTUAL, described))
    }

    fn read_via_stream(
        &mut self,
        f: Handle,
        position: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let open = match self.files.handles.get(&f)? {
            Open::File(open) if open.reads => open,
            Open::File(_) => return Err(ErrorCode::BadDescriptor.into()),
            Open::Directory(_) => return Err(ErrorCode::IsDirectory.into()),
        };
        let stream: DynInputStream = Box::new(FileInput {
            file: open.file.clone(),
            position,
        });
        self.table.push(stream).map_err(FsError::trap)
    }

    fn write_via_stream(&mut self, f: Handle, o: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.output(&f, Position::At(o))
    }

    fn append_via_stream(&mut self, file: Handle) -> FsResult<Resource<DynOutputStream>> {
        self.output(&file, Position::End)
    }

    async fn is_same_object(&mut self, a: Handle, b: Handle) -> wasmtime::Result<bool> {
        let stats = (self.files.stat_of(&a), self.files.stat_of(&b));
        Ok(match stats {
            (Ok(Some(a)), Ok(Some(b))) => id_of(&a) == id_of(&b),
            (Ok(None), Ok(None)) => same_path(&self.files.handles, &a, &b),
            _ => false,
        })
    }

    async fn metadata_hash(&mut self, handle: Handle) -> FsResult<MetadataHashValue> {
        let stat = self.files.stat_of(&handle)?;
        let path = match self.files.handles.get(&handle)? {
            Open::Directory(directory) => directory.path.as_str(),
            Open::File(_) => "",
        };
        Ok(hash(stat.as_ref(), path))
    }
}

fn same_path(handles: &Handles, a: &Handle, b: &Handle) -> bool {
    match (handles.directory(a), handles.directory(b)) {
        (Ok(a), Ok(b)) => a.path == b.path,
        _ => false,
    }
}

impl FilesView<'_> {
    fn output(
        &mut self,
        handle: &Handle,
        position: Position,
    ) -> FsResult<Resource<DynOutputStream>> {
        let open = self.files.handles.file(handle)?;
        if !open.writes {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let stream: DynOutputStream = Box::new(FileOutput {
            file: open.file.clone(),
            position,
            quota: self.files.quota.clone(),
        });
        self.table.push(stream).map_err(FsError::trap)
    }

    fn sync_all(
        &mut self,
        handle: &Handle,
        sync: impl Fn(&std::fs::File) -> std::io::Result<()>,
    ) -> FsResult<()> {
        match self.files.handles.get(handle)? {
            Open::File(open) => Ok(sync(&open.file).map_err(|error| code_of(&error))?),
            Open::Directory(OpenDirectory {
                node: Node::Directory(node),
                ..
            }) => {
                let flags = fs::OFlags::RDONLY | fs::OFlags::DIRECTORY | fs::OFlags::CLOEXEC;
                let fd = fs::openat(&node.fd, ".", flags, fs::Mode::empty()).map_err(code)?;
                Ok(sync(&std::fs::File::from(fd)).map_err(|error| code_of(&error))?)
            }
            Open::Directory(_) => Ok(()),
        }
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        Ok(self.files.listings.next(stream.rep()))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.files.listings.remove(stream.rep());
        let slot = Resource::<ListingSlot>::new_own(stream.rep());
        ResourceTable::delete(self.table, slot)?;
        Ok(())
    }
}
