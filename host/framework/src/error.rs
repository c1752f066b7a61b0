//! What a guest can do wrong, and the form of the names and paths that it gives.

/// What a guest did wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A path or a name is malformed.
    #[error("cannot observe: {what} {value:?} is malformed; {rule}")]
    Malformed {
        /// Which argument.
        what: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The charm has no such event.
    #[error(
        "cannot observe {name:?} of {source_path}: the charm has no such event; check the name against the charm's metadata and actions"
    )]
    UnknownEvent {
        /// The source's path.
        source_path: String,
        /// The event's name.
        name: String,
    },
    /// An object has no such custom event.
    #[error("{source_path} has no event {name:?}: define it before it is observed or emitted")]
    UndefinedEvent {
        /// The object's path.
        source_path: String,
        /// The event's name.
        name: String,
    },
    /// The charm has an event of Juju by that name.
    #[error(
        "cannot define the event {0:?} of the charm: Juju has one by that name; choose another"
    )]
    TakenEvent(String),
    /// There is no such delivery, or it was settled already.
    #[error("cannot settle delivery {0}: there is no such delivery that is not settled yet")]
    UnknownDelivery(u32),
    /// The event cannot be deferred.
    #[error("cannot defer {0}: Juju sends it once and expects it to be handled at once")]
    NotDeferrable(String),
}

pub(crate) fn unknown_event(source: &str, name: &str) -> Error {
    Error::UnknownEvent {
        source_path: source.to_owned(),
        name: name.to_owned(),
    }
}

pub(crate) fn undefined_event(source: &str, name: &str) -> Error {
    Error::UndefinedEvent {
        source_path: source.to_owned(),
        name: name.to_owned(),
    }
}

/// The longest name, in bytes.
const MAX_NAME: usize = 255;
/// The longest path, in bytes. With the name and the number of an event it is
/// shorter than what a state file may hold.
const MAX_PATH: usize = 4096;

pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    if name.len() > MAX_NAME {
        return Err(too_long(what, name, "it must have at most 255 bytes"));
    }
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    let rule = "it must be an identifier, as `config_changed`";
    Err(Error::Malformed {
        what,
        value: name.to_owned(),
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

/// Paths are saved with deferred events: one that cannot be read back would
/// lose them.
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
    let rule = "it must be a path of objects, as `MyCharm/DbLib[db]`";
    Err(Error::Malformed {
        what,
        value: path.to_owned(),
        rule,
    })
}
