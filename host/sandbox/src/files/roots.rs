//! Roots: directories and files of the machine that a guest can access, opened
//! once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::protected::Zone;

/// The index of the charm's directory among the roots.
pub(super) const CHARM: usize = 0;

/// Why a path cannot be a root.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A part of the path is a symbolic link. Links are not followed: whoever can
    /// replace one could change the target of the grant.
    #[error("{} is a symbolic link to {}; name the path that it leads to", link.display(), target.display())]
    Link {
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The part of the path that cannot be opened.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Neither a directory nor a regular file.
    #[error("{} is neither a directory nor a regular file", .0.display())]
    Kind(PathBuf),
    /// Only directories can be granted for writing.
    #[error("{} is not a directory; grants.write takes directories", .0.display())]
    NotDirectory(PathBuf),
    /// The charm's code would be writable.
    #[error(
        "{} contains the charm's directory or is in it; name the directories that the charm needs",
        .0.display()
    )]
    HoldsCharm(PathBuf),
    /// The path is in a file system of the kernel or of devices.
    #[error("{} is part of {}, which cannot be granted", path.display(), system)]
    System {
        /// The path.
        path: PathBuf,
        /// The file system, for example `/proc`.
        system: &'static str,
    },
}

impl RootError {
    /// Whether nothing exists at the path.
    pub fn is_missing(&self) -> bool {
        matches!(self, RootError::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

/// Mount points of file systems of the kernel and of devices.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Magic numbers (`statfs(2)`) of file systems of the kernel, wherever they are
/// mounted.
const KERNEL_FILE_SYSTEMS: [(u64, &str); 10] = [
    (0x9fa0, "procfs"),
    (0x6265_6572, "sysfs"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0x1cd1, "devpts"),
    (0x27_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0xcafe_4a11, "bpf"),
    (0x6265_6570, "configfs"),
];

/// The mount point of the kernel's file system that a path is in by its text, for
/// example `/proc`.
pub fn system_part(path: &Path) -> Option<&'static str> {
    SYSTEM.into_iter().find(|system| path.starts_with(system))
}

/// The file system of the kernel that an open file is in, if any.
pub(super) fn kernel_file_system(fd: impl AsFd) -> Option<&'static str> {
    let magic = u64::try_from(fs::fstatfs(fd).ok()?.f_type).ok()?;
    let mut known = KERNEL_FILE_SYSTEMS.into_iter();
    known
        .find(|(other, _)| *other == magic)
        .map(|(_, name)| name)
}

/// Opens a path without following any link.
pub(super) fn open_without_links(path: &Path) -> Result<OwnedFd, RootError> {
    let failed = |path: &Path, errno: Errno| RootError::Open {
        path: path.to_path_buf(),
        source: errno.into(),
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut walked = PathBuf::from("/");
    let mut fd = fs::open("/", flags, Mode::empty()).map_err(|errno| failed(&walked, errno))?;
    for part in path.components() {
        let Component::Normal(part) = part else {
            continue;
        };
        walked.push(part);
        let next = fs::openat(&fd, part, flags, Mode::empty());
        let next = next.map_err(|errno| failed(&walked, errno))?;
        let stat = fs::fstat(&next).map_err(|errno| failed(&walked, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let target = fs::readlinkat(&next, "", Vec::new()).unwrap_or_default();
                return Err(RootError::Link {
                    link: walked,
                    target: Path::new(OsStr::from_bytes(target.as_bytes())).to_path_buf(),
                });
            }
            // A file is read through this descriptor later.
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = fs::openat(&fd, part, flags, Mode::empty());
                fd = file.map_err(|errno| failed(&walked, errno))?;
            }
            _ => fd = next,
        }
    }
    Ok(fd)
}

/// The identity of a file on the machine: device and inode.
pub(super) type FileId = (u64, u64);

#[allow(clippy::useless_conversion)] // The width of both differs between architectures.
pub(super) fn id_of(stat: &fs::Stat) -> FileId {
    (u64::from(stat.st_dev), u64::from(stat.st_ino))
}

/// The identities of a directory and of its ancestors.
fn with_ancestors(fd: &OwnedFd) -> Vec<FileId> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut found: Vec<FileId> = Vec::new();
    let mut next = fs::openat(fd, ".", flags, Mode::empty());
    while let Ok(directory) = next {
        let Ok(stat) = fs::fstat(&directory) else {
            break;
        };
        let id = id_of(&stat);
        // The root of the file system is its own parent.
        if found.last() == Some(&id) {
            break;
        }
        found.push(id);
        next = fs::openat(&directory, "..", flags, Mode::empty());
    }
    found
}

/// An opened directory or file at a path of the guest.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// The guest's path, without a trailing slash.
    pub path: String,
    pub fd: Arc<OwnedFd>,
    pub is_directory: bool,
    pub zone: Zone,
    /// The file system that it is in.
    pub device: u64,
}

