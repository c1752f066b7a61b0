//! The second wall: what the kernel keeps this process from, should a guest get
//! past the first.
//!
//! Landlock restricts the calling thread and all that it starts. It promises
//! that no file outside the roots is opened, made, renamed or removed, and that
//! TCP connects to granted ports only; no more. Looking at a file's metadata,
//! UDP, and Unix sockets are not its business: scopes, which would cover
//! abstract sockets, are never used, as some Juju agents listen on one.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use rustix::fs::{Mode, OFlags};

/// What a restricted process can still reach.
#[derive(Debug, Default)]
pub struct Rules<'a> {
    /// Opened directories that may be written.
    pub writable: Vec<BorrowedFd<'a>>,
    /// Opened directories that may be read.
    pub readable: Vec<BorrowedFd<'a>>,
    /// Opened files that may be read.
    pub files: Vec<BorrowedFd<'a>>,
    /// Paths of directories that may be written, as far as there are any.
    pub writable_paths: Vec<&'a Path>,
    /// Paths of files that may be read, as far as there are any.
    pub file_paths: Vec<&'a Path>,
    /// TCP ports that may be connected to; none for every port.
    pub connect: Option<Vec<u16>>,
    /// Whether a socket may be given a port by the system.
    pub bind: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restriction {
    /// The kernel restricts this thread from now on.
    Enforced,
    /// The kernel cannot, or is not allowed to: why.
    Absent(String),
}

/// Landlock below this version denies renames between directories.
const REQUIRED: ABI = ABI::V2;
/// The newest version whose rights on files are handled.
const HANDLED: ABI = ABI::V5;

/// Restricts the calling thread, for good, and takes from it the means to gain
/// privileges by running a program.
pub fn restrict(rules: &Rules) -> Restriction {
    // Landlock wants this as well, and it is worth having without.
    if let Err(errno) = rustix::thread::set_no_new_privs(true) {
        return Restriction::Absent(format!("cannot give up new privileges: {errno}"));
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

/// What may be done beneath a directory that may be written: nothing that makes
/// devices, pipes or sockets, and nothing that runs programs.
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

/// The same for a path, if there is something.
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
