//! Operations on resolved paths.
//!
//! Each operation gets an open parent directory and one name in it, so that the
//! kernel resolves no path and follows no link.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags,
};

use super::Files;
use super::errors::code;
use super::handles::{Open, OpenDirectory, OpenFile};
use super::protected::Zone;
use super::roots::{id_of, kernel_file_system};
use super::walk::{Directory, Located, MAX_PATH, Node, Spot, read_link};
use crate::disk::ENTRY;

/// Opening a terminal or a pipe by mistake must not block.
const OPEN: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

type Result<T> = std::result::Result<T, ErrorCode>;

/// Whether opening with these flags may change the file or its directory.
pub(super) fn changes(how: OpenFlags, flags: DescriptorFlags) -> bool {
    let makes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    makes || flags.contains(DescriptorFlags::WRITE)
}

/// An error unless the guest may change entries of a zone.
fn may_change(zone: Zone) -> Result<()> {
    match zone {
        Zone::Writable => Ok(()),
        Zone::ReadOnly => Err(ErrorCode::ReadOnly),
        Zone::Protected => Err(ErrorCode::NotPermitted),
    }
}

/// The entry at a path, for operations that a directory above a root must not
/// undergo.
fn entry(located: &Located) -> Result<(&Directory, &str)> {
    match &located.spot {
        Spot::Entry { parent, name } => Ok((parent, name)),
        Spot::Fixed(_) => Err(ErrorCode::Busy),
    }
}

