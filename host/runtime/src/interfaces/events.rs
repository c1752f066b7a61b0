//! Events of the domain as the guest gets them.

use charmhost_framework::Event;
use charmhost_juju::Event as Juju;

use crate::bindings::events as wit;

/// The guest's form of an event.
pub(super) fn event(event: Event) -> wit::Event {
    match event {
        Event::Juju(event) => juju(event),
        Event::CollectAppStatus => wit::Event::CollectAppStatus,
        Event::CollectUnitStatus => wit::Event::CollectUnitStatus,
        Event::PreCommit => wit::Event::PreCommit,
        Event::Commit => wit::Event::Commit,
        Event::Custom { name, snapshot } => wit::Event::Custom(wit::CustomEvent { name, snapshot }),
    }
}

fn juju(event: Juju) -> wit::Event {
    match event {
        Juju::Install => wit::Event::Install,
        Juju::Start => wit::Event::Start,
        Juju::Stop => wit::Event::Stop,
        Juju::Remove => wit::Event::Remove,
        Juju::UpdateStatus => wit::Event::UpdateStatus,
        Juju::ConfigChanged => wit::Event::ConfigChanged,
        Juju::UpgradeCharm => wit::Event::UpgradeCharm,
        Juju::LeaderElected => wit::Event::LeaderElected,
        Juju::LeaderSettingsChanged => wit::Event::LeaderSettingsChanged,
        Juju::PreSeriesUpgrade => wit::Event::PreSeriesUpgrade,
        Juju::PostSeriesUpgrade => wit::Event::PostSeriesUpgrade,
        Juju::CollectMetrics => wit::Event::CollectMetrics,
        Juju::RelationCreated(event) => wit::Event::RelationCreated(relation(event)),
        Juju::RelationJoined(event) => wit::Event::RelationJoined(relation(event)),
        Juju::RelationChanged(event) => wit::Event::RelationChanged(relation(event)),
        Juju::RelationDeparted(event) => wit::Event::RelationDeparted(relation(event)),
        Juju::RelationBroken(event) => wit::Event::RelationBroken(relation(event)),
        Juju::StorageAttached(event) => wit::Event::StorageAttached(storage(event)),
        Juju::StorageDetaching(event) => wit::Event::StorageDetaching(storage(event)),
        Juju::PebbleReady(event) => wit::Event::PebbleReady(wit::WorkloadEvent {
            container: event.container,
        }),
        Juju::PebbleCustomNotice(event) => wit::Event::PebbleCustomNotice(wit::NoticeEvent {
            container: event.container,
            notice_id: event.notice_id,
            notice_type: event.notice_type,
            notice_key: event.notice_key,
        }),
        Juju::PebbleCheckFailed(event) => wit::Event::PebbleCheckFailed(check(event)),
        Juju::PebbleCheckRecovered(event) => wit::Event::PebbleCheckRecovered(check(event)),
        Juju::SecretChanged(event) => wit::Event::SecretChanged(secret(event)),
        Juju::SecretRotate(event) => wit::Event::SecretRotate(secret(event)),
        Juju::SecretRemove(event) => wit::Event::SecretRemove(revision(event)),
        Juju::SecretExpired(event) => wit::Event::SecretExpired(revision(event)),
        Juju::Action(event) => wit::Event::Action(wit::ActionEvent {
            name: event.name,
            id: event.id,
        }),
    }
}

fn relation(event: charmhost_juju::RelationEvent) -> wit::RelationEvent {
    wit::RelationEvent {
        endpoint: event.endpoint,
        relation_id: event.relation_id,
        app: event.app,
        unit: event.unit,
        departing_unit: event.departing_unit,
    }
}

fn storage(event: charmhost_juju::StorageEvent) -> wit::StorageEvent {
    wit::StorageEvent {
        name: event.name,
        index: event.index,
        location: event.location,
    }
}

fn check(event: charmhost_juju::CheckEvent) -> wit::CheckEvent {
    wit::CheckEvent {
        container: event.container,
        check: event.check,
    }
}

fn secret(event: charmhost_juju::SecretEvent) -> wit::SecretEvent {
    wit::SecretEvent {
        id: event.id,
        label: event.label,
    }
}

fn revision(event: charmhost_juju::SecretRevisionEvent) -> wit::SecretRevisionEvent {
    wit::SecretRevisionEvent {
        id: event.id,
        label: event.label,
        revision: event.revision,
    }
}
