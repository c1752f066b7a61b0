//! Root directory of an isolated root: overlays of the machine's files.

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

use crate::copy_up::copy_up;
use crate::host_mounts::Mounts;
use crate::report::{Context, Result};
use crate::special_dirs::{SPECIAL_DIRS, Sources, attach, clone_mount, make_read_only};

/// Where the new root is assembled: a directory that every machine has, and
/// whose files are not needed meanwhile.
const STAGING: &str = "/sys";
/// Limit in bytes for copies of files that cannot be in an overlay.
const MAX_COPY: u64 = 1024 * 1024;

/// Makes the new root directory that of this process, which must be in its own
/// mount namespace.
pub fn build(config: &Config) -> Result<()> {
    let host_mounts = Mounts::read()?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).doing("make private", Path::new("/"))?;
    let sources = Sources::open();
    let binds = config.binds.iter().map(|bind| {
        let mount = clone_mount(&bind.source, OpenTreeFlags::AT_RECURSIVE);
        Ok((bind, mount.at(Step::Bind, sharing(bind))?))
    });
    let binds = binds.collect::<Result<Vec<_>>>()?;
    Assembly::prepare(config.scratch.as_deref(), host_mounts)?.mount_overlays(Path::new("/"))?;

    let root = Path::new(STAGING).join("root");
    rustix::process::chdir(&root).doing("enter", &root)?;
    rustix::process::pivot_root(".", ".").doing("make the root directory of", &root)?;
    sources.make()?;
    for (bind, mount) in &binds {
        mount_point(&file_type(mount)?, &bind.target).at(Step::Bind, sharing(bind))?;
        attach(mount, &bind.target).map_err(|failure| charmhost_isolation::wire::Failure {
            step: Step::Bind,
            ..failure
        })?;
    }
    unmount(".", UnmountFlags::DETACH).doing("leave", Path::new("/"))?;
    rustix::process::chdir("/").doing("enter", Path::new("/"))?;
    // Including mounts below them, now that the table has only new mounts.
    let mounts = Mounts::read()?;
    let shared = config.binds.iter().filter(|bind| bind.read_only);
    // The table has no symbolic links.
    let shared = shared.map(|bind| bind.target.canonicalize().doing("find", &bind.target));
    let sys = Some(PathBuf::from("/sys")).filter(|sys| mounts.has(sys));
    for path in shared.chain(sys.map(Ok)) {
        let path = path?;
        make_read_only(&path)?;
        mounts.below(&path).try_for_each(make_read_only)?;
    }
    write_hostname(&config.hostname)
}

fn sharing(bind: &Bind) -> String {
    let Bind { source, target, .. } = bind;
    format!(
        "cannot bind-mount {} at {}",
        source.display(),
        target.display()
    )
}

fn file_type(mount: &std::os::fd::OwnedFd) -> Result<rustix::fs::FileType> {
    let stat = rustix::fs::fstat(mount).at(Step::Bind, "cannot stat a shared file")?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode))
}

/// Creates a mount point of the right type.
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

/// Writes the host name to the files in which programs look it up.
fn write_hostname(hostname: &str) -> Result<()> {
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

/// The new root and the upper and work directories of its overlays.
struct Assembly {
    host_mounts: Mounts,
    /// Whether every owner of the machine's files is mapped.
    all_owners: bool,
    /// Mount options of overlays, in the order in which they are tried.
    options: &'static [&'static str],
    count: std::cell::Cell<u32>,
}

impl Assembly {
    fn prepare(scratch: Option<&Path>, host_mounts: Mounts) -> Result<Self> {
        let staging = Path::new(STAGING);
        match scratch {
            Some(scratch) => {
                let mount = clone_mount(scratch, OpenTreeFlags::empty()).doing("open", scratch)?;
                attach(&mount, staging)?;
            }
            None => {
                // The default size is half of the machine's memory, which a
                // charm may need for packages. It is freed with the namespace.
                let flags = MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", staging, "tmpfs", flags, c"mode=755")
                    .doing("mount a tmpfs at", staging)?;
            }
        }
        for directory in ["upper", "work", "root"].map(|name| staging.join(name)) {
            fs::create_dir(&directory).doing("make", &directory)?;
        }
        let root = staging.join("root");
        mount_bind(&root, &root).doing("bind", &root)?;
        let set_xattr =
            |name| rustix::fs::setxattr(staging.join("upper"), name, b"y", XattrFlags::empty());
        // Only the machine's root may set these.
        let all_owners = set_xattr("trusted.charmhost").is_ok();
        let options: &[_] = match all_owners {
            true => &[",redirect_dir=on", ""],
            false => &[",userxattr"],
        };
        if !all_owners {
            set_xattr("user.charmhost").at(
                Step::TmpfsXattrs,
                "cannot set extended attributes in an overlay",
            )?;
        }
        let count = std::cell::Cell::new(0);
        Ok(Assembly {
            host_mounts,
            all_owners,
            options,
            count,
        })
    }

