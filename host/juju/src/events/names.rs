//! The names of events (ops §3.1): those of the table, for some subjects after
//! the name of the endpoint, storage, container or action, with `_` for `-`.

use super::table::{EventKind, Subject};

/// Returns the name of an event about a subject of this name.
pub(crate) fn name(kind: EventKind, subject: &str) -> String {
    let row = kind.row();
    match Subject::NAMED.contains(&row.subject) {
        true => format!("{}_{}", subject.replace('-', "_"), row.name),
        false => row.name.to_owned(),
    }
}

/// Returns the name of the subject, with `_` for `-`, in the name of an event of
/// a kind; empty for the unit and secrets, none for an event of another kind.
pub(crate) fn subject_of(kind: EventKind, event: &str) -> Option<&str> {
    let row = kind.row();
    match Subject::NAMED.contains(&row.subject) {
        true => event.strip_suffix(row.name)?.strip_suffix('_'),
        false => (row.name == event).then_some(""),
    }
}

/// Returns the names of the events of a subject with a name.
pub(crate) fn of_subject(subject: Subject, name: &str) -> impl Iterator<Item = String> + '_ {
    let kinds = EventKind::ALL.iter().copied();
    kinds
        .filter(move |kind| kind.row().subject == subject)
        .map(move |kind| self::name(kind, name))
}

/// Whether every charm has an event of the name.
pub(crate) fn is_of_every_charm(event: &str) -> bool {
    let mut kinds = EventKind::ALL.iter();
    kinds.any(|kind| subject_of(*kind, event) == Some(""))
}

/// Whether a name is the same as another with `_` for `-`.
pub(crate) fn is_same(name: &str, stem: &str) -> bool {
    name.len() == stem.len()
        && name
            .bytes()
            .zip(stem.bytes())
            .all(|(a, b)| b == if a == b'-' { b'_' } else { a })
}