/// The roots, by the guest's path.
#[derive(Debug)]
pub(super) struct Roots {
    roots: Vec<Root>,
    by_path: HashMap<String, usize>,
    /// Directories above roots, each with the names that lead to roots.
    above: BTreeMap<String, BTreeSet<String>>,
    /// The path of the root that is opened at its first use, or empty.
    deferred: String,
}

impl Roots {
    /// Creates the roots with the charm's directory alone.
    pub fn new(charm_dir: &Path) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(charm_dir, flags, Mode::empty()).map_err(|errno| RootError::Open {
            path: charm_dir.to_path_buf(),
            source: errno.into(),
        })?;
        let mut roots = Roots {
            roots: Vec::new(),
            by_path: HashMap::new(),
            above: BTreeMap::new(),
            deferred: String::new(),
        };
        let device = fs::fstat(&fd).map_or(0, |stat| id_of(&stat).0);
        roots.insert(Root {
            device,
            path: charm_dir.to_string_lossy().trim_end_matches('/').to_owned(),
            fd: Arc::new(fd),
            is_directory: true,
            zone: Zone::Writable,
        });
        Ok(roots)
    }

    /// Adds a path of the machine, which has the same path in the guest's tree.
    ///
    /// A readable path in the charm's directory adds nothing, as the guest can
    /// read all of that anyway. Of two roots at one path the wider counts.
    pub fn add(&mut self, path: &Path, zone: Zone) -> Result<(), RootError> {
        let Some(text) = path.to_str() else {
            return Err(RootError::Kind(path.to_path_buf()));
        };
        if let Some(system) = system_part(path) {
            let path = path.to_path_buf();
            return Err(RootError::System { path, system });
        }
        let text = text.trim_end_matches('/');
        if zone == Zone::ReadOnly && self.is_in_charm(text) {
            return Ok(());
        }
        let fd = open_without_links(path)?;
        self.add_opened(text, fd, zone)
    }

    /// Adds a writable directory whose path is from Juju.
    ///
    /// Links are followed where no guest can have created them: an operator may
    /// have moved `/var/lib/juju` elsewhere.
    pub fn add_named(&mut self, path: &Path) -> Result<(), RootError> {
        let text = path.to_string_lossy().into_owned();
        match self.add(path, Zone::Writable) {
            Err(RootError::Link { link, .. }) if !self.is_writable(&link) => {
                let real = path.canonicalize().map_err(|source| RootError::Open {
                    path: path.to_path_buf(),
                    source,
                })?;
                let fd = open_without_links(&real)?;
                self.add_opened(&text, fd, Zone::Writable)
            }
            added => added,
        }
    }

    /// Whether a guest may write at a path, by its text alone.
    fn is_writable(&self, path: &Path) -> bool {
        let root = path.to_str().and_then(|path| self.holding(path));
        root.is_some_and(|(_, root)| root.zone == Zone::Writable)
    }

    /// Adds an opened directory or file at a path of the guest.
    pub fn add_opened(&mut self, path: &str, fd: OwnedFd, zone: Zone) -> Result<(), RootError> {
        let named = || PathBuf::from(path);
        let stat = fs::fstat(&fd).map_err(|errno| RootError::Open {
            path: named(),
            source: errno.into(),
        })?;
        let is_directory = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => false,
            _ => return Err(RootError::Kind(named())),
        };
        if let Some(system) = kernel_file_system(&fd) {
            let path = named();
            return Err(RootError::System { path, system });
        }
        if zone == Zone::Writable {
            if !is_directory {
                return Err(RootError::NotDirectory(named()));
            }
            if self.overlaps_charm(&fd) {
                return Err(RootError::HoldsCharm(named()));
            }
        }
        self.insert(Root {
            device: id_of(&stat).0,
            path: path.trim_end_matches('/').to_owned(),
            fd: Arc::new(fd),
            is_directory,
            zone,
        });
        Ok(())
    }

    /// Whether a directory contains the charm's directory or is in it, by identity.
    fn overlaps_charm(&self, fd: &OwnedFd) -> bool {
        let Some(charm) = self.roots.get(CHARM) else {
            return false;
        };
        let (above, other) = (with_ancestors(&charm.fd), with_ancestors(fd));
        let holds = other.first().is_some_and(|id| above.contains(id));
        let is_in = above.first().is_some_and(|id| other.contains(id));
        holds || is_in
    }

    pub fn insert(&mut self, root: Root) {
        if let Some(same) = self.by_path.get(&root.path) {
            if let Some(same) = self.roots.get_mut(*same)
                && root.zone == Zone::Writable
            {
                *same = root;
            }
            return;
        }
        self.name_above(&root.path);
        self.by_path.insert(root.path.clone(), self.roots.len());
        self.roots.push(root);
    }

    /// Sets the path of the root that is opened at its first use; an empty path
    /// when it was opened.
    pub fn defer(&mut self, path: &str) {
        self.deferred = path.to_owned();
        self.name_above(path);
    }

    /// Whether a path is that of the root that is not opened yet.
    pub fn is_deferred(&self, path: &str) -> bool {
        self.deferred == path
    }

    fn name_above(&mut self, mut path: &str) {
        while let Some((parent, name)) = path.rsplit_once('/') {
            let names = self.above.entry(parent.to_owned()).or_default();
            names.insert(name.to_owned());
            path = parent;
        }
    }

    /// The innermost root that a path is in, by its text alone.
    pub fn holding(&self, path: &str) -> Option<(usize, &Root)> {
        let mut path = path;
        loop {
            if let Some(found) = self.at(path) {
                return Some(found);
            }
            path = path.rsplit_once('/')?.0;
        }
    }

    /// The root at exactly this path.
    pub fn at(&self, path: &str) -> Option<(usize, &Root)> {
        let index = *self.by_path.get(path)?;
        Some((index, self.roots.get(index)?))
    }

    pub fn get(&self, index: usize) -> Option<&Root> {
        self.roots.get(index)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter()
    }

    /// Whether a root is beneath a path, which therefore cannot be removed.
    pub fn is_above(&self, path: &str) -> bool {
        self.above.contains_key(path)
    }

    /// The entries of a directory that lead to roots beneath it.
    pub fn names_in(&self, path: &str) -> impl Iterator<Item = &str> {
        let names = self.above.get(path.trim_end_matches('/'));
        names.into_iter().flatten().map(String::as_str)
    }

    /// Whether a path is the charm's directory or beneath it.
    pub fn is_in_charm(&self, path: &str) -> bool {
        let charm = self.roots.get(CHARM).map(|root| root.path.as_str());
        charm.is_some_and(|charm| is_in(path, charm))
    }
}

