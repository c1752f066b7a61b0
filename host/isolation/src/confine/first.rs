//! `confine first`: the first process of a world, which makes it and then
//! buries its dead.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use charmhost_isolation::wire::{Config, Network, Report, Step};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::process::{Signal as Kill, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::failed::{Context, Result, report};
use crate::hold::{Role, enter_users, parse};
use crate::{network, root};

/// Makes the world, says so, and stays.
pub fn first(config: &OsStr, role: &OsStr) -> ExitCode {
    let role = match role == Role::Root.name() {
        true => Role::Root,
        false => Role::User,
    };
    match parse(config).and_then(|config| make(&config, role)) {
        Ok(pid) => report(&Report::Ready { pid }),
        Err(failure) => {
            report(&Report::Failed(failure));
            return ExitCode::FAILURE;
        }
    }
    stay()
}

/// Gives this process's id outside of the world.
fn make(config: &Config, role: Role) -> Result<u32> {
    // What only the machine's /proc tells.
    let pid = outer_pid()?;
    let network = joined(config.network, "net")?;
    let users = joined(config.network, "user")?;
    unshare(CloneFlags::CLONE_NEWNS).at(Step::Namespaces, "cannot make a mount namespace")?;
    root::build(config)?;
    let mut spaces = CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if role == Role::Root {
        // What the machine's root mounted is locked for the world's root by a
        // mount namespace made in the world's user namespace.
        enter_users(users, pid, role)?;
        spaces |= CloneFlags::CLONE_NEWNS;
    }
    if let Network::Private = config.network {
        spaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(spaces).at(Step::Namespaces, "cannot make the world's namespaces")?;
    if let Some(network) = network {
        let joined = move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network));
        joined.at(
            Step::Namespaces,
            "cannot join the network of the other world",
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
    // Last, as a change of credentials undoes it.
    rustix::process::set_parent_process_death_signal(Some(Kill::KILL))
        .at(Step::Other, "cannot bind the world's life to its holder's")?;
    Ok(pid)
}

fn outer_pid() -> Result<u32> {
    let this = Path::new("/proc/self");
    let target = fs::read_link(this).doing("read", this)?;
    let pid = target.to_str().and_then(|pid| pid.parse().ok());
    pid.ok_or(Errno::SRCH).doing("find this process in", this)
}

/// A namespace of the world whose network is joined.
pub fn joined(network: Network, kind: &str) -> Result<Option<File>> {
    let Network::Joined(pid) = network else {
        return Ok(None);
    };
    let path = format!("/proc/{pid}/ns/{kind}");
    File::open(&path).doing("open", Path::new(&path)).map(Some)
}

/// Waits for processes that have lost their parents, until it is killed.
fn stay() -> ExitCode {
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
