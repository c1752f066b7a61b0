//! The root directory of a world: the machine's files, to be changed without
//! effect on them.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use charmhost_isolation::wire::{Bind, Config, Step};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_bind_recursive, mount_change, unmount,
};

use crate::adopt::adopt;
use crate::failed::{Context, Result};
use crate::machine::Mounts;
use crate::places::{PLACES, Sources, put, read_only, tree};

/// Where the world is put together: a directory that every machine has, and
/// whose files no world needs.
const SITE: &str = "/sys";
/// Files that are mount points by themselves are copied up to so many bytes.
const MAX_COPY: u64 = 1024 * 1024;

/// Makes the world's root directory that of this process, which must be in a
/// mount namespace of its own.
pub fn build(config: &Config) -> Result<()> {
    let machine = Mounts::read()?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).doing("make private", Path::new("/"))?;
    let sources = Sources::hold();
    let binds = config.binds.iter().map(|bind| {
        let held = tree(&bind.source, OpenTreeFlags::AT_RECURSIVE);
        Ok((bind, held.at(Step::Bind, sharing(bind))?))
    });
    let binds = binds.collect::<Result<Vec<_>>>()?;
    Site::prepare(config.scratch.as_deref(), machine)?.plant(Path::new("/"))?;

    let root = Path::new(SITE).join("root");
    rustix::process::chdir(&root).doing("enter", &root)?;
    rustix::process::pivot_root(".", ".").doing("make the root directory of", &root)?;
    sources.make()?;
    for (bind, held) in &binds {
        mount_point(&held_kind(held)?, &bind.target).at(Step::Bind, sharing(bind))?;
        put(held, &bind.target).map_err(|failure| charmhost_isolation::wire::Failure {
            step: Step::Bind,
            ..failure
        })?;
    }
    unmount(".", UnmountFlags::DETACH).doing("leave", Path::new("/"))?;
    rustix::process::chdir("/").doing("enter", Path::new("/"))?;
    // With what is mounted below them, now that the table shows the world's
    // mounts only.
    let mounts = Mounts::read()?;
    let shared = config.binds.iter().filter(|bind| bind.read_only);
    // The table has no symbolic links.
    let shared = shared.map(|bind| bind.target.canonicalize().doing("find", &bind.target));
    let sys = Some(PathBuf::from("/sys")).filter(|sys| mounts.has(sys));
    for path in shared.chain(sys.map(Ok)) {
        let path = path?;
        read_only(&path)?;
        mounts.below(&path).try_for_each(read_only)?;
    }
    name(&config.hostname)
}

fn sharing(bind: &Bind) -> String {
    let Bind { source, target, .. } = bind;
    format!("cannot share {} as {}", source.display(), target.display())
}

fn held_kind(held: &std::os::fd::OwnedFd) -> Result<rustix::fs::FileType> {
    let stat = rustix::fs::fstat(held).at(Step::Bind, "cannot look at a shared file")?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode))
}

/// Makes what something is to be mounted on.
fn mount_point(kind: &rustix::fs::FileType, path: &Path) -> std::io::Result<()> {
    if kind.is_dir() {
        return fs::create_dir_all(path);
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let created = fs::OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path);
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Programs look their host's name up, in files if nothing else answers.
fn name(hostname: &str) -> Result<()> {
    let file = Path::new("/etc/hosts");
    let mut hosts = fs::read_to_string(file).unwrap_or_default();
    hosts.push_str(&format!("\n127.0.1.1\t{hostname}\n"));
    for (path, text) in [
        (file, hosts),
        (Path::new("/etc/hostname"), format!("{hostname}\n")),
    ] {
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .doing("make", path)?;
        fs::write(path, text).doing("write", path)?;
    }
    Ok(())
}

/// Where the overlays keep what is written, and the root that they make.
struct Site {
    machine: Mounts,
    /// Whether every owner of the machine's files exists in the world.
    whole: bool,
    /// How overlays mark what they hide.
    options: &'static [&'static str],
    count: std::cell::Cell<u32>,
}

impl Site {
    fn prepare(scratch: Option<&Path>, machine: Mounts) -> Result<Self> {
        let site = Path::new(SITE);
        match scratch {
            Some(scratch) => {
                let held = tree(scratch, OpenTreeFlags::empty()).doing("open", scratch)?;
                put(&held, site)?;
            }
            None => {
                // Without a size, half of the machine's memory is the limit: a
                // charm installs packages of any size, and what it writes is
                // gone with the namespace.
                let flags = MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", site, "tmpfs", flags, c"mode=755")
                    .doing("mount files in memory at", site)?;
            }
        }
        for directory in ["upper", "work", "root"].map(|name| site.join(name)) {
            fs::create_dir(&directory).doing("make", &directory)?;
        }
        let root = site.join("root");
        mount_bind(&root, &root).doing("bind", &root)?;
        let marks =
            |name| rustix::fs::setxattr(site.join("upper"), name, b"y", XattrFlags::empty());
        // The kernel lets only the machine's root make these.
        let whole = marks("trusted.charmhost").is_ok();
        let options: &[_] = match whole {
            true => &[",redirect_dir=on", ""],
            false => &[",userxattr"],
        };
        if !whole {
            marks("user.charmhost").at(Step::MarksInMemory, "cannot mark files of an overlay")?;
        }
        let count = std::cell::Cell::new(0);
        Ok(Site {
            machine,
            whole,
            options,
            count,
        })
    }

