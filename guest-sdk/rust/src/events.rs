//! The events, one type per kind.

use std::fmt;

use crate::bindings::{events as wit, framework};
use crate::error::ModelResult;
use crate::settlement::{Deferral, Settlement, defer};
use crate::{Container, Relation, Result, Status, status};

/// Type of an event that a handler can take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "the events are in `charmhost::prelude`, for example `ConfigChangedEvent`"
)]
pub trait FromEvent: Sized {
    /// Converts an event, if it is of this kind.
    fn from_event(event: Event) -> Option<Self>;
}

/// Expands to its last argument: a part of an event that can be deferred.
macro_rules! if_deferrable {
    (defer, $($part:tt)*) => { $($part)* };
}

macro_rules! events {
    ($($(#[$doc:meta])* $case:ident($event:ident $({ $($(#[$field_doc:meta])* $field:ident: $ty:ty),* $(,)? })?) $($defer:ident)? = $pattern:pat,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $event {
                $($($(#[$field_doc])* pub $field: $ty,)*)?
                $(deferral: if_deferrable!($defer, Option<Deferral>),)?
            }

            impl FromEvent for $event {
                fn from_event(event: Event) -> Option<Self> {
                    match event {
                        Event::$case(event) => Some(event),
                        _ => None,
                    }
                }
            }

            impl fmt::Debug for $event {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($event))
                        $($(.field(stringify!($field), &self.$field))*)?
                        .finish()
                }
            }

            $(
                impl $event {
                    /// Returns what defers the event to the next dispatch, if the
                    /// handler returns it: `return event.defer("…");`.
                    pub fn $defer<E>(&self, reason: impl Into<String>) -> Result<Settlement, E> {
                        defer(reason)
                    }

                    /// Its earlier deferrals by this handler; `None` if it is new.
                    pub fn deferred(&self) -> Option<&Deferral> {
                        self.deferral.as_ref()
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

        /// Converts an event, with its earlier deferrals.
        pub(crate) fn from_wit(event: wit::Event, earlier: Option<Deferral>) -> Event {
            match event {
                $($pattern => Event::$case($event {
                    $($($field,)*)?
                    $(deferral: if_deferrable!($defer, earlier),)?
                }),)*
            }
        }
    };
}

events! {
    /// The charm was unpacked on this unit for the first time.
    Install(InstallEvent) defer = wit::Event::Install,
    /// The unit starts.
    Start(StartEvent) defer = wit::Event::Start,
    /// The unit is about to be stopped.
    Stop(StopEvent) = wit::Event::Stop,
    /// The unit is about to disappear.
    Remove(RemoveEvent) = wit::Event::Remove,
    /// Sent every few minutes.
    UpdateStatus(UpdateStatusEvent) defer = wit::Event::UpdateStatus,
    /// Configuration, trust or addresses may have changed.
    ConfigChanged(ConfigChangedEvent) defer = wit::Event::ConfigChanged,
    /// A new revision of the charm was unpacked.
    UpgradeCharm(UpgradeCharmEvent) defer = wit::Event::UpgradeCharm,
    /// This unit has become the leader.
    LeaderElected(LeaderElectedEvent) defer = wit::Event::LeaderElected,
    /// The leader changed its settings (Juju before 4.0).
    LeaderSettingsChanged(LeaderSettingsChangedEvent) defer = wit::Event::LeaderSettingsChanged,
    /// The machine's series is about to be upgraded (Juju before 4.0).
    PreSeriesUpgrade(PreSeriesUpgradeEvent) defer = wit::Event::PreSeriesUpgrade,
    /// The machine's series was upgraded (Juju before 4.0).
    PostSeriesUpgrade(PostSeriesUpgradeEvent) defer = wit::Event::PostSeriesUpgrade,
    /// Juju collects metrics (Juju before 3.6.11).
    CollectMetrics(CollectMetricsEvent) defer = wit::Event::CollectMetrics,
    /// A relation was created.
    RelationCreated(RelationCreatedEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application.
        app: Option<String>,
    }) defer = wit::Event::RelationCreated(wit::RelationEvent { endpoint, relation_id, app }),
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
    }) defer = wit::Event::RelationJoined(wit::RelationJoinedEvent { endpoint, relation_id, app, unit }),
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
    }) defer = wit::Event::RelationChanged(wit::RelationChangedEvent { endpoint, relation_id, app, unit }),
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
    }) defer = wit::Event::RelationDeparted(wit::RelationDepartedEvent { endpoint, relation_id, app, unit, departing_unit }),
    /// A relation is gone.
    RelationBroken(RelationBrokenEvent {
        /// The endpoint's name.
        endpoint: String,
        /// The relation's number.
        relation_id: u32,
        /// The remote application, if Juju still knows it.
        app: Option<String>,
    }) defer = wit::Event::RelationBroken(wit::RelationEvent { endpoint, relation_id, app }),
    /// A storage instance was attached.
    StorageAttached(StorageAttachedEvent {
        /// The storage's name.
        name: String,
        /// The instance's number.
        index: u32,
        /// Its path.
        location: Option<String>,
    }) defer = wit::Event::StorageAttached(wit::StorageEvent { name, index, location }),
    /// A storage instance is about to be detached.
    StorageDetaching(StorageDetachingEvent {
        /// The storage's name.
        name: String,
        /// The instance's number.
        index: u32,
        /// Its path.
        location: Option<String>,
    }) defer = wit::Event::StorageDetaching(wit::StorageEvent { name, index, location }),
    /// Pebble of a workload container started, or restarted.
    PebbleReady(PebbleReadyEvent {
        /// The container's name.
        container: String,
    }) defer = wit::Event::PebbleReady(wit::WorkloadEvent { container }),
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
    }) defer = wit::Event::PebbleCustomNotice(wit::NoticeEvent { container, id, kind, key }),
    /// A check reached its failure threshold.
    PebbleCheckFailed(PebbleCheckFailedEvent {
        /// The container's name.
        container: String,
        /// The check's name.
        name: String,
    }) defer = wit::Event::PebbleCheckFailed(wit::CheckEvent { container, name }),
    /// A failed check succeeded again.
    PebbleCheckRecovered(PebbleCheckRecoveredEvent {
        /// The container's name.
        container: String,
        /// The check's name.
        name: String,
    }) defer = wit::Event::PebbleCheckRecovered(wit::CheckEvent { container, name }),
    /// A secret that this unit observes has a new revision.
    SecretChanged(SecretChangedEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
    }) defer = wit::Event::SecretChanged(wit::SecretEvent { id, label }),
    /// A secret is due for rotation.
    SecretRotate(SecretRotateEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
    }) = wit::Event::SecretRotate(wit::SecretEvent { id, label }),
    /// A revision of a secret is no longer used.
    SecretRemove(SecretRemoveEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
        /// The revision's number.
        revision: u32,
    }) defer = wit::Event::SecretRemove(wit::SecretRevisionEvent { id, label, revision }),
    /// A revision of a secret has expired.
    SecretExpired(SecretExpiredEvent {
        /// The secret's URI.
        id: String,
        /// The secret's label.
        label: Option<String>,
        /// The revision's number.
        revision: u32,
    }) = wit::Event::SecretExpired(wit::SecretRevisionEvent { id, label, revision }),
    /// An operator runs an action.
    Action(ActionEvent {
        /// The action's name.
        name: String,
        /// The id of this run.
        id: String,
    }) = wit::Event::Action(wit::ActionEvent { name, id }),
    /// The status of the unit or the application is being evaluated.
    CollectStatus(CollectStatusEvent) = wit::Event::CollectAppStatus | wit::Event::CollectUnitStatus,
    /// Local state is about to be saved.
    PreCommit(PreCommitEvent) = wit::Event::PreCommit,
    /// State is being saved.
    Commit(CommitEvent) = wit::Event::Commit,
    /// An event that the charm or a library emitted.
    Custom(CustomEvent {
        /// The event's name.
        name: String,
        /// Its data: JSON text.
        snapshot: String,
    }) defer = wit::Event::Custom(wit::CustomEvent { name, snapshot }),
    /// A hook that this SDK does not know, for example one of a newer Juju.
    Other(OtherEvent {
        /// The event's name with underscores, for example `meter_status_changed`.
        name: String,
        /// Juju's variables that describe the event, by name, for
        /// example `JUJU_RELATION`.
        variables: Vec<(String, String)>,
        /// Further data: a JSON object as text.
        data: String,
    }) defer = wit::Event::Other(wit::OtherEvent { name, variables, data }),
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
