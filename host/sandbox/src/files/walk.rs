//! Resolution of a guest's paths.
//!
//! A path is walked component by component from the descriptors of the roots,
//! none of which was opened through a link. Links are read and resolved here, in
//! the guest's tree, so that a link leads where the same path would lead and
//! nowhere else. No text is compared with a path of the machine.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::code;
use super::protected::{self, Zone};
use super::roots::{CHARM, Root, Roots, id_of, is_in, kernel_file_system, system_part};

/// The longest path, in bytes, as in Linux.
pub(super) const MAX_PATH: usize = 4096;
/// The longest name in a directory, in bytes, as in Linux.
const MAX_NAME: usize = 255;
/// Links that one path may lead through, as in Linux.
const MAX_LINKS: u32 = 40;
/// Directories that are opened for one path. Without a limit, forty links of
/// 4096 bytes with steps up and down could take seconds.
const MAX_OPENS: u32 = 20_000;
/// Parent directories that stay open for steps up.
const MAX_PARENTS: usize = 32;

/// A directory of a guest's tree, or a root that is a file.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Directory(Directory),
    /// A granted file.
    File(Arc<OwnedFd>),
    /// A directory that exists only because a root is beneath it.
    Virtual,
}

/// An opened directory of a root.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    pub fd: Arc<OwnedFd>,
    pub root: usize,
    pub zone: Zone,
    /// Whether it is the charm's directory itself.
    pub is_charm: bool,
    /// The file system that it is in.
    pub device: u64,
}

impl Directory {
    /// The zone of an entry of this directory.
    pub fn zone_of(&self, name: &str) -> Zone {
        match self.is_charm && protected::is_protected(name) {
            true => Zone::Protected,
            false => self.zone,
        }
    }

    /// Whether an entry of this directory is hidden from the guest.
    pub fn hides(&self, name: &str) -> bool {
        self.is_charm && protected::is_hidden(name)
    }
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    /// Only with a trailing slash.
    Keep,
    /// Never: the entry itself is created, renamed or removed.
    Entry,
}

/// What a path resolves to.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// The path in the guest's tree, without links and dots.
    pub path: String,
    pub spot: Spot,
    /// Whether the path has a trailing slash and so must be a directory.
    pub has_slash: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Spot {
    /// A directory that cannot be renamed, removed or replaced: it is a root, is
    /// above one, or its own name is not part of the path, for example in `..`.
    Fixed(Node),
    /// An entry of a directory, which may not exist.
    Entry { parent: Directory, name: String },
}

impl Located {
    /// The zone.
    pub fn zone(&self) -> Zone {
        match &self.spot {
            Spot::Entry { parent, name } => parent.zone_of(name),
            Spot::Fixed(Node::Directory(directory)) => directory.zone,
            Spot::Fixed(_) => Zone::ReadOnly,
        }
    }
}

/// Why a path cannot be resolved.
#[derive(Debug)]
pub(super) enum WalkError {
    /// It fails with this error.
    Code(ErrorCode),
    /// It leads to an entry of the charm's directory that is hidden from the
    /// guest, or through it: this path.
    Hidden(String),
    /// It leads to the root that is opened at its first use.
    Deferred,
}

impl From<ErrorCode> for WalkError {
    fn from(code: ErrorCode) -> Self {
        WalkError::Code(code)
    }
}

/// A walk along one path.
pub(super) struct Walk<'a> {
    roots: &'a Roots,
    path: String,
    node: Node,
    /// Open parent directories, with the length of their paths.
    parents: VecDeque<(usize, Node)>,
    links: u32,
    opens: u32,
}

impl<'a> Walk<'a> {
    /// Resolves a path from a directory and its path.
    pub fn resolve(
        roots: &'a Roots,
        from: (&str, &Node),
        path: &str,
        last: Last,
    ) -> Result<Located, WalkError> {
        if path.len() >= MAX_PATH {
            return Err(ErrorCode::NameTooLong.into());
        }
        if path.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        if path.contains('\0') {
            return Err(ErrorCode::Invalid.into());
        }
        let mut walk = Walk {
            roots,
            path: from.0.to_owned(),
            node: from.1.clone(),
            parents: VecDeque::new(),
            links: 0,
            opens: 0,
        };
        if path.starts_with('/') {
            walk.go_to_top()?;
        }
        let trimmed = path.trim_end_matches('/');
        let has_slash = trimmed.len() != path.len();
        let last = match last {
            Last::Keep if has_slash => Last::Follow,
            last => last,
        };
        let spot = walk.run(trimmed, last)?;
        Ok(Located {
            path: walk.path,
            spot,
            has_slash,
        })
    }

