//! Every event of Juju 2.9 to 4.1, as data: a row for each (ops §3.1,
//! juju §1.3, juju §1.4).
//!
//! No other place of the host lists events. Names, the variables that an event
//! needs, what is saved of it while it is deferred and whether it can be
//! deferred are read from these rows; tests compare them with the WIT interface
//! `events` and the Rust SDK, and with the list in `EVENTS.md`.

use charmhost_hook_tools::Version;

use crate::environment::event_variables::{self as variables, Variable};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The unit as a whole.
    Unit,
    /// A relation of an endpoint.
    Relation,
    /// A storage instance.
    Storage,
    /// A workload container.
    Container,
    /// A secret.
    Secret,
    /// An action.
    Action,
}

impl Subject {
    /// The subjects whose names in the charm's metadata begin the names of their
    /// events.
    pub const NAMED: [Subject; 4] = [
        Subject::Relation,
        Subject::Storage,
        Subject::Container,
        Subject::Action,
    ];

    /// Returns the field with the subject's name, which must be the one in the
    /// event's name.
    pub(crate) fn name_field(self) -> Option<&'static Field> {
        match self {
            Subject::Relation => Some(&ENDPOINT),
            Subject::Storage => Some(&STORAGE_NAME),
            Subject::Container => Some(&CONTAINER_NAME),
            Subject::Unit | Subject::Secret | Subject::Action => None,
        }
    }
}

/// What it means that a variable is missing or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is an error.
    Required,
    /// There is no value; the snapshot has no such key.
    Optional,
    /// There is no value; the snapshot has null.
    Nullable,
    /// The value is an empty string.
    Empty,
}

/// A value of an event: a variable of the dispatch, and a key of the snapshot
/// that is saved while the event is deferred.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The key in the snapshot, which is that of ops.
    pub key: &'static str,
    /// The variable.
    pub variable: &'static Variable,
    /// What a missing variable means.
    pub presence: Presence,
}

impl Field {
    const fn new(key: &'static str, variable: &'static Variable) -> Self {
        Field {
            key,
            variable,
            presence: Presence::Required,
        }
    }

    const fn presence(self, presence: Presence) -> Self {
        Field { presence, ..self }
    }
}

/// The endpoint of a relation.
pub const ENDPOINT: Field = Field::new("relation_name", &variables::RELATION_NAME);
/// The number of a relation.
pub const RELATION_ID: Field = Field::new("relation_id", &variables::RELATION_ID);
/// The remote application; absent when Juju no longer knows it.
pub const REMOTE_APP: Field =
    Field::new("app_name", &variables::REMOTE_APP).presence(Presence::Optional);
/// The remote unit; absent when the event is about the application.
pub const REMOTE_UNIT: Field =
    Field::new("unit_name", &variables::REMOTE_UNIT).presence(Presence::Optional);
/// The unit that leaves.
pub const DEPARTING_UNIT: Field =
    Field::new("departing_unit", &variables::DEPARTING_UNIT).presence(Presence::Optional);
/// The name of a storage.
pub const STORAGE_NAME: Field = Field::new("storage_name", &variables::STORAGE_NAME);
/// The number of a storage instance.
pub const STORAGE_INDEX: Field = Field::new("storage_index", &variables::STORAGE_INDEX);
/// The location of a storage instance.
pub const STORAGE_LOCATION: Field =
    Field::new("storage_location", &variables::STORAGE_LOCATION).presence(Presence::Nullable);
/// The name of a container.
pub const CONTAINER_NAME: Field = Field::new("container_name", &variables::WORKLOAD_NAME);
/// The ID of a notice in Pebble.
pub const NOTICE_ID: Field = Field::new("notice_id", &variables::NOTICE_ID);
/// The type of a notice.
pub const NOTICE_TYPE: Field = Field::new("notice_type", &variables::NOTICE_TYPE);
/// The key of a notice.
pub const NOTICE_KEY: Field = Field::new("notice_key", &variables::NOTICE_KEY);
/// The name of a check in the plan.
pub const CHECK_NAME: Field = Field::new("check_name", &variables::PEBBLE_CHECK_NAME);
/// The URI of a secret.
pub const SECRET_ID: Field = Field::new("id", &variables::SECRET_ID);
/// The label of a secret.
pub const SECRET_LABEL: Field =
    Field::new("label", &variables::SECRET_LABEL).presence(Presence::Nullable);
/// The number of a secret's revision.
pub const SECRET_REVISION: Field = Field::new("revision", &variables::SECRET_REVISION);
/// The ID of an action's run.
pub const ACTION_ID: Field = Field::new("id", &variables::ACTION_UUID).presence(Presence::Empty);

const RELATION: &[&Field] = &[&ENDPOINT, &RELATION_ID, &REMOTE_APP, &REMOTE_UNIT];
const DEPARTURE: &[&Field] = &[
    &ENDPOINT,
    &RELATION_ID,
    &REMOTE_APP,
    &REMOTE_UNIT,
    &DEPARTING_UNIT,
];
const STORAGE: &[&Field] = &[&STORAGE_NAME, &STORAGE_INDEX, &STORAGE_LOCATION];
const CONTAINER: &[&Field] = &[&CONTAINER_NAME];
const NOTICE: &[&Field] = &[&CONTAINER_NAME, &NOTICE_ID, &NOTICE_TYPE, &NOTICE_KEY];
const CHECK: &[&Field] = &[&CONTAINER_NAME, &CHECK_NAME];
const SECRET: &[&Field] = &[&SECRET_ID, &SECRET_LABEL];
const REVISION: &[&Field] = &[&SECRET_ID, &SECRET_LABEL, &SECRET_REVISION];
const ACTION: &[&Field] = &[&ACTION_ID];

