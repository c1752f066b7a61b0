//! The variables of a dispatch that its guest gets (ops §1, juju §1.3).
//!
//! They describe the event, the unit and the model. With those that are withheld,
//! a guest could speak to the agent past the policy for hook tools.

use std::ffi::OsString;

use super::Environment;

/// What the names of Juju's variables begin with.
const PREFIX: &str = "JUJU_";
/// Juju's variables whose names begin otherwise.
const OTHERS: [&str; 1] = ["CLOUD_API_VERSION"];
/// Prefixes of names that are withheld: the agent's socket, its token, and the
/// id of the hook context, which the socket's protocol requires.
const WITHHELD: [&str; 3] = ["JUJU_AGENT_SOCKET_", "JUJU_AGENT_TOKEN", "JUJU_CONTEXT_ID"];
/// The variable for the charm's directory.
const CHARM_DIR: &str = "JUJU_CHARM_DIR";

impl Environment {
    /// Returns Juju's variables that a guest gets, from all variables of the
    /// process. `JUJU_CHARM_DIR` has no symlinks, which the guest's file tree does
    /// not have either. A variable that is not UTF-8 is left out.
    pub fn guest_variables(&self, all: &[(OsString, OsString)]) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = all
            .iter()
            .filter_map(|(name, value)| {
                let name = name.to_str().filter(|name| is_for_guests(name))?;
                let value = match name == CHARM_DIR {
                    true => self.charm_dir.as_os_str(),
                    false => value,
                };
                Some((name.to_owned(), value.to_str()?.to_owned()))
            })
            .collect();
        variables.sort();
        variables
    }
}

fn is_for_guests(name: &str) -> bool {
    let is_juju = name.starts_with(PREFIX) || OTHERS.contains(&name);
    is_juju && !WITHHELD.iter().any(|withheld| name.starts_with(withheld))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_guest_gets_what_describes_the_dispatch_and_not_the_way_to_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap().join("charm");
        std::fs::create_dir(&real).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let link = link.to_str().unwrap();
        let all = [
            ("JUJU_UNIT_NAME", "mysql/0"),
            ("JUJU_RELATION_ID", "db:7"),
            ("JUJU_FUTURE", "of a newer Juju"),
            ("JUJU_SECRET_LABEL", ""),
            ("JUJU_CHARM_DIR", link),
            ("CLOUD_API_VERSION", "1.30"),
            ("JUJU_AGENT_SOCKET_ADDRESS", "/agent.socket"),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
            ("JUJU_AGENT_TOKEN", "token"),
            ("JUJU_CONTEXT_ID", "mysql/0-start-1"),
            ("OPERATOR_DISPATCH", "1"),
            ("CHARMHOST_HOOK_TOOLS", "rpc"),
            ("PATH", "/bin"),
            ("MY_JUJU_TOKEN", "x"),
            ("juju_unit_name", "x"),
        ];
        let binary = (OsString::from("JUJU_BINARY"), OsString::from_vec(vec![255]));
        let all = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let all: Vec<_> = all.into_iter().chain([binary]).collect();
        let environment = Environment::read(|name| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        });
        let variables = environment.unwrap().guest_variables(&all);
        let real = real.to_str().unwrap();
        let wanted = [
            ("CLOUD_API_VERSION", "1.30"),
            ("JUJU_CHARM_DIR", real),
            ("JUJU_FUTURE", "of a newer Juju"),
            ("JUJU_RELATION_ID", "db:7"),
            ("JUJU_SECRET_LABEL", ""),
            ("JUJU_UNIT_NAME", "mysql/0"),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, wanted);
    }
}
