//! What of an event is kept while it is deferred: the fields that ops keeps,
//! under its names.

use serde_json::{Map, Value, json};

use crate::{
    CheckEvent, Event, Metadata, NoticeEvent, RelationEvent, SecretEvent, SecretRevisionEvent,
    StorageEvent, WorkloadEvent,
};

impl Event {
    /// The fields to keep; empty for an event without data.
    pub fn snapshot(&self) -> Value {
        match self {
            Event::RelationCreated(event)
            | Event::RelationJoined(event)
            | Event::RelationChanged(event)
            | Event::RelationDeparted(event)
            | Event::RelationBroken(event) => relation(event),
            Event::StorageAttached(event) | Event::StorageDetaching(event) => json!({
                "storage_name": event.name,
                "storage_index": event.index,
                "storage_location": event.location,
            }),
            Event::PebbleReady(event) => json!({"container_name": event.container}),
            Event::PebbleCustomNotice(event) => json!({
                "container_name": event.container,
                "notice_id": event.notice_id,
                "notice_type": event.notice_type,
                "notice_key": event.notice_key,
            }),
            Event::PebbleCheckFailed(event) | Event::PebbleCheckRecovered(event) => json!({
                "container_name": event.container,
                "check_name": event.check,
            }),
            Event::SecretChanged(event) | Event::SecretRotate(event) => {
                json!({"id": event.id, "label": event.label})
            }
            Event::SecretRemove(event) | Event::SecretExpired(event) => {
                json!({"id": event.id, "label": event.label, "revision": event.revision})
            }
            Event::Action(event) => json!({"id": event.id}),
            _ => json!({}),
        }
    }

    /// The event of a name, as `db_relation_changed`, with what was kept of it.
    /// None if the charm has no such event any more, or too little was kept.
    pub fn restore(name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
        let plain = match name {
            "install" => Event::Install,
            "start" => Event::Start,
            "update_status" => Event::UpdateStatus,
            "config_changed" => Event::ConfigChanged,
            "upgrade_charm" => Event::UpgradeCharm,
            "leader_elected" => Event::LeaderElected,
            "leader_settings_changed" => Event::LeaderSettingsChanged,
            "pre_series_upgrade" => Event::PreSeriesUpgrade,
            "post_series_upgrade" => Event::PostSeriesUpgrade,
            "collect_metrics" => Event::CollectMetrics,
            "secret_changed" => Event::SecretChanged(secret(snapshot)?),
            "secret_remove" => Event::SecretRemove(revision(snapshot)?),
            _ => return of_part(name, snapshot, metadata),
        };
        Some(plain)
    }
}

fn relation(event: &RelationEvent) -> Value {
    let mut map = Map::new();
    map.insert("relation_name".to_owned(), event.endpoint.as_str().into());
    map.insert("relation_id".to_owned(), event.relation_id.into());
    for (key, value) in [
        ("app_name", &event.app),
        ("unit_name", &event.unit),
        ("departing_unit", &event.departing_unit),
    ] {
        if let Some(value) = value {
            map.insert(key.to_owned(), value.as_str().into());
        }
    }
    Value::Object(map)
}

fn text(snapshot: &Value, key: &str) -> Option<String> {
    snapshot.get(key)?.as_str().map(str::to_owned)
}

fn number(snapshot: &Value, key: &str) -> Option<u32> {
    snapshot.get(key)?.as_u64()?.try_into().ok()
}

fn secret(snapshot: &Value) -> Option<SecretEvent> {
    Some(SecretEvent {
        id: text(snapshot, "id")?,
        label: text(snapshot, "label"),
    })
}

fn revision(snapshot: &Value) -> Option<SecretRevisionEvent> {
    Some(SecretRevisionEvent {
        id: text(snapshot, "id")?,
        label: text(snapshot, "label"),
        revision: number(snapshot, "revision")?,
    })
}

