//! `confine hold`: outside of the world, holds its life.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use charmhost_isolation::wire::{Config, Report, Step};
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::failed::{Context, Result, report};
use crate::first::joined;

/// Makes a world, and ends it when the standard input is closed.
pub fn hold(config: &OsStr) -> ExitCode {
    let started = parse(config).and_then(|parsed| start(&parsed, config));
    let mut first = match started {
        Ok(first) => first,
        Err(failure) => {
            report(&Report::Failed(failure));
            return ExitCode::FAILURE;
        }
    };
    let watched = watch(&first);
    // Both fail only if it has ended already.
    let _ = first.kill();
    let _ = first.wait();
    if let Ok(Config {
        scratch: Some(scratch),
        ..
    }) = parse(config)
    {
        clear(&scratch);
    }
    match watched {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Reads the configuration from the command line.
pub fn parse(config: &OsStr) -> Result<Config> {
    let parsed = serde_json::from_slice(config.as_encoded_bytes());
    parsed.at(
        Step::Other,
        format!("cannot understand {}", config.display()),
    )
}

/// How the world's first process comes by its powers over mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is root of the machine, and enters a user namespace last.
    Root,
    /// It is in a user namespace from the start.
    User,
}

impl Role {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::User => "user",
        }
    }
}

fn start(config: &Config, text: &OsStr) -> Result<Child> {
    let role = role();
    if role == Role::User {
        enter_users(joined(config.network, "user")?, std::process::id(), role)?;
    }
    unshare(CloneFlags::CLONE_NEWPID).at(Step::Namespaces, "cannot make a process namespace")?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("first").arg(text).arg(role.name());
    command.spawn().at(Step::Other, "cannot run confine")
}

fn role() -> Role {
    let root = rustix::process::geteuid().is_root();
    if root && unshare(CloneFlags::CLONE_NEWNS).is_ok() {
        Role::Root
    } else {
        Role::User
    }
}

/// Enters a new user namespace and waits until its ids are mapped, or that of
/// the world whose network is joined: only there does root have power over it.
pub fn enter_users(joined: Option<File>, pid: u32, role: Role) -> Result<()> {
    if let Some(users) = joined {
        let joined = move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User));
        return joined.at(Step::Namespaces, "cannot join the users of the other world");
    }
    unshare(CloneFlags::CLONE_NEWUSER).at(Step::Namespaces, "cannot make a user namespace")?;
    let root = role == Role::Root;
    report(&Report::Unmapped { pid, root });
    let mapped = io::stdin().read_exact(&mut [0]);
    mapped.at(Step::Other, "cannot wait for the ids of the world")
}

/// Waits until the standard input is closed, or the world's first process ends.
fn watch(first: &Child) -> rustix::io::Result<()> {
    let stdin = io::stdin();
    let ended = rustix::process::pidfd_open(Pid::from_child(first), PidfdFlags::empty())?;
    let mut files = [
        // Bytes are for the first process; the end of the input needs no asking.
        PollFd::new(&stdin, PollFlags::empty()),
        PollFd::new(&ended, PollFlags::IN),
    ];
    loop {
        match rustix::event::poll(&mut files, None) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Removes what the world wrote. It may belong to users that exist only in the
/// world's user namespace, which this process is in.
fn clear(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        // What is left is left to the system's own cleaning of temporary files.
        let _ = fs::remove_dir_all(entry.path());
    }
}