    /// Shows a directory or file of the machine at the same path of the world.
    fn plant(&self, path: &Path) -> Result<()> {
        if PLACES.iter().any(|place| path == Path::new(place)) {
            return Ok(());
        }
        let Ok(metadata) = fs::symlink_metadata(path) else {
            // A mount that another one hides.
            return Ok(());
        };
        let target = self.target(path);
        if metadata.is_symlink() {
            let to = fs::read_link(path).doing("read", path)?;
            return symlink(to, &target).doing("make", &target);
        }
        if metadata.is_file() {
            return self.plant_file(path, &metadata);
        }
        if !metadata.is_dir() {
            return Ok(());
        }
        self.directory(&target, &metadata)?;
        if self.machine.is_window(path) || fs::read_dir(path).is_err() {
            return Ok(());
        }
        match self.overlay(path, &metadata) {
            Ok(()) => self
                .machine
                .next_below(path)
                .try_for_each(|below| self.plant(below)),
            // The kernel does not let a user look below what is mounted.
            Err(Errno::INVAL) if self.machine.below(path).next().is_some() => {
                for entry in fs::read_dir(path).doing("read", path)? {
                    self.plant(&entry.doing("read", path)?.path())?;
                }
                Ok(())
            }
            Err(error) if path == Path::new("/") => {
                Err(error).at(Step::Overlay, "cannot mount an overlay of /")
            }
            Err(_) => {
                mount_bind_recursive(path, &target)
                    .at(Step::Overlay, format!("cannot show {}", path.display()))?;
                read_only(&target)
            }
        }
    }

    /// Where a path of the machine is while the world is put together.
    fn target(&self, path: &Path) -> PathBuf {
        let root = Path::new(SITE).join("root");
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn plant_file(&self, path: &Path, metadata: &Metadata) -> Result<()> {
        let target = self.target(path);
        if metadata.len() <= MAX_COPY && fs::copy(path, &target).is_ok() {
            self.own(&target, metadata);
            return Ok(());
        }
        if !self.machine.has(path) {
            // A large file directly beside a mount point, or one that this user cannot read.
            return Ok(());
        }
        mount_bind(path, &target).doing("show", path)?;
        read_only(&target)
    }

    /// Makes a directory like one of the machine.
    fn directory(&self, target: &Path, like: &Metadata) -> Result<()> {
        match fs::create_dir(target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).doing("make", target)
            }
            Err(_) => Ok(()),
            Ok(()) => {
                self.own(target, like);
                let mode = fs::Permissions::from_mode(like.mode() & 0o7777);
                fs::set_permissions(target, mode).doing("make", target)
            }
        }
    }

    /// Gives a file the owner of one of the machine. What belongs to nobody in
    /// the world belongs to its root.
    fn own(&self, target: &Path, like: &Metadata) {
        if self.whole {
            // Owners that the machine does not let root give stay root.
            let _ = chown(target, Some(like.uid()), Some(like.gid()));
        }
    }

    fn overlay(&self, path: &Path, metadata: &Metadata) -> rustix::io::Result<()> {
        let number = self.count.get();
        self.count.set(number + 1);
        let [upper, work] =
            ["upper", "work"].map(|name| Path::new(SITE).join(name).join(number.to_string()));
        let made = self
            .directory(&upper, metadata)
            .and_then(|()| self.directory(&work, metadata));
        made.map_err(|failure| Errno::from_raw_os_error(failure.errno))?;
        if !self.whole {
            adopt(path, &upper, &self.machine);
        }
        let mut refused = Errno::INVAL;
        for more in self.options {
            let mut options = b"lowerdir=".to_vec();
            options.extend(escape(path));
            let rest = format!(
                ",upperdir={},workdir={}{more}",
                upper.display(),
                work.display()
            );
            options.extend(rest.as_bytes());
            let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
            match mount(
                "overlay",
                self.target(path),
                "overlay",
                MountFlags::NODEV,
                options.as_c_str(),
            ) {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// A path among the options of an overlay.
fn escape(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes().iter();
    let escaped = bytes.flat_map(|byte| match byte {
        b'\\' | b':' | b',' => vec![b'\\', *byte],
        byte => vec![*byte],
    });
    escaped.collect()
}
