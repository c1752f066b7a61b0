//! `confine supervise`: starts the first process inside, and kills it when the
//! caller closes the standard input or ends.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use charmhost_isolation::wire::{Config, Report, Step};
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use crate::arguments::{Role, parse_config};
use crate::report::{Context, Result, report};
use crate::users::{enter_users, open_joined};

/// Sets an isolated root up, and ends it when the standard input is closed.
pub fn supervise(config: &OsStr) -> ExitCode {
    let started = parse_config(config).and_then(|parsed| start(&parsed, config));
    let mut init = match started {
        Ok(init) => init,
        Err(failure) => {
            report(&Report::Failed(failure));
            return ExitCode::FAILURE;
        }
    };
    let waited = wait(&init);
    // Both fail only if it has ended already.
    let _ = init.kill();
    let _ = init.wait();
    if let Ok(Config {
        scratch: Some(scratch),
        ..
    }) = parse_config(config)
    {
        clear(&scratch);
    }
    match waited {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn start(config: &Config, text: &OsStr) -> Result<Child> {
    let role = role();
    if role == Role::User {
        enter_users(
            open_joined(config.network, "user")?,
            std::process::id(),
            role,
        )?;
    }
    unshare(CloneFlags::CLONE_NEWPID).at(Step::Namespaces, "cannot make a process namespace")?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("init").arg(text).arg(role.name());
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

/// Waits until the standard input is closed or the first process inside ends.
fn wait(init: &Child) -> rustix::io::Result<()> {
    let stdin = io::stdin();
    let ended = rustix::process::pidfd_open(Pid::from_child(init), PidfdFlags::empty())?;
    let mut files = [
        // Bytes are for `confine init`; the end of input is always reported.
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

/// Removes written files. They may belong to users that exist only in the user
/// namespace, in which this process is too.
fn clear(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        // The system cleans up temporary files that remain.
        let _ = fs::remove_dir_all(entry.path());
    }
}
