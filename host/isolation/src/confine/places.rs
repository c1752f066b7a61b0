//! The places of a world that are not the machine's: `/dev`, `/proc`, `/sys`,
//! `/run`, `/tmp`.

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

use crate::failed::{Context, Result};

/// Directories that show nothing of the machine's files.
pub const PLACES: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

const NODES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];
/// Where the machine's root could change the machine through `/proc`.
const LEVERS: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// What the places take from the machine, held while the root changes.
pub struct Sources {
    nodes: Vec<(&'static str, OwnedFd)>,
    sys: Option<OwnedFd>,
    /// The file of `/run` that tells how to resolve names, where there is one.
    resolver: Option<(PathBuf, Vec<u8>)>,
}

impl Sources {
    /// Takes hold of them.
    pub fn hold() -> Self {
        let nodes = NODES.into_iter().filter_map(|name| {
            let node = tree(&Path::new("/dev").join(name), OpenTreeFlags::empty());
            Some((name, node.ok()?))
        });
        // Without what is mounted below it, unless the kernel insists.
        let sys = Path::new("/sys");
        let whole = || tree(sys, OpenTreeFlags::AT_RECURSIVE);
        let resolver = fs::canonicalize("/etc/resolv.conf").ok();
        let resolver = resolver.filter(|path| path.starts_with("/run"));
        Sources {
            nodes: nodes.collect(),
            sys: tree(sys, OpenTreeFlags::empty()).or_else(|_| whole()).ok(),
            resolver: resolver.and_then(|path| {
                let text = fs::read(&path).ok()?;
                Some((path, text))
            }),
        }
    }

    /// Makes the places in the new root.
    pub fn make(self) -> Result<()> {
        let noexec = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        fresh(
            "/tmp",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=1777",
        )?;
        fresh(
            "/run",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=755",
        )?;
        directory("/run/lock", 0o1777)?;
        fresh("/proc", "proc", noexec, c"")?;
        for lever in LEVERS.map(|lever| Path::new("/proc").join(lever)) {
            if lever.exists() {
                mount_bind(&lever, &lever).doing("bind", &lever)?;
                read_only(&lever)?;
            }
        }
        directory("/sys", 0o555)?;
        if let Some(sys) = self.sys {
            put(&sys, Path::new("/sys"))?;
        }
        fresh(
            "/dev",
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            c"mode=755",
        )?;
        for (name, node) in self.nodes {
            let path = Path::new("/dev").join(name);
            fs::write(&path, "").doing("make", &path)?;
            put(&node, &path)?;
        }
        let terminals = c"newinstance,ptmxmode=0666,mode=0620";
        fresh(
            "/dev/pts",
            "devpts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            terminals,
        )?;
        fresh(
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

/// A copy of a mount that is nowhere yet.
pub fn tree(path: &Path, more: OpenTreeFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags | more)
}

/// Puts a mount that is nowhere yet at a path.
pub fn put(tree: &OwnedFd, path: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
    move_mount(tree, "", CWD, path, flags).doing("mount at", path)
}

/// Makes a mount read-only, and leaves it otherwise as it is: the kernel
/// refuses to take other restrictions away.
///
/// A mount that this user cannot look at stays as it is: nobody in there can
/// either. The kernel mounts such ones by itself, for example
/// `/sys/kernel/debug/tracing`, and file systems of other users are such.
pub fn read_only(path: &Path) -> Result<()> {
    use rustix::fs::StatVfsMountFlags as Is;
    let is = match rustix::fs::statvfs(path) {
        Ok(found) => found.f_flag,
        Err(Errno::ACCESS | Errno::NOENT | Errno::NOTCONN | Errno::STALE) => return Ok(()),
        Err(error) => return Err(error).doing("look at", path),
    };
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (restriction, flag) in [
        (Is::NOSUID, MountFlags::NOSUID),
        (Is::NODEV, MountFlags::NODEV),
        (Is::NOEXEC, MountFlags::NOEXEC),
        (Is::NOATIME, MountFlags::NOATIME),
        (Is::NODIRATIME, MountFlags::NODIRATIME),
        (Is::RELATIME, MountFlags::RELATIME),
    ] {
        if is.contains(restriction) {
            flags |= flag;
        }
    }
    mount_remount(path, flags, "").doing("make read-only", path)
}

fn fresh(path: &str, kind: &str, flags: MountFlags, options: &std::ffi::CStr) -> Result<()> {
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
