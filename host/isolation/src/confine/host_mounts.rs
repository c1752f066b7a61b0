//! Mount table of the machine.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::report::{Context, Result};

/// File systems that are interfaces of the kernel and store no files.
const KERNEL_FILESYSTEMS: [&str; 22] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
    "resctrl",
];

/// A mount point, with the file system that was mounted there last.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    path: PathBuf,
    kind: String,
}

/// The mount points of this process.
#[derive(Debug)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads them from the kernel.
    pub fn read() -> Result<Self> {
        let path = Path::new("/proc/self/mountinfo");
        let bytes = fs::read(path).doing("read", path)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut mounts: Vec<Mount> = Vec::new();
        for mount in bytes.split(|byte| *byte == b'\n').filter_map(parse_line) {
            mounts.retain(|other| other.path != mount.path);
            mounts.push(mount);
        }
        Mounts(mounts)
    }

    /// Whether a path is a mount point.
    pub fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|mount| mount.path == path)
    }

    /// Whether an interface of the kernel is mounted at a path.
    pub fn is_kernel_filesystem(&self, path: &Path) -> bool {
        let mut mounts = self.0.iter();
        mounts.any(|mount| mount.path == path && KERNEL_FILESYSTEMS.contains(&mount.kind.as_str()))
    }

    /// Every mount point strictly below a directory.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        let paths = self.0.iter().map(|mount| mount.path.as_path());
        paths.filter(move |other| *other != path && other.starts_with(path))
    }

    /// The mount points below a directory that are not below another of them.
    pub fn topmost_below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        self.below(path).filter(move |candidate| {
            let mut between = self.below(path);
            !between.any(|other| other != *candidate && candidate.starts_with(other))
        })
    }
}

/// `id parent major:minor root MOUNT-POINT options [tag…] - KIND source options`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = fields.nth(4)?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        path: PathBuf::from(OsString::from_vec(unescape(path))),
        kind: String::from_utf8_lossy(kind).into_owned(),
    })
}

/// Spaces, tabs, newlines and backslashes are `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut rest = field.iter().copied();
    let mut bytes = Vec::with_capacity(field.len());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => {
                let digits = rest.by_ref().take(3);
                digits.fold(0, |value: u8, digit| {
                    value.wrapping_mul(8).wrapping_add(digit.wrapping_sub(b'0'))
                })
            }
            byte => byte,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 27 0:25 / /home ro - tmpfs none ro
29 27 0:26 / /home/a\\040b rw master:2 propagate_from:1 - xfs /dev/vdb rw
30 27 0:27 / /home ro - ext4 /dev/vdc ro
31 29 0:28 / /home/a\\040b/c rw - btrfs none rw
";

    #[test]
    fn the_table_is_read() {
        let mounts = Mounts::parse(TABLE);
        let paths = |paths: Vec<&Path>| {
            let mut paths: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            paths.sort();
            paths
        };
        let root = Path::new("/");
        assert_eq!(
            paths(mounts.below(root).collect()),
            ["/home", "/home/a b", "/home/a b/c", "/proc"]
        );
        assert_eq!(
            paths(mounts.topmost_below(root).collect()),
            ["/home", "/proc"]
        );
        let home = Path::new("/home");
        assert_eq!(paths(mounts.topmost_below(home).collect()), ["/home/a b"]);
        assert!(mounts.is_kernel_filesystem(Path::new("/proc")));
        assert!(!mounts.is_kernel_filesystem(home));
        assert!(mounts.has(home) && !mounts.has(Path::new("/hom")));
    }
}
