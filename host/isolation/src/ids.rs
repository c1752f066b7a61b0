//! User and group id maps of a user namespace.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::Error;

/// Maps every id of a process in a new user namespace to itself. Only the
/// machine's root may.
pub(crate) fn map_all(pid: u32) -> Result<(), Error> {
    for file in ["uid_map", "gid_map"] {
        let outer = Path::new("/proc/self").join(file);
        let what = format!("cannot read {}", outer.display());
        let outer = fs::read_to_string(outer).map_err(failed(&what))?;
        write(pid, file, &identity_map(&outer))?;
    }
    Ok(())
}

/// Maps root of a process in a new user namespace to this user, and ids from 1
/// on to the ranges of `/etc/subuid` and `/etc/subgid`.
pub(crate) fn map_this_user(pid: u32) -> Result<(), Error> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let ranges = IdRange::find("/etc/subuid", user).zip(IdRange::find("/etc/subgid", user));
    if let Some((users, groups)) = ranges
        && run("newuidmap", &users.arguments(pid, user))
        && run("newgidmap", &groups.arguments(pid, group))
    {
        return Ok(());
    }
    // The kernel requires this before a user may map a group.
    write(pid, "setgroups", "deny")?;
    write(pid, "uid_map", &format!("0 {user} 1"))?;
    write(pid, "gid_map", &format!("0 {group} 1"))
}

fn failed(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.to_owned();
    |source| Error::Ids { what, source }
}

fn write(pid: u32, file: &str, text: &str) -> Result<(), Error> {
    let path = format!("/proc/{pid}/{file}");
    let what = format!("cannot write {text:?} to {path}");
    fs::write(path, text).map_err(failed(&what))
}

/// The map of a namespace with the same ids as its parent namespace, which has
/// the map `outer`.
fn identity_map(outer: &str) -> String {
    let ranges = outer.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (first, count) = (fields.next()?, fields.nth(1)?);
        Some(format!("{first} {first} {count}\n"))
    });
    ranges.collect()
}

fn run(program: &str, arguments: &[String]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A range of subordinate ids that the system grants to a user.
#[derive(Debug, PartialEq, Eq)]
struct IdRange {
    first: u32,
    count: u32,
}

impl IdRange {
    fn find(file: &str, user: u32) -> Option<Self> {
        let known = User::from_uid(Uid::from_raw(user)).ok().flatten();
        let name = known.map(|user| user.name);
        Self::parse(&fs::read_to_string(file).ok()?, name.as_deref(), user)
    }

    /// The first range of a user, by name or by id.
    fn parse(text: &str, name: Option<&str>, user: u32) -> Option<Self> {
        let id = user.to_string();
        text.lines().find_map(|line| {
            let mut fields = line.trim().split(':');
            let who = fields.next()?;
            let first = fields.next()?.parse().ok()?;
            let count = fields.next()?.parse().ok()?;
            (Some(who) == name || who == id).then_some(IdRange { first, count })
        })
    }

    /// Arguments of `newuidmap` and `newgidmap`.
    fn arguments(&self, pid: u32, root: u32) -> Vec<String> {
        [pid, 0, root, 1, 1, self.first, self.count]
            .map(|number| number.to_string())
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_by_name_or_id() {
        let text = "# none\nann:100000:65536\n1001:200000:10\n";
        for (name, user, first) in [
            (Some("ann"), 1000, Some(100_000)),
            (None, 1001, Some(200_000)),
            (Some("bob"), 1002, None),
        ] {
            let range = IdRange::parse(text, name, user);
            assert_eq!(range.map(|range| range.first), first, "{name:?} {user}");
        }
    }

    #[test]
    fn ranges_are_mapped_to_themselves() {
        let outer = "         0     100000      65536\n     65536     300000          1\n";
        assert_eq!(identity_map(outer), "0 0 65536\n65536 65536 1\n");
    }
}
