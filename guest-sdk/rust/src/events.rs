//! The events, one type per kind.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::{events as wit, framework};
use crate::error::ModelResult;
use crate::{Container, Relation, Result, Status, status};

thread_local! {
    /// Reason of the running handler's deferral, if it deferred its event.
    static DEFERRED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the deferral of the handler that has just run.
pub(crate) fn take_deferral() -> Option<String> {
    DEFERRED.with_borrow_mut(Option::take)
}

/// Takes the deferral of a nested handler, and restores that of the outer one.
pub(crate) fn put_deferral(outer: Option<String>) -> Option<String> {
    DEFERRED.with_borrow_mut(|deferred| std::mem::replace(deferred, outer))
}

pub(crate) fn defer(reason: String) {
    DEFERRED.with_borrow_mut(|deferred| *deferred = Some(reason));
}

/// Type of an event that a handler can take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "the events are in `charmhost::prelude`, for example `ConfigChangedEvent`"
)]
pub trait FromEvent: Sized {
    /// Converts an event, if it is of this kind.
    fn from_event(event: Event) -> Option<Self>;
}

macro_rules! events {
    ($($(#[$doc:meta])* $case:ident($event:ident $($(#[$deferrable:ident])? { $($(#[$field_doc:meta])* $field:ident: $ty:ty),* $(,)? })?) $(defer $can_defer:ident)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $event {
                $($($(#[$field_doc])* pub $field: $ty,)*)?
            }

            impl FromEvent for $event {
                fn from_event(event: Event) -> Option<Self> {
                    match event {
                        Event::$case(event) => Some(event),
                        _ => None,
                    }
                }
            }

            $(
                impl $event {
                    /// Defers the event to the next dispatch. The handler
                    /// should return afterwards.
                    pub fn $can_defer(&self, reason: impl Into<String>) {
                        defer(reason.into());
                    }
                }
            )?
        )*

        /// Any event, for handlers of all kinds.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $case($event),)*
        }
    };
}

events! {
    /// The charm was unpacked on this unit for the first time.
    Install(InstallEvent) defer defer;
    /// The unit starts.
    Start(StartEvent) defer defer;
    /// The unit is about to be stopped.
    Stop(StopEvent);
    /// The unit is about to disappear.
    Remove(RemoveEvent);
    /// Sent every few minutes.
    UpdateStatus(UpdateStatusEvent) defer defer;
    /// Configuration, trust or addresses may have changed.
    ConfigChanged(ConfigChangedEvent) defer defer;
    /// A new revision of the charm was unpacked.
    UpgradeCharm(UpgradeCharmEvent) defer defer;
    /// This unit has become the leader.
    LeaderElected(LeaderElectedEvent) defer defer;
    /// The leader changed its settings (Juju before 4.0).
    LeaderSettingsChanged(LeaderSettingsChangedEvent) defer defer;
    /// The machine's series is about to be upgraded (Juju before 4.0).
    PreSeriesUpgrade(PreSeriesUpgradeEvent) defer defer;
    /// The machine's series was upgraded (Juju before 4.0).
    PostSeriesUpgrade(PostSeriesUpgradeEvent) defer defer;
    /// Juju collects metrics (Juju before 3.6.11).
    CollectMetrics(CollectMetricsEvent) defer defer;
    /// A relation was created.
    RelationCreated(RelationCreatedEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application.
        app: Option<String>,
    }) defer defer;
    /// A remote unit joined a relation.
    RelationJoined(RelationJoinedEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application.
        app: String,
        /// The remote unit.
        unit: String,
    }) defer defer;
    /// Data of a remote unit or application changed.
    RelationChanged(RelationChangedEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application.
        app: Option<String>,
        /// The remote unit; `None` if the application's data changed.
        unit: Option<String>,
    }) defer defer;
    /// A remote unit left a relation, or this unit is leaving it.
    RelationDeparted(RelationDepartedEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application.
        app: Option<String>,
        /// The remote unit.
        unit: Option<String>,
        /// The departing unit, which may be this one.
        departing_unit: Option<String>,
    }) defer defer;
    /// A relation is gone.
    RelationBroken(RelationBrokenEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application, if Juju still knows it.
        app: Option<String>,
    }) defer defer;
    /// A storage instance was attached.
    StorageAttached(StorageAttachedEvent {
        /// The storage's name.
        name: String,
        /// The instance's number.
        index: u32,
        /// Its path.
        location: Option<String>,
    }) defer defer;
    /// A storage instance is about to be detached.
    StorageDetaching(StorageDetachingEvent {
        /// The storage's name.
        name: String,
        /// The instance's number.
        index: u32,
        /// Its path.
        location: Option<String>,
    }) defer defer;
    /// Pebble of a workload container started, or restarted.
    PebbleReady(PebbleReadyEvent {
        /// The container's name.
        container: String,
    }) defer defer;
    /// A custom notice occurred in a workload container.
    PebbleCustomNotice(PebbleCustomNoticeEvent {
        /// The container's name.
        container: String,
        /// The notice's id in Pebble.
        id: String,
        /// The notice's type, for example `custom`.
        kind: String,
        /// The notice's key.
        key: String,
    }) defer defer;
    /// A check reached its failure threshold.
    PebbleCheckFailed(PebbleCheckFailedEvent {
        /// The container's name.
        container: String,
        /// The check's name.
        name: String,
    }) defer defer;
    /// A failed check succeeded again.
    PebbleCheckRecovered(PebbleCheckRecoveredEvent {
        /// The container's name.
        container: String,
        /// The check's name.
        name: String,
    }) defer defer;
    /// A secret that this unit observes has a new revision.
    SecretChanged(SecretChangedEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
    }) defer defer;
    /// A secret is due for rotation.
    SecretRotate(SecretRotateEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
    });
    /// A revision of a secret is no longer used.
    SecretRemove(SecretRemoveEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
        /// The revision's number.
        revision: u32,
    }) defer defer;
    /// A revision of a secret has expired.
    SecretExpired(SecretExpiredEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
        /// The revision's number.
        revision: u32,
    });
    /// An operator runs an action.
    Action(ActionEvent {
        /// The action's name.
        name: String,
        /// The id of this run.
        id: String,
    });
    /// The status of the unit or the application is being evaluated.
    CollectStatus(CollectStatusEvent);
    /// Local state is about to be saved.
    PreCommit(PreCommitEvent);
    /// State is being saved.
    Commit(CommitEvent);
    /// An event that the charm or a library emitted.
    Custom(CustomEvent {
        /// The event's name.
        name: String,
        /// Its data: JSON text.
        snapshot: String,
    }) defer defer;
    /// A hook that this SDK does not know, for example one of a newer Juju.
    Other(OtherEvent {
        /// The event's name with underscores, for example `meter_status_changed`.
        name: String,
        /// Juju's variables that describe the event, for example `JUJU_RELATION`.
        variables: BTreeMap<String, String>,
        /// Further data: a JSON object as text.
        data: String,
    }) defer defer;
}

