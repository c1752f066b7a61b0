//! Paths of objects, for example `MyCharm/DbLib[db]`, and names of events and
//! methods (ops §4.1, ops §4.2).

use std::fmt;

use crate::error::Error;

/// The longest name, in bytes.
const MAX_NAME: usize = 255;
/// The longest path, in bytes. With the name and the number of an event it is
/// shorter than the longest path of a state file.
const MAX_PATH: usize = 4096;

/// The object that has an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The framework itself, whose path is empty.
    Framework,
    /// The charm, by the name of its class.
    Charm(String),
    /// An object below the charm, by its path.
    Object(String),
}

impl Source {
    /// Returns the object of a path. The form of the path is not checked: state
    /// files may contain any.
    pub fn new(path: &str) -> Self {
        match path {
            "" => Source::Framework,
            path if path.contains('/') => Source::Object(path.to_owned()),
            path => Source::Charm(path.to_owned()),
        }
    }

    /// Returns the path.
    pub fn path(&self) -> &str {
        match self {
            Source::Framework => "",
            Source::Charm(path) | Source::Object(path) => path,
        }
    }

    /// Returns the path of an event, the same for all observers of one emission
    /// (ops §4.1).
    pub(crate) fn event_path(&self, name: &str, counter: u64) -> String {
        format!("{self}/on/{name}[{counter}]")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// Returns the path of a stored state: the snapshot of an object under a key
/// (ops §6).
///
/// # Errors
///
/// For a malformed path or key.
pub fn stored_state_path(object: &str, key: &str) -> Result<String, Error> {
    let what = "the path of a stored state";
    if object.is_empty() || key.is_empty() || key.contains(['[', ']', '/']) {
        return Err(Error::Malformed {
            what,
            value: format!("{object}/StoredStateData[{key}]"),
            rule: "it must be the path of an object and a key without brackets and slashes",
        });
    }
    check_path(what, object)?;
    Ok(format!("{object}/StoredStateData[{key}]"))
}

/// Returns the key of a stored state of an object by its path; none for other
/// snapshots (ops §6).
pub fn stored_state_key<'a>(object: &str, path: &'a str) -> Option<&'a str> {
    let state = path.strip_prefix(object)?;
    state.strip_prefix("/StoredStateData[")?.strip_suffix(']')
}

/// Rejects a name that is no identifier (ops §4.2).
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    if name.len() > MAX_NAME {
        return Err(too_long(what, name, "it must have at most 255 bytes"));
    }
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    let rule = "it must be an identifier, for example `config_changed`";
    Err(Error::Malformed {
        what,
        value: name.to_owned(),
        rule,
    })
}

/// Rejects a path that could not be parsed again after it was saved with a
/// deferred event (ops §4.1).
pub(crate) fn check_path(what: &'static str, path: &str) -> Result<(), Error> {
    if path.len() > MAX_PATH {
        return Err(too_long(what, path, "it must have at most 4096 bytes"));
    }
    let well_formed = path.split('/').all(|element| {
        let (kind, key) = match element.split_once('[') {
            None => (element, ""),
            Some((kind, rest)) => match rest.strip_suffix(']') {
                Some(key) => (kind, key),
                None => return false,
            },
        };
        !kind.is_empty() && !kind.contains(']') && !key.contains(['[', ']'])
    });
    if well_formed {
        return Ok(());
    }
    let rule = "it must be a path of objects, for example `MyCharm/DbLib[db]`";
    Err(Error::Malformed {
        what,
        value: path.to_owned(),
        rule,
    })
}

fn too_long(what: &'static str, value: &str, rule: &'static str) -> Error {
    let start = value.get(..value.floor_char_boundary(40));
    Error::Malformed {
        what,
        value: format!("{}…", start.unwrap_or_default()),
        rule,
    }
}
