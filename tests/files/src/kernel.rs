//! The steps as the kernel performs them on the reference, in this process's root
//! directory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    self, AtFlags, Dir, FileType, Mode, OFlags, Stat, StatVfsMountFlags, StatxAttributes,
    StatxFlags, Timespec, Timestamps,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use steps::{At, HANDLES, How, Kind, READ_MAX, Step, contents, listed, status};

use crate::scene::{CHARM, Scene, is_hidden};

/// Result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub outcome: steps::Outcome,
    /// Whether a path of it is protected, read-only or a root: such a step may
    /// be refused before anything else about it is looked at.
    pub guarded: bool,
    /// Whether a path of it meets what the host hides in the charm's directory.
    /// The reference has none of that.
    pub hidden: bool,
}

type Done<T> = Result<T, Errno>;

/// Something open, with what WASI lets a guest do with it.
struct Handle {
    fd: OwnedFd,
    reads: bool,
    writes: bool,
}

/// Target of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    /// To or through what the host hides.
    Hidden,
    /// To `/`, or from there to what is in no root. There the guest finds the
    /// charm's directory, and the kernel nothing.
    Top,
}

pub struct Kernel {
    handles: Vec<Option<Handle>>,
    /// The guest's path of the charm's directory, without the slash before it.
    charm: String,
    charm_id: (u64, u64),
    top_id: (u64, u64),
    /// The directories above roots.
    above: Vec<(u64, u64)>,
    tops: Vec<String>,
}

impl Kernel {
    pub fn new(scene: &Scene) -> anyhow::Result<Self> {
        let mut handles: Vec<Option<Handle>> = Vec::new();
        handles.resize_with(HANDLES, || None);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        handles[0] = Some(Handle {
            fd: fs::open("/", flags, Mode::empty())?,
            reads: true,
            writes: false,
        });
        let charm = scene.guest(CHARM);
        let roots = scene.roots.iter().map(|root| scene.guest(&root.path));
        let above: Vec<_> = roots
            .flat_map(|root| root.ancestors().skip(1).map(fs::stat).collect::<Vec<_>>())
            .collect::<Done<Vec<_>>>()?;
        Ok(Kernel {
            above: above.iter().map(id).collect(),
            handles,
            charm_id: id(&fs::stat(&charm)?),
            top_id: id(&fs::stat("/")?),
            charm: charm.to_string_lossy().trim_start_matches('/').to_owned(),
            tops: vec![scene.top().to_owned(), "tmp".to_owned()],
        })
    }

    /// Whether a handle is open, and of a directory.
    pub fn is_directory(&self, number: usize) -> Option<bool> {
        let stat = fs::fstat(self.handle(number).ok()?).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    fn handle(&self, number: usize) -> Done<BorrowedFd<'_>> {
        let handle = self.handles.get(number).and_then(Option::as_ref);
        handle.map(|handle| handle.fd.as_fd()).ok_or(Errno::BADF)
    }