    fn run(&mut self, path: &str, last: Last) -> Result<Spot, WalkError> {
        let mut rest: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    self.up()?;
                    continue;
                }
                name if name.len() > MAX_NAME => return Err(ErrorCode::NameTooLong.into()),
                _ => {}
            }
            let is_last = rest.is_empty();
            match self.step(&part, is_last, last)? {
                Step::Entered => {}
                Step::Entry(parent) => {
                    self.path.push('/');
                    self.path.push_str(&part);
                    return Ok(Spot::Entry { parent, name: part });
                }
                Step::Link(target) => {
                    self.links += 1;
                    if self.links > MAX_LINKS {
                        return Err(ErrorCode::Loop.into());
                    }
                    if target.starts_with('/') {
                        self.go_to_top()?;
                    }
                    rest.extend(target.rsplit('/').map(str::to_owned));
                }
            }
        }
        Ok(Spot::Fixed(self.node.clone()))
    }

    /// Goes to the top of the guest's tree.
    fn go_to_top(&mut self) -> Result<(), ErrorCode> {
        self.path.clear();
        self.parents.clear();
        self.node = top(self.roots)?;
        Ok(())
    }

    /// Goes to the directory above.
    fn up(&mut self) -> Result<(), WalkError> {
        let Some(length) = self.path.rfind('/') else {
            return Ok(());
        };
        if matches!(self.node, Node::File(_)) {
            return Err(ErrorCode::NotDirectory.into());
        }
        self.path.truncate(length);
        if let Some((known, node)) = self.parents.pop_back() {
            if known == length {
                self.node = node;
                return Ok(());
            }
            self.parents.clear();
        }
        // The directory is not open any more: it is walked to again, without any
        // link unless another process has created one.
        let path = std::mem::take(&mut self.path);
        self.go_to_top()?;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match self.step(part, false, Last::Keep)? {
                Step::Entered => {}
                Step::Link(_) | Step::Entry(_) => return Err(ErrorCode::NoEntry.into()),
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &str, node: Node) {
        if self.parents.len() >= MAX_PARENTS {
            self.parents.pop_front();
        }
        let parent = std::mem::replace(&mut self.node, node);
        self.parents.push_back((self.path.len(), parent));
        self.path.push('/');
        self.path.push_str(name);
    }

    /// Enters a directory, or returns another kind of entry.
    fn step(&mut self, name: &str, is_last: bool, last: Last) -> Result<Step, WalkError> {
        let next = format!("{}/{name}", self.path);
        if let Some((index, root)) = self.roots.at(&next) {
            let node = node_of(index, root);
            if !is_last && matches!(node, Node::File(_)) {
                return Err(ErrorCode::NotDirectory.into());
            }
            self.enter(name, node);
            return Ok(Step::Entered);
        }
        if self.roots.is_deferred(&next) {
            return Err(WalkError::Deferred);
        }
        let is_above = self.roots.is_above(&next);
        let found = match &self.node {
            Node::Directory(directory) => {
                let directory = directory.clone();
                self.look(&directory, name, &next)
            }
            Node::File(_) => return Err(ErrorCode::NotDirectory.into()),
            Node::Virtual => Err(ErrorCode::NoEntry),
        };
        // What leads to a root is a directory, whatever the charm has at that path.
        if is_above {
            let node = match found {
                Ok(Found::Directory(directory)) => Node::Directory(directory),
                _ => Node::Virtual,
            };
            self.enter(name, node);
            return Ok(Step::Entered);
        }
        let Node::Directory(parent) = &self.node else {
            return Err(ErrorCode::NoEntry.into());
        };
        if parent.hides(name) {
            return Err(WalkError::Hidden(next));
        }
        match found {
            Ok(Found::Link(target)) if !is_last || last == Last::Follow => Ok(Step::Link(target)),
            Ok(_) | Err(ErrorCode::NoEntry) if is_last => Ok(Step::Entry(parent.clone())),
            Ok(Found::Directory(directory)) => {
                self.enter(name, Node::Directory(directory));
                Ok(Step::Entered)
            }
            Ok(Found::Other | Found::Link(_)) => Err(ErrorCode::NotDirectory.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The kind of an entry, without following a link.
    fn look(&mut self, parent: &Directory, name: &str, path: &str) -> Result<Found, ErrorCode> {
        let is_system = parent.root != CHARM && system_part(Path::new(path)).is_some();
        if parent.hides(name) || is_system {
            return Err(ErrorCode::NotPermitted);
        }
        self.opens += 1;
        if self.opens > MAX_OPENS {
            return Err(ErrorCode::Loop);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&parent.fd, name, flags, Mode::empty()).map_err(code)?;
        let stat = fs::fstat(&fd).map_err(code)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let device = id_of(&stat).0;
                if device != parent.device && kernel_file_system(&fd).is_some() {
                    return Err(ErrorCode::NotPermitted);
                }
                Ok(Found::Directory(Directory {
                    device,
                    fd: Arc::new(fd),
                    root: parent.root,
                    zone: parent.zone_of(name),
                    is_charm: false,
                }))
            }
            FileType::Symlink => {
                let target = fs::readlinkat(&fd, "", Vec::new()).map_err(code)?;
                let target = target.into_string();
                Ok(Found::Link(
                    target.map_err(|_| ErrorCode::IllegalByteSequence)?,
                ))
            }
            _ => Ok(Found::Other),
        }
    }
}

enum Step {
    Entered,
    /// The end of the path is a possible entry of this directory.
    Entry(Directory),
    /// A link that is to be followed.
    Link(String),
}

enum Found {
    Directory(Directory),
    Link(String),
    Other,
}

/// The top of the guest's tree: paths outside of all roots are resolved in the
/// charm's directory, unless `/` itself is granted.
pub(super) fn top(roots: &Roots) -> Result<Node, ErrorCode> {
    let charm = roots.get(CHARM).map(|charm| (CHARM, charm));
    let (index, root) = roots.at("").or(charm).ok_or(ErrorCode::NoEntry)?;
    Ok(node_of(index, root))
}

fn node_of(index: usize, root: &Root) -> Node {
    let fd = root.fd.clone();
    match root.is_directory {
        true => Node::Directory(Directory {
            fd,
            root: index,
            zone: root.zone,
            is_charm: index == CHARM,
            device: root.device,
        }),
        false => Node::File(fd),
    }
}

/// Reads a link that is an entry of a directory.
pub(super) fn read_link(parent: &Directory, name: &str) -> Result<String, ErrorCode> {
    match fs::readlinkat(&parent.fd, name, Vec::new()) {
        Ok(target) => target
            .into_string()
            .map_err(|_| ErrorCode::IllegalByteSequence),
        Err(Errno::INVAL) => Err(ErrorCode::Invalid),
        Err(errno) => Err(code(errno)),
    }
}

/// The new path of an entry when a directory above it was renamed.
pub(super) fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    is_in(path, from).then(|| format!("{to}{}", path.get(from.len()..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// A charm, a writable directory with a readable one in it, and a directory
    /// that is not granted.
    fn scene() -> (tempfile::TempDir, String, Roots) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for name in ["charm/hooks", "charm/src", "srv/data/x/sub", "outside"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        for name in ["charm/dispatch", "charm/.unit-state.db", "outside/secret"] {
            std::fs::write(base.join(name), "").unwrap();
        }
        let absolute = |name: &str| base.join(name);
        symlink(absolute("outside"), base.join("charm/out")).unwrap();
        symlink("../../outside", base.join("srv/data/up")).unwrap();
        symlink("src", base.join("charm/lib")).unwrap();
        symlink("loop", base.join("charm/loop")).unwrap();
        symlink("hooks", base.join("charm/alias")).unwrap();
        let mut roots = Roots::new(&base.join("charm")).unwrap();
        roots.add(&base.join("srv/data"), Zone::Writable).unwrap();
        let sub = PathBuf::from("srv/data/x/sub");
        roots.add(&base.join(sub), Zone::ReadOnly).unwrap();
        let base = base.to_str().unwrap().to_owned();
        (dir, base, roots)
    }

    fn resolve(roots: &Roots, path: &str, last: Last) -> Result<Located, ErrorCode> {
        let top = top(roots).unwrap();
        Walk::resolve(roots, ("", &top), path, last).map_err(|error| match error {
            WalkError::Code(code) => code,
            WalkError::Hidden(_) => ErrorCode::NotPermitted,
            WalkError::Deferred => panic!("nothing is deferred"),
        })
    }

    #[test]
    fn links_lead_where_the_same_path_would() {
        let (_dir, base, roots) = scene();
        for (path, wanted) in [
            ("/src/x", Ok("/src/x".to_owned())),
            ("/lib/x", Ok("/src/x".to_owned())),
            (
                "BASE/charm/lib/../dispatch",
                Ok("BASE/charm/dispatch".into()),
            ),
            ("BASE/srv/data/new", Ok("BASE/srv/data/new".into())),
            ("/../..", Ok(String::new())),
            // Neither is in a root, so both are resolved in the charm's directory.
            ("/out/secret", Err(ErrorCode::NoEntry)),
            ("BASE/srv/data/up/secret", Err(ErrorCode::NoEntry)),
            ("BASE/outside/secret", Err(ErrorCode::NoEntry)),
            ("/loop/x", Err(ErrorCode::Loop)),
            ("/dispatch/x", Err(ErrorCode::NotDirectory)),
            ("/.unit-state.db", Err(ErrorCode::NotPermitted)),
            (
                "/src/../.unit-state.db-journal",
                Err(ErrorCode::NotPermitted),
            ),
            ("", Err(ErrorCode::NoEntry)),
            ("a\0b", Err(ErrorCode::Invalid)),
        ] {
            let found = resolve(&roots, &path.replace("BASE", &base), Last::Follow);
            let found = found.map(|located| located.path);
            let wanted = wanted.map(|path: String| path.replace("BASE", &base));
            assert_eq!(found, wanted, "{path}");
        }
    }

    #[test]
    fn lengths_are_checked_before_any_work() {
        let (_dir, _, roots) = scene();
        for path in ["a/".repeat(150_000), "x".repeat(256), "x".repeat(4096)] {
            let found = resolve(&roots, &path, Last::Follow);
            assert_eq!(found.unwrap_err(), ErrorCode::NameTooLong);
        }
        let path = "src/../".repeat(580);
        assert_eq!(resolve(&roots, &path, Last::Follow).unwrap().path, "");
    }

    #[test]
    fn what_decides_what_runs_is_protected_under_every_name() {
        let (_dir, base, roots) = scene();
        for (path, wanted) in [
            ("/dispatch", Zone::Protected),
            ("BASE/charm/dispatch", Zone::Protected),
            ("/hooks/start", Zone::Protected),
            ("/alias/start", Zone::Protected),
            ("BASE/charm/src/../hooks", Zone::Protected),
            ("/src/dispatch", Zone::Writable),
            ("BASE/srv/data/dispatch", Zone::Writable),
            ("BASE/srv/data/x/sub/new", Zone::ReadOnly),
            ("BASE/srv/data/x/new", Zone::Writable),
        ] {
            let found = resolve(&roots, &path.replace("BASE", &base), Last::Keep);
            assert_eq!(found.unwrap().zone(), wanted, "{path}");
        }
    }

    #[test]
    fn roots_and_what_leads_to_them_stay() {
        let (_dir, base, roots) = scene();
        for (path, is_fixed) in [
            ("BASE/srv/data", true),
            ("BASE/srv/data/x", true),
            ("BASE/srv/data/x/sub", true),
            ("BASE/srv", true),
            ("BASE/charm", true),
            ("/src/..", true),
            ("/src", false),
            ("BASE/srv/data/y", false),
            ("BASE/srv/data/x/sub/y", false),
        ] {
            let found = resolve(&roots, &path.replace("BASE", &base), Last::Keep);
            let spot = found.unwrap().spot;
            assert_eq!(matches!(spot, Spot::Fixed(_)), is_fixed, "{path}");
        }
    }

    #[test]
    fn a_directory_that_moved_keeps_what_is_below() {
        for (path, wanted) in [
            ("/a/b", Some("/c/d")),
            ("/a/b/x", Some("/c/d/x")),
            ("/a/bc", None),
        ] {
            assert_eq!(moved(path, "/a/b", "/c/d").as_deref(), wanted, "{path}");
        }
    }
}