/// An event of an endpoint, a storage or a container, which must be in the
/// metadata still.
fn of_part(name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
    if let Some(endpoint) = text(snapshot, "relation_name") {
        let event = RelationEvent {
            relation_id: number(snapshot, "relation_id")?,
            app: text(snapshot, "app_name"),
            unit: text(snapshot, "unit_name"),
            departing_unit: text(snapshot, "departing_unit"),
            endpoint,
        };
        metadata.relations.get(&event.endpoint)?;
        return match what(name, &event.endpoint)? {
            "relation_created" => Some(Event::RelationCreated(event)),
            "relation_joined" => Some(Event::RelationJoined(event)),
            "relation_changed" => Some(Event::RelationChanged(event)),
            "relation_departed" => Some(Event::RelationDeparted(event)),
            "relation_broken" => Some(Event::RelationBroken(event)),
            _ => None,
        };
    }
    if let Some(storage) = text(snapshot, "storage_name") {
        let event = StorageEvent {
            index: number(snapshot, "storage_index")?,
            location: text(snapshot, "storage_location"),
            kind: None,
            name: storage,
        };
        metadata.storage.get(&event.name)?;
        return match what(name, &event.name)? {
            "storage_attached" => Some(Event::StorageAttached(event)),
            "storage_detaching" => Some(Event::StorageDetaching(event)),
            _ => None,
        };
    }
    let container = text(snapshot, "container_name")?;
    metadata.containers.get(&container)?;
    let check = |container: String| {
        Some(CheckEvent {
            check: text(snapshot, "check_name")?,
            container,
        })
    };
    match what(name, &container)? {
        "pebble_ready" => Some(Event::PebbleReady(WorkloadEvent { container })),
        "pebble_custom_notice" => Some(Event::PebbleCustomNotice(NoticeEvent {
            notice_id: text(snapshot, "notice_id")?,
            notice_type: text(snapshot, "notice_type")?,
            notice_key: text(snapshot, "notice_key")?,
            container,
        })),
        "pebble_check_failed" => Some(Event::PebbleCheckFailed(check(container)?)),
        "pebble_check_recovered" => Some(Event::PebbleCheckRecovered(check(container)?)),
        _ => None,
    }
}

/// What remains of an event's name without that of the part it is about.
fn what<'a>(name: &'a str, part: &str) -> Option<&'a str> {
    name.strip_prefix(&part.replace('-', "_"))?
        .strip_prefix('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_makes_the_event_again() {
        let dir = tempfile::tempdir().unwrap();
        let text = "name: x\nrequires: {my-db: {interface: pg}}\nstorage: {data: {type: filesystem}}\ncontainers: {app: }\n";
        std::fs::write(dir.path().join("metadata.yaml"), text).unwrap();
        let metadata = Metadata::load(dir.path()).unwrap();
        let relation = RelationEvent {
            endpoint: "my-db".to_owned(),
            relation_id: 7,
            app: Some("pg".to_owned()),
            unit: None,
            departing_unit: None,
        };
        for event in [
            Event::Start,
            Event::RelationChanged(relation.clone()),
            Event::RelationDeparted(RelationEvent {
                unit: Some("pg/0".to_owned()),
                departing_unit: Some("pg/0".to_owned()),
                ..relation
            }),
            Event::StorageAttached(StorageEvent {
                name: "data".to_owned(),
                index: 3,
                kind: None,
                location: Some("/x".to_owned()),
            }),
            Event::PebbleReady(WorkloadEvent {
                container: "app".to_owned(),
            }),
            Event::PebbleCheckFailed(CheckEvent {
                container: "app".to_owned(),
                check: "up".to_owned(),
            }),
            Event::SecretRemove(SecretRevisionEvent {
                id: "secret:x".to_owned(),
                label: None,
                revision: 2,
            }),
        ] {
            let kept = event.snapshot();
            let restored = Event::restore(&event.name(), &kept, &metadata);
            assert_eq!(restored, Some(event), "{kept}");
        }
        for (name, kept) in [
            (
                "db_relation_changed",
                json!({"relation_name": "db", "relation_id": 1}),
            ),
            ("app_pebble_ready", json!({})),
            ("no_such", json!({})),
        ] {
            assert_eq!(Event::restore(name, &kept, &metadata), None, "{name}");
        }
    }
}