    /// Makes a directory or file of the machine visible at the same path.
    fn mount_overlays(&self, path: &Path) -> Result<()> {
        if SPECIAL_DIRS
            .iter()
            .any(|special| path == Path::new(special))
        {
            return Ok(());
        }
        let Ok(metadata) = fs::symlink_metadata(path) else {
            // A mount that is hidden by another one.
            return Ok(());
        };
        let target = self.target(path);
        if metadata.is_symlink() {
            let to = fs::read_link(path).doing("read", path)?;
            return symlink(to, &target).doing("make", &target);
        }
        if metadata.is_file() {
            return self.mount_file(path, &metadata);
        }
        if !metadata.is_dir() {
            return Ok(());
        }
        self.directory(&target, &metadata)?;
        if self.host_mounts.is_kernel_filesystem(path) || fs::read_dir(path).is_err() {
            return Ok(());
        }
        match self.overlay(path, &metadata) {
            Ok(()) => self
                .host_mounts
                .topmost_below(path)
                .try_for_each(|below| self.mount_overlays(below)),
            // The kernel does not allow a user to uncover files below a mount.
            Err(Errno::INVAL) if self.host_mounts.below(path).next().is_some() => {
                for entry in fs::read_dir(path).doing("read", path)? {
                    self.mount_overlays(&entry.doing("read", path)?.path())?;
                }
                Ok(())
            }
            Err(error) if path == Path::new("/") => {
                Err(error).at(Step::Overlay, "cannot mount an overlay of /")
            }
            Err(_) => {
                mount_bind_recursive(path, &target).at(
                    Step::Overlay,
                    format!("cannot bind-mount {}", path.display()),
                )?;
                make_read_only(&target)
            }
        }
    }

    /// The path in the new root, while that is assembled, of a path of the machine.
    fn target(&self, path: &Path) -> PathBuf {
        let root = Path::new(STAGING).join("root");
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn mount_file(&self, path: &Path, metadata: &Metadata) -> Result<()> {
        let target = self.target(path);
        if metadata.len() <= MAX_COPY && fs::copy(path, &target).is_ok() {
            self.copy_owner(&target, metadata);
            return Ok(());
        }
        if !self.host_mounts.has(path) {
            // A large file directly beside a mount point, or one that this user cannot read.
            return Ok(());
        }
        mount_bind(path, &target).doing("bind-mount", path)?;
        make_read_only(&target)
    }

    /// Creates a directory with the owner and mode of one of the machine.
    fn directory(&self, target: &Path, like: &Metadata) -> Result<()> {
        match fs::create_dir(target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).doing("make", target)
            }
            Err(_) => Ok(()),
            Ok(()) => {
                self.copy_owner(target, like);
                let mode = fs::Permissions::from_mode(like.mode() & 0o7777);
                fs::set_permissions(target, mode).doing("make", target)
            }
        }
    }

    /// Copies the owner of a file of the machine. Files whose owner is not mapped
    /// belong to root inside.
    fn copy_owner(&self, target: &Path, like: &Metadata) {
        if self.all_owners {
            // Where the kernel refuses it, the owner stays root.
            let _ = chown(target, Some(like.uid()), Some(like.gid()));
        }
    }

    fn overlay(&self, path: &Path, metadata: &Metadata) -> rustix::io::Result<()> {
        let number = self.count.get();
        self.count.set(number + 1);
        let [upper, work] =
            ["upper", "work"].map(|name| Path::new(STAGING).join(name).join(number.to_string()));
        let made = self
            .directory(&upper, metadata)
            .and_then(|()| self.directory(&work, metadata));
        made.map_err(|failure| Errno::from_raw_os_error(failure.errno))?;
        if !self.all_owners {
            copy_up(path, &upper, &self.host_mounts);
        }
        let mut last_error = Errno::INVAL;
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
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }
}

/// Escapes a path for the options of an overlay.
fn escape(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes().iter();
    let escaped = bytes.flat_map(|byte| match byte {
        b'\\' | b':' | b',' => vec![b'\\', *byte],
        byte => vec![*byte],
    });
    escaped.collect()
}
