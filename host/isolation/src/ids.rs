//! Which users and groups of the machine are those of a world.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// Maps every id of a process in a new user namespace to itself: for the
/// machine's root.
pub(crate) fn map_all(pid: u32) -> Result<(), Error> {
    for file in ["uid_map", "gid_map"] {
        let own = Path::new("/proc/self").join(file);
        let what = format!("cannot read {}", own.display());
        let own = fs::read_to_string(own).map_err(failed(&what))?;
        write(pid, file, &to_itself(&own))?;
    }
    Ok(())
}

/// Maps the root of a process in a new user namespace to this user, and the ids
/// from 1 on to what `/etc/subuid` and `/etc/subgid` grant.
pub(crate) fn map_own(pid: u32) -> Result<(), Error> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let grants = Grant::find("/etc/subuid", user).zip(Grant::find("/etc/subgid", user));
    if let Some((users, groups)) = grants
        && run("newuidmap", &users.arguments(pid, user))
        && run("newgidmap", &groups.arguments(pid, group))
    {
        return Ok(());
    }
    // The kernel asks for this before a user may map a group.
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

/// The map of a namespace whose ids are those of the namespace around it, which
/// has the map `own`.
fn to_itself(own: &str) -> String {
    let ranges = own.lines().filter_map(|line| {
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

/// Ids that the system lets a user have.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    first: u32,
    count: u32,
}

impl Grant {
    fn find(file: &str, user: u32) -> Option<Self> {
        let name = fs::read_to_string("/etc/passwd").ok().and_then(|users| {
            let mut users = users.lines().map(|line| line.split(':'));
            users.find_map(|mut fields| {
                let name = fields.next()?;
                (fields.nth(1)? == user.to_string()).then(|| name.to_owned())
            })
        });
        Self::read(&fs::read_to_string(file).ok()?, name.as_deref(), user)
    }

    /// The first grant to the user, by name or by id.
    fn read(text: &str, name: Option<&str>, user: u32) -> Option<Self> {
        let id = user.to_string();
        text.lines().find_map(|line| {
            let mut fields = line.trim().split(':');
            let who = fields.next()?;
            let first = fields.next()?.parse().ok()?;
            let count = fields.next()?.parse().ok()?;
            (Some(who) == name || who == id).then_some(Grant { first, count })
        })
    }

    fn arguments(&self, pid: u32, own: u32) -> Vec<String> {
        [pid, 0, own, 1, 1, self.first, self.count]
            .map(|number| number.to_string())
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_found_by_name_or_id() {
        let text = "# none\nann:100000:65536\n1001:200000:10\n";
        for (name, user, first) in [
            (Some("ann"), 1000, Some(100_000)),
            (None, 1001, Some(200_000)),
            (Some("bob"), 1002, None),
        ] {
            let grant = Grant::read(text, name, user);
            assert_eq!(grant.map(|grant| grant.first), first, "{name:?} {user}");
        }
    }

    #[test]
    fn ranges_are_mapped_to_themselves() {
        let own = "         0     100000      65536\n     65536     300000          1\n";
        assert_eq!(to_itself(own), "0 0 65536\n65536 65536 1\n");
    }
}
