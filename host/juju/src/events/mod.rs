//! The events that Juju dispatches.

mod arguments;
pub(crate) mod dispatch_path;
pub(crate) mod names;
mod snapshot;
pub mod table;

use serde_json::{Map, Value};

use table::{EventKind, Field};

/// A dispatched event with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    kind: EventKind,
    /// The name of the subject in the metadata; empty for the unit and secrets.
    subject: String,
    /// The values by the keys of the fields.
    values: Map<String, Value>,
}

impl Event {
    /// Creates an event about the unit as a whole, which has no values.
    pub fn of_unit(kind: EventKind) -> Self {
        Event {
            kind,
            subject: String::new(),
            values: Map::new(),
        }
    }

    /// Returns the kind of event.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the name that ops uses, for example `db_relation_changed`.
    pub fn name(&self) -> String {
        names::name(self.kind, &self.subject)
    }

    /// Returns the name of the endpoint, storage, container or action; empty for
    /// other subjects.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns a value that is a string; none if the event does not have it.
    pub fn text(&self, field: &Field) -> Option<&str> {
        self.values.get(field.key)?.as_str()
    }

    /// Returns a value that is a number, which is less than 2³¹; none if the
    /// event does not have it.
    pub fn number(&self, field: &Field) -> Option<u32> {
        self.values.get(field.key)?.as_u64()?.try_into().ok()
    }

    /// Whether a handler can defer the event (ops §3.1).
    pub fn is_deferrable(&self) -> bool {
        self.kind.row().deferrable
    }
}