macro_rules! relation_events {
    ($($event:ident($app:ident))*) => {
        $(impl $event {
            /// The relation of the event.
            pub fn relation(&self) -> Relation {
                Relation::of_event(&self.endpoint, self.relation_id, $app(&self.app))
            }
        })*
    };
}

relation_events! {
    RelationCreatedEvent(clone)
    RelationJoinedEvent(some)
    RelationChangedEvent(clone)
    RelationDepartedEvent(clone)
    RelationBrokenEvent(clone)
}

fn clone(app: &Option<String>) -> Option<String> {
    app.clone()
}

fn some(app: &str) -> Option<String> {
    Some(app.to_owned())
}

macro_rules! container_events {
    ($($event:ident)*) => {
        $(impl $event {
            /// The container of the event.
            pub fn workload(&self) -> Container {
                Container::named(&self.container)
            }
        })*
    };
}

container_events! {
    PebbleReadyEvent PebbleCustomNoticeEvent PebbleCheckFailedEvent PebbleCheckRecoveredEvent
}

impl CollectStatusEvent {
    /// Adds a status. When every handler has run, the one with the highest
    /// priority is set: blocked, maintenance, waiting, active.
    #[track_caller]
    pub fn add_status(&self, status: Status) -> Result<()> {
        framework::collect_status(&status::to_wit(status)?).model()
    }
}

impl FromEvent for Event {
    fn from_event(event: Event) -> Option<Self> {
        Some(event)
    }
}

