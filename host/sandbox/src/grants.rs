//! `[grants]`: exceptions from the sandbox.

use std::fmt;
use std::path::{Component, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::system_part;
use crate::network::NetworkRule;

/// Entries that one kind of grant may have.
const MAX_ENTRIES: usize = 256;

/// What a charm may access outside of its sandbox: nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grants {
    /// Destinations that it may connect to, over TCP or UDP.
    pub network: Vec<NetworkRule>,
    /// Files and directories of the machine that it may read.
    pub read: Vec<PathBuf>,
    /// Directories of the machine that it may read and write.
    pub write: Vec<PathBuf>,
    /// Variables of the environment of `dispatch` that it may see.
    pub environment: Vec<String>,
    /// Hook tools unknown to this host that it may run, for example those of a
    /// newer Juju. Their arguments are not checked.
    pub hook_tools: Vec<String>,
    /// Whether the programs in its `hooks/` run, natively and outside of the
    /// sandbox.
    pub legacy_hooks: bool,
}

/// `[grants]` of the operator's policy: the widest grants that a charm gets. A
/// kind that is not named is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrantPolicy {
    network: Option<Vec<NetworkRule>>,
    read: Option<Vec<PathBuf>>,
    write: Option<Vec<PathBuf>>,
    environment: Option<Vec<String>>,
    hook_tools: Option<Vec<String>>,
    legacy_hooks: Option<bool>,
}

impl Grants {
    /// Rejects grants that can never be given.
    pub fn check(&self) -> Result<(), String> {
        for (what, count) in [
            ("network", self.network.len()),
            ("read", self.read.len()),
            ("write", self.write.len()),
            ("environment", self.environment.len()),
            ("hook-tools", self.hook_tools.len()),
        ] {
            if count > MAX_ENTRIES {
                return Err(format!(
                    "grants.{what} has {count} entries, and may have {MAX_ENTRIES}"
                ));
            }
        }
        for (what, paths) in [("read", &self.read), ("write", &self.write)] {
            for path in paths {
                if let Some(system) = system_part(path) {
                    return Err(format!(
                        "grants.{what} has {path:?}, and nothing of {system} can be granted"
                    ));
                }
                let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
                if !path.is_absolute() || !path.components().all(plain) || path.to_str().is_none() {
                    return Err(format!(
                        "grants.{what} has {path:?}, which is not an absolute path without \"..\""
                    ));
                }
            }
        }
        let is_name = |name: &&String| !name.is_empty() && !name.contains(['=', '\0']);
        match self.environment.iter().find(|name| !is_name(name)) {
            Some(name) => Err(format!(
                "grants.environment has {name:?}, which is not the name of a variable"
            )),
            None => Ok(()),
        }
    }

    /// The part of these grants that an operator's policy allows.
    pub fn narrowed(&self, policy: &GrantPolicy) -> Grants {
        let paths = |own: &[PathBuf], policy: &Option<Vec<PathBuf>>| match policy {
            Some(policy) => common(own, policy, narrower),
            None => own.to_vec(),
        };
        Grants {
            network: match &policy.network {
                Some(policy) => common(&self.network, policy, NetworkRule::intersection),
                None => self.network.clone(),
            },
            read: paths(&self.read, &policy.read),
            write: paths(&self.write, &policy.write),
            environment: match &policy.environment {
                Some(policy) => common(&self.environment, policy, |a, b| {
                    (a == b).then(|| a.clone())
                }),
                None => self.environment.clone(),
            },
            hook_tools: match &policy.hook_tools {
                Some(policy) => {
                    common(&self.hook_tools, policy, |a, b| (a == b).then(|| a.clone()))
                }
                None => self.hook_tools.clone(),
            },
            legacy_hooks: self.legacy_hooks && policy.legacy_hooks.unwrap_or(true),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Grants::default()
    }

    /// Prints one line for each kind of grant, in the format of `charmhost.toml`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut list = |key: &str, items: Vec<String>| {
            if !items.is_empty() {
                lines.push(format!("{key} = [{}]", items.join(", ")));
            }
        };
        let quoted = |text: &dyn fmt::Display| format!("{:?}", text.to_string());
        let paths = |paths: &[PathBuf]| paths.iter().map(|p| quoted(&p.display())).collect();
        list("network", self.network.iter().map(|p| quoted(p)).collect());
        list("read", paths(&self.read));
        list("write", paths(&self.write));
        list(
            "environment",
            self.environment.iter().map(|name| quoted(name)).collect(),
        );
        list(
            "hook-tools",
            self.hook_tools.iter().map(|name| quoted(name)).collect(),
        );
        if self.legacy_hooks {
            lines.push("legacy-hooks = true".to_owned());
        }
        lines
    }
}

