//! Events as the guest gets them (ops §3).

use charmhost_framework::Event;
use charmhost_juju::events::table::{
    ACTION_ID, CHECK_NAME, DEPARTING_UNIT, Field, NOTICE_ID, NOTICE_KEY, NOTICE_TYPE, RELATION_ID,
    REMOTE_APP, REMOTE_UNIT, SECRET_ID, SECRET_LABEL, SECRET_REVISION, STORAGE_INDEX,
    STORAGE_LOCATION,
};
use charmhost_juju::{Event as JujuEvent, EventKind};

use super::bindings::events as wit;

/// The further data of an event without a case of its own.
const NO_DATA: &str = "{}";

/// Converts an event for the guest.
pub(super) fn event(event: Event) -> wit::Event {
    match event {
        Event::Juju(event) => juju(&event),
        Event::CollectAppStatus => wit::Event::CollectAppStatus,
        Event::CollectUnitStatus => wit::Event::CollectUnitStatus,
        Event::PreCommit => wit::Event::PreCommit,
        Event::Commit => wit::Event::Commit,
        Event::Other {
            name, variables, ..
        } => wit::Event::Other(wit::OtherEvent {
            name,
            variables: variables.into_iter().collect(),
            data: NO_DATA.to_owned(),
        }),
        Event::Custom { name, snapshot } => wit::Event::Custom(wit::CustomEvent { name, snapshot }),
    }
}

/// The case of the WIT interface for each kind of event.
fn juju(event: &JujuEvent) -> wit::Event {
    match event.kind() {
        EventKind::Install => wit::Event::Install,
        EventKind::Start => wit::Event::Start,
        EventKind::Stop => wit::Event::Stop,
        EventKind::Remove => wit::Event::Remove,
        EventKind::UpdateStatus => wit::Event::UpdateStatus,
        EventKind::ConfigChanged => wit::Event::ConfigChanged,
        EventKind::UpgradeCharm => wit::Event::UpgradeCharm,
        EventKind::LeaderElected => wit::Event::LeaderElected,
        EventKind::LeaderSettingsChanged => wit::Event::LeaderSettingsChanged,
        EventKind::PreSeriesUpgrade => wit::Event::PreSeriesUpgrade,
        EventKind::PostSeriesUpgrade => wit::Event::PostSeriesUpgrade,
        EventKind::CollectMetrics => wit::Event::CollectMetrics,
        EventKind::RelationCreated => wit::Event::RelationCreated(relation(event)),
        EventKind::RelationJoined => wit::Event::RelationJoined(joined(event)),
        EventKind::RelationChanged => wit::Event::RelationChanged(changed(event)),
        EventKind::RelationDeparted => wit::Event::RelationDeparted(departed(event)),
        EventKind::RelationBroken => wit::Event::RelationBroken(relation(event)),
        EventKind::StorageAttached => wit::Event::StorageAttached(storage(event)),
        EventKind::StorageDetaching => wit::Event::StorageDetaching(storage(event)),
        EventKind::PebbleReady => wit::Event::PebbleReady(wit::WorkloadEvent {
            container: event.subject().to_owned(),
        }),
        EventKind::PebbleCustomNotice => wit::Event::PebbleCustomNotice(notice(event)),
        EventKind::PebbleCheckFailed => wit::Event::PebbleCheckFailed(check(event)),
        EventKind::PebbleCheckRecovered => wit::Event::PebbleCheckRecovered(check(event)),
        EventKind::SecretChanged => wit::Event::SecretChanged(secret(event)),
        EventKind::SecretRotate => wit::Event::SecretRotate(secret(event)),
        EventKind::SecretRemove => wit::Event::SecretRemove(revision(event)),
        EventKind::SecretExpired => wit::Event::SecretExpired(revision(event)),
        EventKind::Action => wit::Event::Action(wit::ActionEvent {
            name: event.subject().to_owned(),
            id: text(event, &ACTION_ID),
        }),
    }
}

/// A value that the event has: the table requires it.
fn text(event: &JujuEvent, field: &Field) -> String {
    optional(event, field).unwrap_or_default()
}

fn optional(event: &JujuEvent, field: &Field) -> Option<String> {
    event.text(field).map(str::to_owned)
}

/// A number that the event has: the table requires it.
fn number(event: &JujuEvent, field: &Field) -> u32 {
    event.number(field).unwrap_or_default()
}

fn relation(event: &JujuEvent) -> wit::RelationEvent {
    wit::RelationEvent {
        endpoint: event.subject().to_owned(),
        relation_id: number(event, &RELATION_ID),
        app: optional(event, &REMOTE_APP),
    }
}