/// A row of the table.
#[derive(Debug)]
pub struct EventRow {
    /// The name that ops uses; after the name of the subject and `_`, if the
    /// subject is one of [`Subject::NAMED`].
    pub name: &'static str,
    /// What the event is about.
    pub subject: Subject,
    /// The values of the event.
    pub fields: &'static [&'static Field],
    /// Whether a handler can defer the event.
    pub deferrable: bool,
    /// The first version of Juju with the event (juju §1.4).
    pub since: Version,
    /// The first version of Juju without it.
    pub until: Option<Version>,
}

impl EventRow {
    const fn new(name: &'static str, subject: Subject, fields: &'static [&'static Field]) -> Self {
        EventRow {
            name,
            subject,
            fields,
            deferrable: true,
            since: Version::OLDEST,
            until: None,
        }
    }

    const fn unit(name: &'static str) -> Self {
        EventRow::new(name, Subject::Unit, &[])
    }

    const fn not_deferrable(self) -> Self {
        EventRow {
            deferrable: false,
            ..self
        }
    }

    const fn since(self, major: u32, minor: u32, patch: u32) -> Self {
        let since = Version::new(major, minor, patch);
        EventRow { since, ..self }
    }

    const fn until(self, major: u32, minor: u32, patch: u32) -> Self {
        let until = Some(Version::new(major, minor, patch));
        EventRow { until, ..self }
    }

    /// Returns the name of the hook that Juju runs for the event, without the
    /// name of the subject: `relation-changed`.
    pub fn hook_name(&self) -> String {
        self.name.replace('_', "-")
    }
}

macro_rules! events {
    ($($kind:ident: $row:expr,)*) => {
        /// The kind of an event: a row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is the event of its row")]
        pub enum EventKind {
            $($kind,)*
        }

        impl EventKind {
            /// Every kind of event, in the order of the table.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$kind,)*];

            /// Returns the row of the table.
            pub fn row(self) -> &'static EventRow {
                match self {
                    $(EventKind::$kind => {
                        static ROW: EventRow = $row;
                        &ROW
                    })*
                }
            }
        }
    };
}

events! {
    Install: EventRow::unit("install"),
    LeaderElected: EventRow::unit("leader_elected"),
    LeaderSettingsChanged: EventRow::unit("leader_settings_changed").until(4, 0, 0),
    ConfigChanged: EventRow::unit("config_changed"),
    Start: EventRow::unit("start"),
    UpdateStatus: EventRow::unit("update_status"),
    UpgradeCharm: EventRow::unit("upgrade_charm"),
    Stop: EventRow::unit("stop").not_deferrable(),
    Remove: EventRow::unit("remove").not_deferrable(),
    PreSeriesUpgrade: EventRow::unit("pre_series_upgrade").until(4, 0, 0),
    PostSeriesUpgrade: EventRow::unit("post_series_upgrade").until(4, 0, 0),
    CollectMetrics: EventRow::unit("collect_metrics").until(3, 6, 10),
    RelationCreated: EventRow::new("relation_created", Subject::Relation, RELATION),
    RelationJoined: EventRow::new("relation_joined", Subject::Relation, RELATION),
    RelationChanged: EventRow::new("relation_changed", Subject::Relation, RELATION),
    RelationDeparted: EventRow::new("relation_departed", Subject::Relation, DEPARTURE),
    RelationBroken: EventRow::new("relation_broken", Subject::Relation, RELATION),
    StorageAttached: EventRow::new("storage_attached", Subject::Storage, STORAGE),
    StorageDetaching: EventRow::new("storage_detaching", Subject::Storage, STORAGE),
    PebbleReady: EventRow::new("pebble_ready", Subject::Container, CONTAINER),
    PebbleCustomNotice: EventRow::new("pebble_custom_notice", Subject::Container, NOTICE).since(3, 4, 0),
    PebbleCheckFailed: EventRow::new("pebble_check_failed", Subject::Container, CHECK).since(3, 6, 0),
    PebbleCheckRecovered: EventRow::new("pebble_check_recovered", Subject::Container, CHECK).since(3, 6, 0),
    SecretChanged: EventRow::new("secret_changed", Subject::Secret, SECRET).since(3, 0, 0),
    SecretRotate: EventRow::new("secret_rotate", Subject::Secret, SECRET).since(3, 0, 0).not_deferrable(),
    SecretRemove: EventRow::new("secret_remove", Subject::Secret, REVISION).since(3, 0, 0),
    SecretExpired: EventRow::new("secret_expired", Subject::Secret, REVISION).since(3, 0, 0).not_deferrable(),
    Action: EventRow::new("action", Subject::Action, ACTION).not_deferrable(),
}