fn stat_of(parent: &Directory, name: &str) -> Result<Stat> {
    fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(code)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn is_directory(stat: &Stat) -> bool {
    kind(stat) == FileType::Directory
}

/// The entry to be created at a path.
fn new_entry(located: &Located) -> Result<(&Directory, &str)> {
    let Spot::Entry { parent, name } = &located.spot else {
        return Err(ErrorCode::Exist);
    };
    match stat_of(parent, name) {
        Ok(_) => Err(ErrorCode::Exist),
        Err(ErrorCode::NoEntry) if located.path.len() >= MAX_PATH => Err(ErrorCode::NameTooLong),
        Err(ErrorCode::NoEntry) => {
            may_change(parent.zone_of(name))?;
            Ok((parent, name))
        }
        Err(error) => Err(error),
    }
}

impl Files {
    pub(super) fn open(
        &self,
        located: Located,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Open> {
        if how.contains(OpenFlags::CREATE) && located.has_slash {
            return Err(ErrorCode::IsDirectory);
        }
        let has_to_be_directory = how.contains(OpenFlags::DIRECTORY) || located.has_slash;
        match &located.spot {
            Spot::Fixed(node) => {
                if how.contains(OpenFlags::EXCLUSIVE) {
                    return Err(ErrorCode::Exist);
                }
                self.open_fixed(node.clone(), &located.path, has_to_be_directory, how, flags)
            }
            Spot::Entry { parent, name } => match stat_of(parent, name) {
                Ok(_) if how.contains(OpenFlags::EXCLUSIVE) => Err(ErrorCode::Exist),
                Ok(stat) if is_directory(&stat) => {
                    if changes(how, flags) {
                        return Err(ErrorCode::IsDirectory);
                    }
                    let device = id_of(&stat).0;
                    let fd = open_directory(&parent.fd, name, flags)?;
                    if device != parent.device && kernel_file_system(&fd).is_some() {
                        return Err(ErrorCode::NotPermitted);
                    }
                    Ok(Open::Directory(OpenDirectory {
                        node: Node::Directory(Directory {
                            fd: Arc::new(fd),
                            root: parent.root,
                            zone: parent.zone_of(name),
                            is_charm: false,
                            device,
                        }),
                        path: located.path,
                    }))
                }
                Ok(_) if has_to_be_directory => Err(ErrorCode::NotDirectory),
                Ok(stat) => self.open_file(parent, name, &stat, how, flags),
                Err(ErrorCode::NoEntry) if how.contains(OpenFlags::CREATE) => {
                    self.create(parent, name, flags)
                }
                Err(error) => Err(error),
            },
        }
    }

    fn open_fixed(
        &self,
        node: Node,
        path: &str,
        has_to_be_directory: bool,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Open> {
        match node {
            Node::File(_) if has_to_be_directory => Err(ErrorCode::NotDirectory),
            Node::File(_)
                if how.contains(OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE) =>
            {
                Err(ErrorCode::ReadOnly)
            }
            Node::File(fd) => {
                let fd = fd
                    .try_clone()
                    .map_err(|error| super::errors::code_of(&error))?;
                opened(fd, flags)
            }
            _ if changes(how, flags) => Err(ErrorCode::IsDirectory),
            node => Ok(Open::Directory(OpenDirectory {
                path: path.to_owned(),
                node,
            })),
        }
    }

    fn open_file(
        &self,
        parent: &Directory,
        name: &str,
        stat: &Stat,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Open> {
        match kind(stat) {
            FileType::RegularFile => {}
            FileType::Symlink => return Err(ErrorCode::Loop),
            // Guests have no access to devices, pipes and sockets.
            _ => return Err(ErrorCode::NotPermitted),
        }
        let truncates = how.contains(OpenFlags::TRUNCATE);
        if truncates || flags.contains(DescriptorFlags::WRITE) {
            may_change(parent.zone_of(name))?;
        }
        let fd = fs::openat(&parent.fd, name, access(flags) | OPEN, Mode::empty());
        let open = opened(fd.map_err(code)?, flags)?;
        if let (true, Open::File(open)) = (truncates, &open) {
            // Not by a flag, so that freed bytes are counted. A file that is
            // opened for reading only is truncated as well.
            match flags.contains(DescriptorFlags::WRITE) {
                true => self.truncate(&open.file)?,
                false => {
                    let fd = fs::openat(&parent.fd, name, OFlags::WRONLY | OPEN, Mode::empty());
                    self.truncate(&File::from(fd.map_err(code)?))?;
                }
            }
        }
        Ok(open)
    }

    fn truncate(&self, file: &File) -> Result<()> {
        super::streams::resize(file, 0, &self.quota).map_err(|error| super::errors::code_of(&error))
    }

    fn create(&self, parent: &Directory, name: &str, flags: DescriptorFlags) -> Result<Open> {
        may_change(parent.zone_of(name))?;
        let mode = Mode::from_raw_mode(0o666);
        let flags_to_make = access(flags) | OPEN | OFlags::CREATE | OFlags::EXCL;
        let fd = self.adding(|| fs::openat(&parent.fd, name, flags_to_make, mode).map_err(code))?;
        opened(fd, flags)
    }

    /// Counts a new entry of a directory against the quota.
    fn adding<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        self.quota.take(ENTRY).map_err(|_| ErrorCode::Quota)?;
        let made = make();
        if made.is_err() {
            self.quota.give_back(ENTRY);
        }
        made
    }

    pub(super) fn make_directory(&self, located: &Located) -> Result<()> {
        let (parent, name) = new_entry(located)?;
        let mode = Mode::from_raw_mode(0o777);
        self.adding(|| fs::mkdirat(&parent.fd, name, mode).map_err(code))
    }

    pub(super) fn make_link_to(&self, target: &str, located: &Located) -> Result<()> {
        if target.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        if target.len() >= MAX_PATH {
            return Err(ErrorCode::NameTooLong);
        }
        let (parent, name) = new_entry(located)?;
        if located.has_slash {
            return Err(ErrorCode::NoEntry);
        }
        self.adding(|| fs::symlinkat(target, &parent.fd, name).map_err(code))
    }

    /// Adds a name to a file. Only a writable file can get one: else a name in a
    /// writable directory would make a read-only file writable.
    pub(super) fn link(&self, from: &Located, to: &Located) -> Result<()> {
        let (parent, name) = entry(from).map_err(|_| ErrorCode::NotPermitted)?;
        let stat = stat_of(parent, name)?;
        if from.has_slash {
            return Err(ErrorCode::NotDirectory);
        }
        let (to_parent, to_name) = new_entry(to)?;
        if is_directory(&stat) {
            return Err(ErrorCode::NotPermitted);
        }
        may_change(parent.zone_of(name))?;
        if to.has_slash {
            return Err(ErrorCode::NoEntry);
        }
        if parent.root != to_parent.root {
            return Err(ErrorCode::CrossDevice);
        }
        let flags = AtFlags::empty();
        self.adding(|| fs::linkat(&parent.fd, name, &to_parent.fd, to_name, flags).map_err(code))
    }

    pub(super) fn remove_directory(&self, located: &Located) -> Result<()> {
        let (parent, name) = entry(located)?;
        let changeable = may_change(parent.zone_of(name));
        // Elsewhere the kernel rejects entries that are not directories, after it
        // has checked the right to remove anything at all.
        if changeable.is_err() && !is_directory(&stat_of(parent, name)?) {
            return Err(ErrorCode::NotDirectory);
        }
        changeable?;
        fs::unlinkat(&parent.fd, name, AtFlags::REMOVEDIR).map_err(code)?;
        self.quota.give_back(ENTRY);
        Ok(())
    }

    pub(super) fn remove_file(&self, located: &Located) -> Result<()> {
        let (parent, name) = entry(located)?;
        let stat = stat_of(parent, name)?;
        let changeable = may_change(parent.zone_of(name));
        if is_directory(&stat) && (located.has_slash || changeable.is_err()) {
            return Err(ErrorCode::IsDirectory);
        }
        if located.has_slash {
            return Err(ErrorCode::NotDirectory);
        }
        changeable?;
        fs::unlinkat(&parent.fd, name, AtFlags::empty()).map_err(code)?;
        self.quota.give_back(self.freed(&stat));
        Ok(())
    }

    /// Disk space that is freed when a name of a file is removed: that of the
    /// entry, and that of the file unless it is open or has other names.
    fn freed(&self, stat: &Stat) -> u64 {
        let is_whole = kind(stat) == FileType::RegularFile
            && stat.st_nlink == 1
            && !self.handles.has_file(id_of(stat));
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        match is_whole {
            true => size.saturating_add(ENTRY),
            false => ENTRY,
        }
    }

    pub(super) fn rename(&mut self, from: &Located, to: &Located) -> Result<()> {
        let (parent, name) = entry(from)?;
        let stat = stat_of(parent, name)?;
        let (to_parent, to_name) = entry(to)?;
        if (from.has_slash || to.has_slash) && !is_directory(&stat) {
            return Err(ErrorCode::NotDirectory);
        }
        may_change(parent.zone_of(name))?;
        may_change(to_parent.zone_of(to_name))?;
        if parent.root != to_parent.root {
            return Err(ErrorCode::CrossDevice);
        }
        let replaced = stat_of(to_parent, to_name).ok();
        fs::renameat(&parent.fd, name, &to_parent.fd, to_name).map_err(code)?;
        if let Some(replaced) = replaced.filter(|other| id_of(other) != id_of(&stat)) {
            self.quota.give_back(self.freed(&replaced));
        }
        if is_directory(&stat) {
            self.handles.rename(&from.path, &to.path);
        }
        Ok(())
    }

    pub(super) fn read_link(&self, located: &Located) -> Result<String> {
        match &located.spot {
            Spot::Entry { parent, name } => {
                if located.has_slash {
                    return Err(ErrorCode::Invalid);
                }
                read_link(parent, name)
            }
            Spot::Fixed(_) => Err(ErrorCode::Invalid),
        }
    }

    /// The attributes at a path; none for a directory that only leads to a root.
    pub(super) fn stat_at(&self, located: &Located) -> Result<Option<Stat>> {
        match &located.spot {
            Spot::Entry { parent, name } => {
                let stat = stat_of(parent, name)?;
                match located.has_slash && !is_directory(&stat) {
                    true => Err(ErrorCode::NotDirectory),
                    false => Ok(Some(stat)),
                }
            }
            Spot::Fixed(Node::File(_)) if located.has_slash => Err(ErrorCode::NotDirectory),
            Spot::Fixed(node) => stat_of_node(node),
        }
    }

    pub(super) fn set_times_at(
        &self,
        located: &Located,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> Result<()> {
        let times = times(access, modification)?;
        match &located.spot {
            Spot::Entry { parent, name } => {
                let stat = stat_of(parent, name)?;
                if located.has_slash && !is_directory(&stat) {
                    return Err(ErrorCode::NotDirectory);
                }
                may_change(parent.zone_of(name))?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                fs::utimensat(&parent.fd, name, &times, flags).map_err(code)
            }
            Spot::Fixed(Node::Directory(directory)) => {
                may_change(directory.zone)?;
                fs::utimensat(&directory.fd, ".", &times, AtFlags::empty()).map_err(code)
            }
            Spot::Fixed(_) => Err(ErrorCode::ReadOnly),
        }
    }
}

/// The attributes of a directory or a granted file; none for a directory that
/// only leads to a root.
pub(super) fn stat_of_node(node: &Node) -> Result<Option<Stat>> {
    match node {
        Node::Directory(directory) => Ok(Some(fs::fstat(&directory.fd).map_err(code)?)),
        Node::File(fd) => Ok(Some(fs::fstat(fd).map_err(code)?)),
        Node::Virtual => Ok(None),
    }
}

/// Converts times of WASI for the system.
pub(super) fn times(access: NewTimestamp, modification: NewTimestamp) -> Result<fs::Timestamps> {
    let time = |time| match time {
        NewTimestamp::NoChange => Ok((0, fs::UTIME_OMIT)),
        NewTimestamp::Now => Ok((0, fs::UTIME_NOW)),
        NewTimestamp::Timestamp(time) if time.nanoseconds < 1_000_000_000 => {
            let seconds = i64::try_from(time.seconds).map_err(|_| ErrorCode::Overflow)?;
            Ok((seconds, time.nanoseconds.into()))
        }
        NewTimestamp::Timestamp(_) => Err(ErrorCode::Invalid),
    };
    let spec = |(tv_sec, tv_nsec)| fs::Timespec { tv_sec, tv_nsec };
    Ok(fs::Timestamps {
        last_access: spec(time(access)?),
        last_modification: spec(time(modification)?),
    })
}

fn access(flags: DescriptorFlags) -> OFlags {
    let mut access = match (
        flags.contains(DescriptorFlags::READ),
        flags.contains(DescriptorFlags::WRITE),
    ) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    };
    if flags.contains(DescriptorFlags::FILE_INTEGRITY_SYNC) {
        access |= OFlags::SYNC;
    }
    if flags.contains(DescriptorFlags::DATA_INTEGRITY_SYNC) {
        access |= OFlags::DSYNC;
    }
    access
}

/// Opens a directory; with the right to list it if it is opened for reading.
fn open_directory(parent: impl AsFd, name: &str, flags: DescriptorFlags) -> Result<OwnedFd> {
    let access = match flags.contains(DescriptorFlags::READ) {
        true => OFlags::RDONLY,
        false => OFlags::PATH,
    };
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, name, flags, Mode::empty()).map_err(code)
}

/// Checks that an opened entry is still a file: another process may have replaced
/// it.
fn opened(fd: OwnedFd, flags: DescriptorFlags) -> Result<Open> {
    let stat = fs::fstat(&fd).map_err(code)?;
    if kind(&stat) != FileType::RegularFile {
        return Err(ErrorCode::NotPermitted);
    }
    Ok(Open::File(OpenFile {
        id: id_of(&stat),
        file: Arc::new(File::from(fd)),
        reads: flags.contains(DescriptorFlags::READ) || !flags.contains(DescriptorFlags::WRITE),
        writes: flags.contains(DescriptorFlags::WRITE),
    }))
}
