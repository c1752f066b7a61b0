//! User namespaces.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use charmhost_isolation::wire::{Network, Report, Step};
use nix::sched::{CloneFlags, unshare};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::arguments::Role;
use crate::report::{Context, Result, report};

/// Opens a namespace of the isolated root whose network is joined, if any.
pub fn open_joined(network: Network, kind: &str) -> Result<Option<File>> {
    let Network::Joined(pid) = network else {
        return Ok(None);
    };
    let path = format!("/proc/{pid}/ns/{kind}");
    File::open(&path).doing("open", Path::new(&path)).map(Some)
}

/// Enters a new user namespace and waits until its ids are mapped; or enters that
/// of the isolated root whose network is joined, because only there root may
/// configure that network.
pub fn enter_users(joined: Option<File>, pid: u32, role: Role) -> Result<()> {
    if let Some(users) = joined {
        let joined = move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User));
        return joined.at(
            Step::Namespaces,
            "cannot enter the user namespace of the other container",
        );
    }
    unshare(CloneFlags::CLONE_NEWUSER).at(Step::Namespaces, "cannot make a user namespace")?;
    let root = role == Role::Root;
    report(&Report::Unmapped { pid, root });
    let mapped = io::stdin().read_exact(&mut [0]);
    mapped.at(Step::Other, "cannot wait until ids are mapped")
}
