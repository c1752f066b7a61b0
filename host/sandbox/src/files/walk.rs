//! What a guest's path names.
//!
//! A path is walked component by component from the descriptors of the roots,
//! none of which is opened by way of a link. Links are read and resolved here,
//! in the guest's own tree, so that a link leads wherever the same path would
//! lead and nowhere else. No string is compared with a path of the machine.

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
/// How many links one path may lead through, as in Linux.
const MAX_LINKS: u32 = 40;
/// How many directories are opened for one path. Forty links of 4096 bytes
/// with steps up and down could else take seconds.
const MAX_OPENS: u32 = 20_000;
/// How many directories of a path stay open for the steps up from it.
const MAX_PARENTS: usize = 32;

/// A directory of a guest's tree, or a root that is a file.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Directory(Directory),
    /// A granted file.
    File {
        fd: Arc<OwnedFd>,
        root: usize,
    },
    /// A directory that exists only because a root lies beneath it.
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
    /// What a guest may do with an entry of this directory.
    pub fn zone_of(&self, name: &str) -> Zone {
        match self.is_charm && protected::is_protected(name) {
            true => Zone::Protected,
            false => self.zone,
        }
    }

    /// Whether an entry of this directory is not for the guest.
    pub fn hides(&self, name: &str) -> bool {
        self.is_charm && protected::is_hidden(name)
    }
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

/// What a path names.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// The path in the guest's tree, without links and dots.
    pub path: String,
    pub spot: Spot,
    /// Whether the path ends in a slash and so names a directory.
    pub has_slash: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Spot {
    /// A directory that cannot be renamed, removed or replaced: it is a root,
    /// lies above one, or was named without its own name, as by `..`.
    Fixed(Node),
    /// An entry of a directory, which may not exist.
    Entry { parent: Directory, name: String },
}

impl Located {
    /// What a guest may do here.
    pub fn zone(&self) -> Zone {
        match &self.spot {
            Spot::Entry { parent, name } => parent.zone_of(name),
            Spot::Fixed(Node::Directory(directory)) => directory.zone,
            Spot::Fixed(_) => Zone::ReadOnly,
        }
    }

    /// Whether it is in the charm's directory although its path is not: no
    /// other root has the path.
    pub fn is_fallback(&self, roots: &Roots) -> bool {
        let root = match &self.spot {
            Spot::Entry { parent, .. } => parent.root,
            Spot::Fixed(Node::Directory(directory)) => directory.root,
            Spot::Fixed(Node::File { root, .. }) => *root,
            Spot::Fixed(Node::Virtual) => CHARM,
        };
        root == CHARM && !roots.is_in_charm(&self.path)
    }
}

/// Why a path names nothing.
#[derive(Debug)]
pub(super) enum WalkError {
    /// It names nothing that there is.
    Code(ErrorCode),
    /// It leads to the root that is opened when somebody looks for it.
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
    /// Open directories above, with the length of their paths.
    parents: VecDeque<(usize, Node)>,
    links: u32,
    opens: u32,
}

impl<'a> Walk<'a> {
    /// Resolves a path from a directory, which is given by its path and what
    /// it is.
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
            walk.to_top()?;
        }
        let trimmed = path.trim_end_matches('/');
        let has_slash = trimmed.len() != path.len();
        let last = if has_slash { Last::Follow } else { last };
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
                        self.to_top()?;
                    }
                    rest.extend(target.rsplit('/').map(str::to_owned));
                }
            }
        }
        Ok(Spot::Fixed(self.node.clone()))
    }

    /// Goes to the top of the guest's tree.
    fn to_top(&mut self) -> Result<(), ErrorCode> {
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
        if matches!(self.node, Node::File { .. }) {
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
        // The directory was left behind long ago: it is walked to again, which
        // meets no link unless somebody else has put one there.
        let path = std::mem::take(&mut self.path);
        self.to_top()?;
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

    /// Goes one name on, or finds what is there.
    fn step(&mut self, name: &str, is_last: bool, last: Last) -> Result<Step, WalkError> {
        let next = format!("{}/{name}", self.path);
        if let Some((index, root)) = self.roots.at(&next) {
            let node = node_of(index, root);
            if !is_last && matches!(node, Node::File { .. }) {
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
            Node::File { .. } => return Err(ErrorCode::NotDirectory.into()),
            Node::Virtual => Err(ErrorCode::NoEntry),
        };
        // What leads to a root stays a directory, whatever the charm has there.
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

    /// What an entry of a directory is, without following it.
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
    /// The end of the path is an entry of this directory, or could be one.
    Entry(Directory),
    /// A link to be followed.
    Link(String),
}

enum Found {
    Directory(Directory),
    Link(String),
    Other,
}

/// The top of the guest's tree: what lies in no root is looked for in the
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
        false => Node::File { fd, root: index },
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

/// What is left of a path when a directory that it is in has another path now.
pub(super) fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    is_in(path, from).then(|| format!("{to}{}", path.get(from.len()..).unwrap_or_default()))
}
