//! Calls of a guest that are rejected.

/// A call of a guest that is rejected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A path or a name is malformed.
    #[error("{what} {value:?} is malformed; {rule}")]
    Malformed {
        /// Which argument.
        what: &'static str,
        /// The value.
        value: String,
        /// The rule that it breaks.
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
    /// The charm has an event of that name from Juju.
    #[error(
        "cannot define the event {0:?} of the charm: Juju has one by that name; choose another"
    )]
    TakenEvent(String),
    /// There is no such delivery, or it was settled before.
    #[error("cannot settle delivery {0}: there is no such delivery that is not settled yet")]
    UnknownDelivery(u32),
    /// The event cannot be deferred.
    #[error("cannot defer {0}: Juju sends it once and expects it to be handled at once")]
    NotDeferrable(String),
}

impl Error {
    pub(crate) fn unknown_event(source: &str, name: &str) -> Self {
        Error::UnknownEvent {
            source_path: source.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn undefined_event(source: &str, name: &str) -> Self {
        Error::UndefinedEvent {
            source_path: source.to_owned(),
            name: name.to_owned(),
        }
    }
}