/// Whether a path is another one or beneath it.
pub(super) fn is_in(path: &str, parent: &str) -> bool {
    let rest = path.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use charmhost_error_chain::ErrorChain;

    use super::*;

    fn scene() -> (tempfile::TempDir, PathBuf, Roots) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for name in ["unit/charm/hooks", "srv/data/sub", "srv/other"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(base.join("srv/file"), "").unwrap();
        symlink("data", base.join("srv/link")).unwrap();
        let roots = Roots::new(&base.join("unit/charm")).unwrap();
        (dir, base, roots)
    }

    #[test]
    fn what_can_be_granted() {
        let (_dir, base, mut roots) = scene();
        for (path, zone, wanted) in [
            ("srv/data", Zone::Writable, ""),
            ("srv/file", Zone::ReadOnly, ""),
            ("srv/file", Zone::Writable, "is not a directory"),
            ("srv/link", Zone::ReadOnly, "is a symbolic link to data"),
            ("srv/link/sub", Zone::Writable, "is a symbolic link to data"),
            ("srv/missing", Zone::ReadOnly, "No such file"),
            ("unit", Zone::ReadOnly, ""),
            ("unit", Zone::Writable, "contains the charm"),
            ("unit/charm/hooks", Zone::Writable, "contains the charm"),
            ("unit/charm/hooks", Zone::ReadOnly, ""),
        ] {
            let added = roots.add(&base.join(path), zone);
            let message = added.err().map(|error| error.chain().to_string());
            let message = message.unwrap_or_default();
            assert!(
                message.contains(wanted) && (wanted.is_empty() == message.is_empty()),
                "{path} {zone:?}: {message}"
            );
        }
    }

    #[test]
    fn a_link_of_the_machine_leads_to_storage_and_one_of_the_guest_does_not() {
        let (_dir, base, mut roots) = scene();
        symlink(base.join("srv"), base.join("juju")).unwrap();
        roots.add_named(&base.join("juju/other")).unwrap();
        let path = format!("{}/juju/other", base.display());
        assert!(roots.at(&path).is_some());
        roots.add(&base.join("srv/data"), Zone::Writable).unwrap();
        symlink("/var", base.join("srv/data/made")).unwrap();
        let rejected = roots.add_named(&base.join("srv/data/made/lib"));
        assert!(matches!(rejected, Err(RootError::Link { .. })));
    }

    #[test]
    fn the_kernel_and_devices_are_never_granted() {
        let (_dir, _, mut roots) = scene();
        for path in ["/proc", "/proc/self", "/sys/kernel", "/dev", "/dev/null"] {
            let rejected = roots.add(Path::new(path), Zone::ReadOnly);
            assert!(matches!(rejected, Err(RootError::System { .. })), "{path}");
        }
        assert_eq!(system_part(Path::new("/process")), None);
    }

    #[test]
    fn directories_above_roots_have_their_names() {
        let (_dir, base, mut roots) = scene();
        roots.add(&base.join("srv/data"), Zone::Writable).unwrap();
        let base = base.to_str().unwrap();
        let names: Vec<&str> = roots.names_in(base).collect();
        assert_eq!(names, ["srv", "unit"]);
        assert!(roots.is_above("") && roots.is_above(&format!("{base}/srv")));
        assert!(!roots.is_above(&format!("{base}/srv/data")));
    }
}
