//! The second wall: the kernel restricts this process, in case a guest escapes
//! from the sandbox.
//!
//! Landlock restricts the calling thread and everything that it starts. No file
//! outside of the roots is opened, created, renamed or removed, and TCP connects
//! to granted ports only. Not restricted are metadata of files, UDP, and Unix
//! sockets: scopes, which would cover abstract sockets, are never used, because
//! some Juju agents listen on one.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use rustix::fs::{Mode, OFlags};

/// What a restricted process can access.
#[derive(Debug, Default)]
pub struct Rules<'a> {
    /// Opened directories that may be written.
    pub writable: Vec<BorrowedFd<'a>>,
    /// Opened directories that may be read.
    pub readable: Vec<BorrowedFd<'a>>,
    /// Opened files that may be read.
    pub files: Vec<BorrowedFd<'a>>,
    /// Paths of directories that may be written. Missing ones are ignored.
    pub writable_paths: Vec<&'a Path>,
    /// Paths of files that may be read. Missing ones are ignored.
    pub file_paths: Vec<&'a Path>,
    /// TCP ports that may be connected to; `None` for every port.
    pub connect: Option<Vec<u16>>,
    /// Whether sockets may be bound to port 0, an ephemeral port.
    pub bind: bool,
}

/// The result of [`restrict`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restriction {
    /// The kernel restricts this thread from now on.
    Enforced,
    /// The kernel cannot or may not restrict the thread, for this reason.
    Absent(String),
}

/// The oldest usable version of Landlock: older ones deny renames between
/// directories.
const REQUIRED: ABI = ABI::V2;
/// The newest version of Landlock whose rights on files are handled.
const HANDLED: ABI = ABI::V5;

/// Restricts the calling thread irrevocably, and sets `no_new_privs`.
pub fn restrict(rules: &Rules) -> Restriction {
    // Landlock requires it, and it is useful without Landlock as well.
    if let Err(errno) = rustix::thread::set_no_new_privs(true) {
        return Restriction::Absent(format!("cannot set no_new_privs: {errno}"));
    }
    match enforce(rules) {
        Ok(()) => Restriction::Enforced,
        Err(error) => Restriction::Absent(error.to_string()),
    }
}

fn enforce(rules: &Rules) -> Result<(), RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(REQUIRED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(HANDLED))?
        .handle_access(AccessNet::BindTcp)?;
    if rules.connect.is_some() {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut ruleset = ruleset.create()?;
    let read_directory = AccessFs::ReadFile | AccessFs::ReadDir;
    for fd in &rules.writable {
        ruleset = beneath(ruleset, fd, write_access())?;
    }
    for fd in &rules.readable {
        ruleset = beneath(ruleset, fd, read_directory)?;
    }
    for fd in &rules.files {
        ruleset = beneath(ruleset, fd, AccessFs::ReadFile.into())?;
    }
    for path in &rules.writable_paths {
        ruleset = at(ruleset, path, write_access())?;
    }
    for path in &rules.file_paths {
        ruleset = at(ruleset, path, AccessFs::ReadFile.into())?;
    }
    for port in rules.connect.iter().flatten() {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    if rules.bind {
        ruleset = ruleset.add_rule(NetPort::new(0, AccessNet::BindTcp))?;
    }
    ruleset.restrict_self().map(drop)
}

/// Rights beneath a writable directory: no creation of devices, pipes or sockets,
/// and no execution of programs.
fn write_access() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSym
        | AccessFs::Refer
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
}

fn beneath(
    ruleset: RulesetCreated,
    fd: impl AsFd,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    ruleset.add_rule(PathBeneath::new(fd, access))
}

/// Adds a rule for a path; none if nothing exists there.
fn at(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => beneath(ruleset, fd, access),
        Err(_) => Ok(ruleset),
    }
}
