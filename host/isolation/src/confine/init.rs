//! `confine init`: the first process inside. It sets everything up, and then
//! reaps orphaned processes.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use charmhost_isolation::wire::{Config, Network, Report, Step};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::process::{Signal as Kill, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::arguments::{Role, parse_config};
use crate::report::{Context, Result, report};
use crate::users::{enter_users, open_joined};
use crate::{network, root};

/// Sets the isolated root up, reports that, and runs until it is killed.
pub fn init(config: &OsStr, role: &OsStr) -> ExitCode {
    let role = Role::from_name(role);
    match parse_config(config).and_then(|config| set_up(&config, role)) {
        Ok(pid) => report(&Report::Ready { pid }),
        Err(failure) => {
            report(&Report::Failed(failure));
            return ExitCode::FAILURE;
        }
    }
    reap()
}

/// Returns the id of this process in the machine's process namespace.
fn set_up(config: &Config, role: Role) -> Result<u32> {
    // Only the machine's /proc has this id.
    let pid = outer_pid()?;
    let network = open_joined(config.network, "net")?;
    let users = open_joined(config.network, "user")?;
    unshare(CloneFlags::CLONE_NEWNS).at(Step::Namespaces, "cannot make a mount namespace")?;
    root::build(config)?;
    let mut spaces = CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if role == Role::Root {
        // A mount namespace made inside the user namespace locks the mounts
        // made so far: root inside cannot unmount them.
        enter_users(users, pid, role)?;
        spaces |= CloneFlags::CLONE_NEWNS;
    }
    if let Network::Private = config.network {
        spaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(spaces).at(Step::Namespaces, "cannot make namespaces")?;
    if let Some(network) = network {
        let joined = move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network));
        joined.at(
            Step::Namespaces,
            "cannot enter the network of the other container",
        )?;
    }
    if let Network::Private = config.network {
        network::loopback_up().at(Step::Other, "cannot set the loopback interface up")?;
    }
    let named = rustix::system::sethostname(config.hostname.as_bytes());
    named.at(
        Step::Other,
        format!("cannot set the host name {:?}", config.hostname),
    )?;
    // Last, because a change of credentials resets it.
    rustix::process::set_parent_process_death_signal(Some(Kill::KILL))
        .at(Step::Other, "cannot set the parent death signal")?;
    Ok(pid)
}

fn outer_pid() -> Result<u32> {
    let this = Path::new("/proc/self");
    let target = fs::read_link(this).doing("read", this)?;
    let pid = target.to_str().and_then(|pid| pid.parse().ok());
    pid.ok_or(Errno::SRCH).doing("find this process in", this)
}

/// Reaps orphaned processes until this process is killed.
fn reap() -> ExitCode {
    let ended = SigSet::from(Signal::SIGCHLD);
    if ended.thread_block().is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if ended.wait().is_err() {
            return ExitCode::FAILURE;
        }
    }
}
