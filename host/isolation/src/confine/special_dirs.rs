//! Directories that are made new inside: `/dev`, `/proc`, `/sys`, `/run`, `/tmp`.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use charmhost_isolation::wire::Step;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind, mount_remount, move_mount,
    open_tree,
};

use crate::report::{Context, Result};

/// Directories that have no overlay of the machine's files.
pub const SPECIAL_DIRS: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

const NODES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];
/// Writable parts of `/proc`, through which root could change the machine.
const WRITABLE_PROC: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Files of the machine that these directories need, opened before the root
/// changes.
pub struct Sources {
    nodes: Vec<(&'static str, OwnedFd)>,
    sys: Option<OwnedFd>,
    /// The resolver's configuration, if it is in `/run`.
    resolver: Option<(PathBuf, Vec<u8>)>,
}

impl Sources {
    /// Opens them.
    pub fn open() -> Self {
        let nodes = NODES.into_iter().filter_map(|name| {
            let node = clone_mount(&Path::new("/dev").join(name), OpenTreeFlags::empty());
            Some((name, node.ok()?))
        });
        // Without the mounts below it, unless the kernel refuses that.
        let sys = Path::new("/sys");
        let whole = || clone_mount(sys, OpenTreeFlags::AT_RECURSIVE);
        let resolver = fs::canonicalize("/etc/resolv.conf").ok();
        let resolver = resolver.filter(|path| path.starts_with("/run"));
        Sources {
            nodes: nodes.collect(),
            sys: clone_mount(sys, OpenTreeFlags::empty())
                .or_else(|_| whole())
                .ok(),
            resolver: resolver.and_then(|path| {
                let text = fs::read(&path).ok()?;
                Some((path, text))
            }),
        }
    }

    /// Makes the directories in the new root.
    pub fn make(self) -> Result<()> {
        let noexec = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount_new(
            "/tmp",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=1777",
        )?;
        mount_new(
            "/run",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=755",
        )?;
        directory("/run/lock", 0o1777)?;
        mount_new("/proc", "proc", noexec, c"")?;
        for path in WRITABLE_PROC.map(|name| Path::new("/proc").join(name)) {
            if path.exists() {
                mount_bind(&path, &path).doing("bind", &path)?;
                make_read_only(&path)?;
            }
        }
        directory("/sys", 0o555)?;
        if let Some(sys) = self.sys {
            attach(&sys, Path::new("/sys"))?;
        }
        mount_new(
            "/dev",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            c"mode=755",
        )?;
        for (name, node) in self.nodes {
            let path = Path::new("/dev").join(name);
            fs::write(&path, "").doing("make", &path)?;
            attach(&node, &path)?;
        }
        let terminals = c"newinstance,ptmxmode=0666,mode=0620";
        mount_new(
            "/dev/pts",
            "devpts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            terminals,
        )?;
        mount_new(
            "/dev/shm",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=1777",
        )?;
        for (target, link) in LINKS {
            symlink(target, link).doing("make", Path::new(link))?;
        }
        if let Some((path, text)) = self.resolver {
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            made.and_then(|()| fs::write(&path, text))
                .doing("write", &path)?;
        }
        Ok(())
    }
}

/// Returns a detached copy of a mount.
pub fn clone_mount(path: &Path, more: OpenTreeFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags | more)
}

/// Attaches a detached mount at a path.
pub fn attach(mount: &OwnedFd, path: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
    move_mount(mount, "", CWD, path, flags).doing("mount at", path)
}

/// Makes a mount read-only and keeps its other flags: the kernel refuses to
/// remove restrictions.
///
/// A mount that this user cannot stat is left unchanged: nobody inside can
/// access it either. Examples are `/sys/kernel/debug/tracing`, which the kernel
/// mounts by itself, and file systems of other users.
pub fn make_read_only(path: &Path) -> Result<()> {
    use rustix::fs::StatVfsMountFlags as Has;
    let has = match rustix::fs::statvfs(path) {
        Ok(found) => found.f_flag,
        Err(Errno::ACCESS | Errno::NOENT | Errno::NOTCONN | Errno::STALE) => return Ok(()),
        Err(error) => return Err(error).doing("stat", path),
    };
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (restriction, flag) in [
        (Has::NOSUID, MountFlags::NOSUID),
        (Has::NODEV, MountFlags::NODEV),
        (Has::NOEXEC, MountFlags::NOEXEC),
        (Has::NOATIME, MountFlags::NOATIME),
        (Has::NODIRATIME, MountFlags::NODIRATIME),
        (Has::RELATIME, MountFlags::RELATIME),
    ] {
        if has.contains(restriction) {
            flags |= flag;
        }
    }
    mount_remount(path, flags, "").doing("make read-only", path)
}

fn mount_new(path: &str, kind: &str, flags: MountFlags, options: &std::ffi::CStr) -> Result<()> {
    directory(path, 0o755)?;
    let step = match kind {
        "proc" => Step::Proc,
        _ => Step::Other,
    };
    mount(kind, path, kind, flags, options).at(step, format!("cannot mount a new {path}"))
}

fn directory(path: &str, mode: u32) -> Result<()> {
    let path = Path::new(path);
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).doing("make", path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).doing("make", path)
}