impl GrantPolicy {
    /// Rejects a policy of grants that can never be given.
    pub fn check(&self) -> Result<(), String> {
        let grants = Grants {
            read: self.read.clone().unwrap_or_default(),
            write: self.write.clone().unwrap_or_default(),
            environment: self.environment.clone().unwrap_or_default(),
            ..Grants::default()
        };
        grants.check()
    }
}

/// What two lists have in common, item by item.
fn common<T: PartialEq>(a: &[T], b: &[T], both: impl Fn(&T, &T) -> Option<T>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for item in a.iter().flat_map(|a| b.iter().filter_map(|b| both(a, b))) {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

/// What two directories have in common: the one that is in the other.
fn narrower(a: &PathBuf, b: &PathBuf) -> Option<PathBuf> {
    match (a.starts_with(b), b.starts_with(a)) {
        (true, _) => Some(a.clone()),
        (false, true) => Some(b.clone()),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(text: &str) -> Grants {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_operator_can_narrow_and_not_widen() {
        let own = grants(
            "network = [\"10.0.0.0/8:*\", \"example.com:443\"]\nread = [\"/etc/ssl\", \"/srv\"]\nwrite = [\"/srv/data\"]\nenvironment = [\"A\", \"B\"]\nlegacy-hooks = true\n",
        );
        for (policy, wanted) in [
            ("", own.lines()),
            (
                "network = [\"10.1.0.0/16:80\", \"*:443\"]",
                grants("network = [\"10.1.0.0/16:80\", \"10.0.0.0/8:443\", \"example.com:443\"]\nread = [\"/etc/ssl\", \"/srv\"]\nwrite = [\"/srv/data\"]\nenvironment = [\"A\", \"B\"]\nlegacy-hooks = true\n").lines(),
            ),
            (
                "network = []\nread = [\"/srv/data\", \"/home\"]\nwrite = [\"/\"]\nenvironment = [\"B\", \"C\"]\nlegacy-hooks = false",
                grants("read = [\"/srv/data\"]\nwrite = [\"/srv/data\"]\nenvironment = [\"B\"]").lines(),
            ),
        ] {
            let policy: GrantPolicy = toml::from_str(policy).unwrap();
            assert_eq!(own.narrowed(&policy).lines(), wanted, "{policy:?}");
        }
        let all: GrantPolicy = toml::from_str("write = [\"/\"]\nlegacy-hooks = true").unwrap();
        assert!(Grants::default().narrowed(&all).is_empty());
    }

    #[test]
    fn what_cannot_be_granted_is_rejected() {
        let many: Vec<String> = (0..300)
            .map(|number| format!("\"/srv/{number}\""))
            .collect();
        for (text, wanted) in [
            ("read = [\"/proc/self\"]".to_owned(), "nothing of /proc"),
            ("write = [\"/dev\"]".to_owned(), "nothing of /dev"),
            (
                format!("read = [{}]", many.join(", ")),
                "grants.read has 300 entries",
            ),
        ] {
            let error = grants(&text).check().unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn grants_are_printed_as_they_are_written() {
        let text = "network = [\"db:5432\"]\nread = [\"/etc\"]\nhook-tools = [\"new-tool\"]\nlegacy-hooks = true";
        assert_eq!(grants(text).lines().join("\n"), text);
    }
}
