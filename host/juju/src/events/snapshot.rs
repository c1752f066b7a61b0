//! What is saved of an event while it is deferred: the snapshot of ops with its
//! keys (ops §3.1), from which the event is restored (ops §5.4).

use serde_json::{Map, Value};

use super::Event;
use super::table::{Field, Presence};
use crate::environment::event_variables::Form;
use crate::metadata::Metadata;

impl Event {
    /// Returns the snapshot; an empty map for an event without values.
    pub fn snapshot(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// Returns the event of a name, for example `db_relation_changed`, with the
    /// values of a snapshot; none if the charm no longer has the event, if it
    /// cannot be deferred, or if the snapshot lacks a value.
    pub fn restore(name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
        let (kind, subject) = metadata.event(name)?;
        let row = kind.row();
        if !row.deferrable {
            return None;
        }
        let mut values = Map::new();
        for field in row.fields.iter().copied() {
            match value(field, snapshot) {
                Some(value) => drop(values.insert(field.key.to_owned(), value)),
                None => match field.presence {
                    Presence::Required => return None,
                    Presence::Optional => {}
                    Presence::Nullable => drop(values.insert(field.key.to_owned(), Value::Null)),
                    Presence::Empty => drop(values.insert(field.key.to_owned(), "".into())),
                },
            }
        }
        if let Some(field) = row.subject.name_field()
            && values.get(field.key).and_then(Value::as_str) != Some(subject)
        {
            return None;
        }
        Some(Event {
            kind,
            subject: subject.to_owned(),
            values,
        })
    }
}

/// Returns the value of a field in a snapshot, if it has the right type.
fn value(field: &Field, snapshot: &Value) -> Option<Value> {
    let value = snapshot.get(field.key)?;
    let fits = match field.variable.form {
        Form::Text | Form::StorageName => value.is_string(),
        Form::Number | Form::RelationNumber | Form::StorageNumber => {
            let number = value.as_u64();
            number.is_some_and(|number| u32::try_from(number).is_ok())
        }
    };
    fits.then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::EventKind;
    use super::*;

    fn metadata() -> Metadata {
        let dir = tempfile::tempdir().unwrap();
        let text = "name: x\nrequires: {my-db: {interface: pg}}\nstorage: {data: {type: filesystem}}\ncontainers: {app: }\n";
        std::fs::write(dir.path().join("metadata.yaml"), text).unwrap();
        Metadata::load(dir.path()).unwrap()
    }

    #[test]
    fn a_deferred_event_is_restored_from_its_snapshot() {
        let metadata = metadata();
        for (name, snapshot) in [
            ("start", json!({})),
            (
                "my_db_relation_changed",
                json!({"relation_name": "my-db", "relation_id": 7, "app_name": "pg"}),
            ),
            (
                "my_db_relation_departed",
                json!({"relation_name": "my-db", "relation_id": 7, "app_name": "pg",
                    "unit_name": "pg/0", "departing_unit": "pg/0"}),
            ),
            (
                "data_storage_attached",
                json!({"storage_name": "data", "storage_index": 3, "storage_location": "/x"}),
            ),
            (
                "data_storage_detaching",
                json!({"storage_name": "data", "storage_index": 3, "storage_location": null}),
            ),
            ("app_pebble_ready", json!({"container_name": "app"})),
            (
                "app_pebble_check_failed",
                json!({"container_name": "app", "check_name": "up"}),
            ),
            (
                "secret_remove",
                json!({"id": "secret:x", "label": null, "revision": 2}),
            ),
        ] {
            let event = Event::restore(name, &snapshot, &metadata);
            let event = event.unwrap_or_else(|| panic!("{name} is not restored"));
            assert_eq!(event.name(), name);
            assert_eq!(event.snapshot(), snapshot);
        }
    }

    #[test]
    fn an_event_that_the_charm_no_longer_has_is_not_restored() {
        let metadata = metadata();
        for (name, snapshot) in [
            (
                "db_relation_changed",
                json!({"relation_name": "db", "relation_id": 1}),
            ),
            (
                "my_db_relation_changed",
                json!({"relation_name": "db", "relation_id": 1}),
            ),
            ("my_db_relation_changed", json!({"relation_name": "my-db"})),
            ("app_pebble_ready", json!({})),
            ("no_such", json!({})),
            ("stop", json!({})),
        ] {
            assert_eq!(Event::restore(name, &snapshot, &metadata), None, "{name}");
        }
    }

    #[test]
    fn no_event_has_two_values_of_one_key() {
        for kind in EventKind::ALL {
            let fields = kind.row().fields;
            let keys: std::collections::BTreeSet<&str> =
                fields.iter().map(|field| field.key).collect();
            assert_eq!(keys.len(), fields.len(), "{kind:?}");
        }
    }
}