fn joined(event: &JujuEvent) -> wit::RelationJoinedEvent {
    let unit = text(event, &REMOTE_UNIT);
    let app_of_unit = || unit.split('/').next().unwrap_or_default().to_owned();
    wit::RelationJoinedEvent {
        endpoint: event.subject().to_owned(),
        relation_id: number(event, &RELATION_ID),
        app: optional(event, &REMOTE_APP).unwrap_or_else(app_of_unit),
        unit,
    }
}

fn changed(event: &JujuEvent) -> wit::RelationChangedEvent {
    wit::RelationChangedEvent {
        endpoint: event.subject().to_owned(),
        relation_id: number(event, &RELATION_ID),
        app: optional(event, &REMOTE_APP),
        unit: optional(event, &REMOTE_UNIT),
    }
}

fn departed(event: &JujuEvent) -> wit::RelationDepartedEvent {
    wit::RelationDepartedEvent {
        endpoint: event.subject().to_owned(),
        relation_id: number(event, &RELATION_ID),
        app: optional(event, &REMOTE_APP),
        unit: optional(event, &REMOTE_UNIT),
        departing_unit: optional(event, &DEPARTING_UNIT),
    }
}

fn storage(event: &JujuEvent) -> wit::StorageEvent {
    wit::StorageEvent {
        name: event.subject().to_owned(),
        index: number(event, &STORAGE_INDEX),
        location: optional(event, &STORAGE_LOCATION),
    }
}

fn notice(event: &JujuEvent) -> wit::NoticeEvent {
    wit::NoticeEvent {
        container: event.subject().to_owned(),
        id: text(event, &NOTICE_ID),
        kind: text(event, &NOTICE_TYPE),
        key: text(event, &NOTICE_KEY),
    }
}

fn check(event: &JujuEvent) -> wit::CheckEvent {
    wit::CheckEvent {
        container: event.subject().to_owned(),
        name: text(event, &CHECK_NAME),
    }
}

fn secret(event: &JujuEvent) -> wit::SecretEvent {
    wit::SecretEvent {
        id: text(event, &SECRET_ID),
        label: optional(event, &SECRET_LABEL),
    }
}

fn revision(event: &JujuEvent) -> wit::SecretRevisionEvent {
    wit::SecretRevisionEvent {
        id: text(event, &SECRET_ID),
        label: optional(event, &SECRET_LABEL),
        revision: number(event, &SECRET_REVISION),
    }
}

#[cfg(test)]
mod tests {
    use charmhost_juju::events::table::Presence;
    use charmhost_juju::{Environment, Form, Metadata, Subject};

    use super::*;

    /// The event of a kind, with every value that its row requires.
    fn event_of(kind: EventKind) -> JujuEvent {
        let dir = tempfile::tempdir().unwrap();
        let text = "name: x\nrequires: {x: {interface: i}}\nstorage: {x: {type: block}}\ncontainers: {x: }\n";
        std::fs::write(dir.path().join("metadata.yaml"), text).unwrap();
        std::fs::write(dir.path().join("actions.yaml"), "x:\n").unwrap();
        let metadata = Metadata::load(dir.path()).unwrap();
        let row = kind.row();
        let hook = row.hook_name();
        let path = match row.subject {
            Subject::Action => "actions/x".to_owned(),
            Subject::Unit | Subject::Secret => format!("hooks/{hook}"),
            _ => format!("hooks/x-{hook}"),
        };
        let environment = Environment::read(|name| {
            let mut fields = row.fields.iter();
            let field = fields.find(|field| field.variable.name == name);
            let text = match field.map(|field| (field.presence, field.variable.form)) {
                None if name == "JUJU_DISPATCH_PATH" => path.as_str(),
                Some((Presence::Required, Form::Text)) => "x",
                Some((Presence::Required, Form::Number)) => "3",
                Some((Presence::Required, _)) => match row.subject {
                    Subject::Storage => "x/3",
                    _ => "x:3",
                },
                _ => return None,
            };
            Some(text.into())
        });
        environment.unwrap().event(&metadata).unwrap().unwrap()
    }

    #[test]
    fn an_event_is_the_case_of_its_name() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/events/events.wit");
        let interface = std::fs::read_to_string(path).unwrap();
        for kind in EventKind::ALL {
            let case = format!("{:?}", juju(&event_of(*kind)));
            let hook = kind.row().hook_name();
            let is_case = [",", "("]
                .iter()
                .any(|end| interface.contains(&format!("\n    {hook}{end}")));
            assert!(is_case, "{hook} is no case of the interface");
            let wanted = format!("Event::{kind:?}");
            assert_eq!(
                case.split(['(', ' ']).next(),
                Some(wanted.as_str()),
                "{case}"
            );
        }
    }
}
