//! What a charm may do beyond its sandbox.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::peer::Peer;

/// What a charm states that it needs, and gets. Nothing unless it is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grants {
    /// Whom it may connect to, over TCP or UDP.
    pub network: Vec<Peer>,
    /// Files and directories of the machine that it may read.
    pub read: Vec<PathBuf>,
    /// Directories of the machine that it may read and write.
    pub write: Vec<PathBuf>,
    /// Variables of the environment of `dispatch` that it may see.
    pub environment: Vec<String>,
    /// Whether the programs in its `hooks/` run, natively, with all that the
    /// machine allows.
    pub legacy_hooks: bool,
}

/// The most that an operator gives. What is not said is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MostGrants {
    network: Option<Vec<Peer>>,
    read: Option<Vec<PathBuf>>,
    write: Option<Vec<PathBuf>>,
    environment: Option<Vec<String>>,
    legacy_hooks: Option<bool>,
}

impl Grants {
    /// What is wrong with them, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        for (what, paths) in [("read", &self.read), ("write", &self.write)] {
            for path in paths {
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

    /// The first directory to be written that holds the charm, or is in it: no
    /// grant makes its code or its settings writable.
    pub fn writes_charm(&self, charm_dir: &Path) -> Option<&Path> {
        let mut write = self.write.iter().map(PathBuf::as_path);
        write.find(|path| {
            let real = path.canonicalize();
            let real = real.as_deref().unwrap_or(path);
            charm_dir.starts_with(real) || real.starts_with(charm_dir)
        })
    }

    /// What is left of them when an operator gives so much at the most.
    pub fn narrowed(&self, most: &MostGrants) -> Grants {
        let paths = |own: &[PathBuf], most: &Option<Vec<PathBuf>>| match most {
            Some(most) => common(own, most, narrower),
            None => own.to_vec(),
        };
        Grants {
            network: match &most.network {
                Some(most) => common(&self.network, most, Peer::common),
                None => self.network.clone(),
            },
            read: paths(&self.read, &most.read),
            write: paths(&self.write, &most.write),
            environment: match &most.environment {
                Some(most) => common(&self.environment, most, |a, b| (a == b).then(|| a.clone())),
                None => self.environment.clone(),
            },
            legacy_hooks: self.legacy_hooks && most.legacy_hooks.unwrap_or(true),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Grants::default()
    }

    /// A line for each kind of them, as in `charmhost.toml`.
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
        if self.legacy_hooks {
            lines.push("legacy-hooks = true".to_owned());
        }
        lines
    }
}

impl MostGrants {
    /// What is wrong with them, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
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
        for (most, wanted) in [
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
            let most: MostGrants = toml::from_str(most).unwrap();
            assert_eq!(own.narrowed(&most).lines(), wanted, "{most:?}");
        }
        let all: MostGrants = toml::from_str("write = [\"/\"]\nlegacy-hooks = true").unwrap();
        assert!(Grants::default().narrowed(&all).is_empty());
    }

    #[test]
    fn the_charm_itself_is_never_written() {
        let charm = Path::new("/var/lib/juju/agents/unit-a-0/charm");
        for (path, wanted) in [
            ("/var/lib/juju", true),
            ("/", true),
            ("/var/lib/juju/agents/unit-a-0/charm/data", true),
            ("/var/lib/jujud", false),
            ("/srv", false),
        ] {
            let grants = Grants {
                write: vec![path.into()],
                ..Grants::default()
            };
            assert_eq!(grants.writes_charm(charm).is_some(), wanted, "{path}");
        }
    }

    #[test]
    fn grants_are_printed_as_they_are_written() {
        let text = "network = [\"db:5432\"]\nread = [\"/etc\"]\nlegacy-hooks = true";
        assert_eq!(grants(text).lines().join("\n"), text);
    }
}