pub(crate) fn from_wit(event: wit::Event) -> Event {
    match event {
        wit::Event::Install => Event::Install(InstallEvent {}),
        wit::Event::Start => Event::Start(StartEvent {}),
        wit::Event::Stop => Event::Stop(StopEvent {}),
        wit::Event::Remove => Event::Remove(RemoveEvent {}),
        wit::Event::UpdateStatus => Event::UpdateStatus(UpdateStatusEvent {}),
        wit::Event::ConfigChanged => Event::ConfigChanged(ConfigChangedEvent {}),
        wit::Event::UpgradeCharm => Event::UpgradeCharm(UpgradeCharmEvent {}),
        wit::Event::LeaderElected => Event::LeaderElected(LeaderElectedEvent {}),
        wit::Event::LeaderSettingsChanged => {
            Event::LeaderSettingsChanged(LeaderSettingsChangedEvent {})
        }
        wit::Event::PreSeriesUpgrade => Event::PreSeriesUpgrade(PreSeriesUpgradeEvent {}),
        wit::Event::PostSeriesUpgrade => Event::PostSeriesUpgrade(PostSeriesUpgradeEvent {}),
        wit::Event::CollectMetrics => Event::CollectMetrics(CollectMetricsEvent {}),
        wit::Event::CollectAppStatus | wit::Event::CollectUnitStatus => {
            Event::CollectStatus(CollectStatusEvent {})
        }
        wit::Event::PreCommit => Event::PreCommit(PreCommitEvent {}),
        wit::Event::Commit => Event::Commit(CommitEvent {}),
        wit::Event::Action(e) => Event::Action(ActionEvent {
            name: e.name,
            id: e.id,
        }),
        wit::Event::Custom(e) => Event::Custom(CustomEvent {
            name: e.name,
            snapshot: e.snapshot,
        }),
        wit::Event::Other(e) => Event::Other(OtherEvent {
            name: e.name,
            variables: e.variables.into_iter().collect(),
            data: e.data,
        }),
        other => of_relation(other),
    }
}

fn of_relation(event: wit::Event) -> Event {
    match event {
        wit::Event::RelationCreated(e) => Event::RelationCreated(RelationCreatedEvent {
            endpoint: e.endpoint,
            relation_id: e.relation_id,
            app: e.app,
        }),
        wit::Event::RelationJoined(e) => Event::RelationJoined(RelationJoinedEvent {
            endpoint: e.endpoint,
            relation_id: e.relation_id,
            app: e.app,
            unit: e.unit,
        }),
        wit::Event::RelationChanged(e) => Event::RelationChanged(RelationChangedEvent {
            endpoint: e.endpoint,
            relation_id: e.relation_id,
            app: e.app,
            unit: e.unit,
        }),
        wit::Event::RelationDeparted(e) => Event::RelationDeparted(RelationDepartedEvent {
            endpoint: e.endpoint,
            relation_id: e.relation_id,
            app: e.app,
            unit: e.unit,
            departing_unit: e.departing_unit,
        }),
        wit::Event::RelationBroken(e) => Event::RelationBroken(RelationBrokenEvent {
            endpoint: e.endpoint,
            relation_id: e.relation_id,
            app: e.app,
        }),
        other => of_container(other),
    }
}

fn of_container(event: wit::Event) -> Event {
    match event {
        wit::Event::PebbleReady(e) => Event::PebbleReady(PebbleReadyEvent {
            container: e.container,
        }),
        wit::Event::PebbleCustomNotice(e) => Event::PebbleCustomNotice(PebbleCustomNoticeEvent {
            container: e.container,
            id: e.id,
            kind: e.kind,
            key: e.key,
        }),
        wit::Event::PebbleCheckFailed(e) => Event::PebbleCheckFailed(PebbleCheckFailedEvent {
            container: e.container,
            name: e.name,
        }),
        wit::Event::PebbleCheckRecovered(e) => {
            Event::PebbleCheckRecovered(PebbleCheckRecoveredEvent {
                container: e.container,
                name: e.name,
            })
        }
        other => of_storage_or_secret(other),
    }
}

fn of_storage_or_secret(event: wit::Event) -> Event {
    match event {
        wit::Event::StorageAttached(e) => Event::StorageAttached(StorageAttachedEvent {
            name: e.name,
            index: e.index,
            location: e.location,
        }),
        wit::Event::StorageDetaching(e) => Event::StorageDetaching(StorageDetachingEvent {
            name: e.name,
            index: e.index,
            location: e.location,
        }),
        wit::Event::SecretChanged(e) => Event::SecretChanged(SecretChangedEvent {
            id: e.id,
            label: e.label,
        }),
        wit::Event::SecretRotate(e) => Event::SecretRotate(SecretRotateEvent {
            id: e.id,
            label: e.label,
        }),
        wit::Event::SecretRemove(e) => Event::SecretRemove(SecretRemoveEvent {
            id: e.id,
            label: e.label,
            revision: e.revision,
        }),
        wit::Event::SecretExpired(e) => Event::SecretExpired(SecretExpiredEvent {
            id: e.id,
            label: e.label,
            revision: e.revision,
        }),
        // All other cases are handled before.
        _ => Event::Custom(CustomEvent {
            name: String::new(),
            snapshot: String::new(),
        }),
    }
}