    /// A handle of a file that a guest may read, or write.
    fn file(&self, number: usize, write: bool) -> Done<BorrowedFd<'_>> {
        let handle = self.handles.get(number).and_then(Option::as_ref);
        let handle = handle.ok_or(Errno::BADF)?;
        match if write { handle.writes } else { handle.reads } {
            true => Ok(handle.fd.as_fd()),
            false => Err(Errno::BADF),
        }
    }

    /// Whether a path is in no root, so that the guest finds it in the charm's
    /// directory.
    pub fn is_fallback(&self, at: &At) -> bool {
        let mut parts = at.path.split('/');
        let first = parts.find(|part| !matches!(*part, "" | "." | ".."));
        at.handle == 0 && first.is_some_and(|first| !self.tops.iter().any(|top| top == first))
    }

    /// Whether a step has no counterpart here: it names `/`, or something that
    /// is in no root by way of a link, and where that leads depends on whether
    /// the link is seen in `/` or in the charm's directory.
    pub fn has_no_answer(&self, step: &Step) -> bool {
        paths(step)
            .into_iter()
            .any(|(at, follow)| self.is_fallback_link(at) || self.way(at, follow) == Ok(Way::Top))
    }

    fn is_fallback_link(&self, at: &At) -> bool {
        let Ok(root) = self.handle(0) else {
            return false;
        };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let only = fs::ResolveFlags::NO_SYMLINKS;
        let path = self.path(at);
        self.is_fallback(at)
            && fs::openat2(root, path, flags, Mode::empty(), only).err() == Some(Errno::LOOP)
    }

    fn path(&self, at: &At) -> String {
        match self.is_fallback(at) {
            true => format!("{}/{}", self.charm, at.path),
            false => at.path.clone(),
        }
    }

    /// Performs a step.
    pub fn run(&mut self, step: &Step) -> Expected {
        let guarded = paths(step).into_iter().any(|(at, _)| self.is_guarded(at));
        let hidden = paths(step)
            .into_iter()
            .any(|(at, follow)| self.way(at, follow) == Ok(Way::Hidden));
        let outcome = match hidden {
            true => Err("no-entry".to_owned()),
            false => self.perform(step).map_err(code),
        };
        Expected {
            outcome,
            guarded,
            hidden,
        }
    }

    fn perform(&mut self, step: &Step) -> Done<String> {
        let done = |()| String::new();
        match step {
            Step::Open { handle, at, how } => {
                let fd = self.open(at, *how)?;
                let kind = kind(&fs::fstat(&fd)?);
                self.handles[*handle] = Some(Handle {
                    fd,
                    reads: how.read || !how.write,
                    writes: how.write,
                });
                Ok(listed("", kind))
            }
            Step::Close { handle } => {
                self.handle(*handle)?;
                self.handles[*handle] = None;
                Ok(String::new())
            }
            Step::Read {
                handle,
                offset,
                length,
            } => {
                let mut bytes = vec![0; usize::try_from(*length).unwrap_or(READ_MAX)];
                let count = rustix::io::pread(self.file(*handle, false)?, &mut bytes, *offset)?;
                Ok(contents(&bytes[..count]))
            }
            Step::Write {
                handle,
                offset,
                text,
            } => write_all(self.file(*handle, true)?, *offset, text).map(done),
            Step::Append { handle, text } => {
                let file = self.file(*handle, true)?;
                let end = u64::try_from(fs::fstat(file)?.st_size).unwrap_or_default();
                write_all(file, end, text).map(done)
            }
            Step::SetSize { handle, size } => {
                fs::ftruncate(self.file(*handle, true)?, *size).map(done)
            }
            Step::SetTime { handle, time } => {
                // The times of a file are set by who may write it.
                let fd = match self.is_directory(*handle) {
                    Some(true) => self.handle(*handle)?,
                    _ => self.file(*handle, true)?,
                };
                fs::futimens(fd, &times(*time)).map(done)
            }
            Step::Stat { handle } => Ok(shown(&fs::fstat(self.handle(*handle)?)?)),
            Step::List { handle } => list(self.handle(*handle)?),
            Step::IsSame { handle, other } => {
                let (one, other) = (self.handle(*handle)?, self.handle(*other)?);
                Ok((id(&fs::fstat(one)?) == id(&fs::fstat(other)?)).to_string())
            }
            step => self.perform_at(step),
        }
    }

    /// The steps that name paths and leave no handle.
    fn perform_at(&self, step: &Step) -> Done<String> {
        let done = |()| String::new();
        match step {
            Step::StatAt { at, follow } => Ok(shown(&self.stat(at, *follow)?)),
            Step::SetTimeAt { at, follow, time } => {
                let (from, path) = (self.handle(at.handle)?, self.path(at));
                fs::utimensat(from, path, &times(*time), last(*follow)).map(done)
            }
            Step::MakeDirectory { at } => {
                let mode = Mode::from_raw_mode(0o777);
                fs::mkdirat(self.handle(at.handle)?, self.path(at), mode).map(done)
            }
            Step::RemoveDirectory { at } => {
                let (from, path) = (self.handle(at.handle)?, self.path(at));
                fs::unlinkat(from, path, AtFlags::REMOVEDIR).map(done)
            }
            Step::Unlink { at } => {
                let (from, path) = (self.handle(at.handle)?, self.path(at));
                fs::unlinkat(from, path, AtFlags::empty()).map(done)
            }
            Step::Rename { from, to } => {
                let (source, target) = (self.handle(from.handle)?, self.handle(to.handle)?);
                // The kernel renames a mount point to itself, and what is above
                // one to anything.
                if self.is_root(from) || self.is_above(from) {
                    return Err(Errno::BUSY);
                }
                fs::renameat(source, self.path(from), target, self.path(to)).map(done)
            }
            Step::Link { from, to } => {
                let (source, target) = (self.handle(from.handle)?, self.handle(to.handle)?);
                let (from, to) = (self.path(from), self.path(to));
                fs::linkat(source, from, target, to, AtFlags::empty()).map(done)
            }
            Step::Symlink { target, at } => {
                fs::symlinkat(target, self.handle(at.handle)?, self.path(at)).map(done)
            }
            Step::ReadLink { at } => {
                let target = fs::readlinkat(self.handle(at.handle)?, self.path(at), Vec::new())?;
                Ok(target.to_string_lossy().into_owned())
            }
            Step::HasSameHash { at, other } => {
                let (one, other) = (self.stat(at, false)?, self.stat(other, false)?);
                Ok((id(&one) == id(&other)).to_string())
            }
            Step::ReadFile { at } => {
                let how = How {
                    follow: true,
                    read: true,
                    ..How::default()
                };
                let mut bytes = vec![0; READ_MAX];
                let count = rustix::io::pread(self.open(at, how)?, &mut bytes, 0)?;
                Ok(contents(&bytes[..count]))
            }
            Step::WriteFile { at, text } => {
                let how = How {
                    follow: true,
                    create: true,
                    truncate: true,
                    write: true,
                    ..How::default()
                };
                write_all(self.open(at, how)?.as_fd(), 0, text).map(done)
            }
            Step::ListAt { at } => {
                let how = How {
                    follow: true,
                    directory: true,
                    read: true,
                    ..How::default()
                };
                list(self.open(at, how)?.as_fd())
            }
            _ => Err(Errno::NOSYS),
        }
    }

    fn stat(&self, at: &At, follow: bool) -> Done<Stat> {
        fs::statat(self.handle(at.handle)?, self.path(at), last(follow))
    }

    /// Opens with the flags that `wasi:filesystem` gives the kernel.
    fn open(&self, at: &At, how: How) -> Done<OwnedFd> {
        let from = self.handle(at.handle)?;
        if how.directory && (how.create || how.truncate || how.exclusive) {
            return Err(Errno::INVAL);
        }
        let mut flags = OFlags::CLOEXEC | OFlags::NONBLOCK;
        flags |= match (how.read, how.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        for (is_set, flag) in [
            (how.create, OFlags::CREATE),
            (how.create && how.exclusive, OFlags::EXCL),
            (how.truncate, OFlags::TRUNC),
            (how.directory, OFlags::DIRECTORY),
            (!how.follow, OFlags::NOFOLLOW),
        ] {
            flags.set(flag, is_set);
        }
        let mode = Mode::from_raw_mode(0o666);
        fs::openat(from, self.path(at), flags, mode)
    }

    /// Whether a path names a root itself.
    fn is_root(&self, at: &At) -> bool {
        let from = self.handle(at.handle);
        from.is_ok_and(|from| is_mounted(from, &self.path(at), AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Whether a path names a directory above a root.
    fn is_above(&self, at: &At) -> bool {
        self.stat(at, false)
            .is_ok_and(|stat| self.above.contains(&id(&stat)))
    }

    fn is_guarded(&self, at: &At) -> bool {
        let Ok(from) = self.handle(at.handle) else {
            return false;
        };
        let path = self.path(at);
        // A slash behind a file is an error of its own.
        let path = match path.trim_end_matches('/') {
            "" => path.as_str(),
            trimmed => trimmed,
        };
        let (parent, _) = split(path);
        let is_read_only = |path: &str, more: OFlags| {
            let flags = OFlags::PATH | OFlags::CLOEXEC | more;
            let opened = fs::openat(from, path, flags, Mode::empty());
            let found = opened.and_then(fs::fstatvfs);
            found.is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
        };
        let nothing = OFlags::empty();
        is_mounted(from, path, AtFlags::SYMLINK_NOFOLLOW)
            || is_mounted(from, path, AtFlags::empty())
            || is_read_only(path, OFlags::NOFOLLOW)
            || is_read_only(path, nothing)
            || is_read_only(parent, nothing)
            || self.target(at).is_some_and(|(parent, _)| {
                let found = fs::fstatvfs(parent);
                found.is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
            })
    }

    /// Where a path leads; an error if it leads nowhere.
    fn way(&self, at: &At, follow: bool) -> Done<Way> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let enter = |from: BorrowedFd<'_>, name: &str| fs::openat(from, name, flags, Mode::empty());
        let path = self.path(at);
        let mut directory = enter(self.handle(at.handle)?, ".")?;
        let mut rest: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name.is_empty() {
                continue;
            }
            let is_dots = matches!(name.as_str(), "." | "..");
            let here = id(&fs::fstat(&directory)?);
            if here == self.charm_id && is_hidden(&name) {
                return Ok(Way::Hidden);
            }
            if here == self.top_id && !is_dots && !self.tops.contains(&name) {
                return Ok(Way::Top);
            }
            let link = fs::readlinkat(&directory, name.as_str(), Vec::new());
            match link.map(|link| link.to_string_lossy().into_owned()) {
                Ok(target) if !rest.is_empty() || follow => {
                    links += 1;
                    if links > 40 {
                        return Err(Errno::LOOP);
                    }
                    if target.starts_with('/') {
                        directory = enter(self.handle(0)?, ".")?;
                    }
                    rest.extend(target.rsplit('/').map(str::to_owned));
                }
                Ok(_) => return Ok(Way::Plain),
                Err(_) => directory = enter(directory.as_fd(), &name)?,
            }
        }
        match id(&fs::fstat(&directory)?) == self.top_id {
            true => Ok(Way::Top),
            false => Ok(Way::Plain),
        }
    }

    /// The directory and the name of a path.
    fn parent(&self, at: &At) -> Option<(OwnedFd, String)> {
        let path = self.path(at);
        let (parent, name) = split(&path);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let from = self.handle(at.handle).ok()?;
        let parent = fs::openat(from, parent, flags, Mode::empty()).ok()?;
        Some((parent, name.to_owned()))
    }

    /// The directory and the name to which the links lead that a path ends in.
    fn target(&self, at: &At) -> Option<(OwnedFd, String)> {
        let (mut directory, mut name) = self.parent(at)?;
        for _ in 0..40 {
            let Ok(link) = fs::readlinkat(&directory, name.as_str(), Vec::new()) else {
                return Some((directory, name));
            };
            let link = link.to_string_lossy().into_owned();
            let (parent, last) = split(&link);
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            directory = fs::openat(&directory, parent, flags, Mode::empty()).ok()?;
            name = last.to_owned();
        }
        None
    }
}

fn is_mounted(from: BorrowedFd<'_>, path: &str, flags: AtFlags) -> bool {
    let found = fs::statx(from, path, flags, StatxFlags::TYPE);
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The directory part and the last name of a path.
fn split(path: &str) -> (&str, &str) {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
        None => (".", path),
    }
}

/// The paths of a step, and whether a link at their ends is followed.
pub fn paths(step: &Step) -> Vec<(&At, bool)> {
    match step {
        Step::Open { at, how, .. } => vec![(at, how.follow && !how.exclusive)],
        Step::StatAt { at, follow } | Step::SetTimeAt { at, follow, .. } => vec![(at, *follow)],
        Step::MakeDirectory { at }
        | Step::RemoveDirectory { at }
        | Step::Unlink { at }
        | Step::Symlink { at, .. }
        | Step::ReadLink { at } => vec![(at, false)],
        Step::ReadFile { at } | Step::WriteFile { at, .. } | Step::ListAt { at } => {
            vec![(at, true)]
        }
        Step::Rename { from, to } | Step::Link { from, to } => vec![(from, false), (to, false)],
        Step::HasSameHash { at, other } => vec![(at, false), (other, false)],
        _ => Vec::new(),
    }
}

fn last(follow: bool) -> AtFlags {
    match follow {
        true => AtFlags::empty(),
        false => AtFlags::SYMLINK_NOFOLLOW,
    }
}

fn times(seconds: u64) -> Timestamps {
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    Timestamps {
        last_access: time(0, fs::UTIME_OMIT),
        last_modification: time(i64::try_from(seconds).unwrap_or_default(), 0),
    }
}

#[allow(clippy::useless_conversion)] // The width of both differs between architectures.
fn id(stat: &Stat) -> (u64, u64) {
    (u64::from(stat.st_dev), u64::from(stat.st_ino))
}

fn kind(stat: &Stat) -> Kind {
    kind_of(FileType::from_raw_mode(stat.st_mode))
}

fn kind_of(found: FileType) -> Kind {
    match found {
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::RegularFile => Kind::File,
        _ => Kind::Other,
    }
}

#[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // Widths differ.
fn shown(stat: &Stat) -> String {
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    status(
        kind(stat),
        size,
        u64::from(stat.st_nlink),
        stat.st_mtime as u64,
    )
}

fn list(directory: BorrowedFd<'_>) -> Done<String> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "." | "..") {
            names.push(listed(&name, kind_of(entry.file_type())));
        }
    }
    names.sort();
    Ok(names.join(" "))
}

fn write_all(file: BorrowedFd<'_>, offset: u64, text: &str) -> Done<()> {
    let mut done = 0;
    while done < text.len() {
        done += rustix::io::pwrite(file, &text.as_bytes()[done..], offset + done as u64)?;
    }
    Ok(())
}

/// The name that WASI has for an error of the kernel's.
fn code(errno: Errno) -> String {
    let names = [
        (Errno::ACCESS, "access"),
        (Errno::BADF, "bad-descriptor"),
        (Errno::BUSY, "busy"),
        (Errno::EXIST, "exist"),
        (Errno::INVAL, "invalid"),
        (Errno::ISDIR, "is-directory"),
        (Errno::LOOP, "loop"),
        (Errno::NAMETOOLONG, "name-too-long"),
        (Errno::NOENT, "no-entry"),
        (Errno::NOTDIR, "not-directory"),
        (Errno::NOTEMPTY, "not-empty"),
        (Errno::PERM, "not-permitted"),
        (Errno::ROFS, "read-only"),
        (Errno::XDEV, "cross-device"),
    ];
    let found = names.iter().find(|(other, _)| *other == errno);
    found.map_or_else(|| format!("{errno:?}"), |(_, name)| (*name).to_owned())
}
