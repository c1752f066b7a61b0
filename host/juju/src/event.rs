//! The events that Juju dispatches.

/// A dispatched event with what Juju says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the Juju hook of its name")]
pub enum Event {
    Install,
    Start,
    Stop,
    Remove,
    UpdateStatus,
    ConfigChanged,
    UpgradeCharm,
    LeaderElected,
    LeaderSettingsChanged,
    PreSeriesUpgrade,
    PostSeriesUpgrade,
    CollectMetrics,
    RelationCreated(RelationEvent),
    RelationJoined(RelationEvent),
    RelationChanged(RelationEvent),
    RelationDeparted(RelationEvent),
    RelationBroken(RelationEvent),
    StorageAttached(StorageEvent),
    StorageDetaching(StorageEvent),
    PebbleReady(WorkloadEvent),
    PebbleCustomNotice(NoticeEvent),
    PebbleCheckFailed(CheckEvent),
    PebbleCheckRecovered(CheckEvent),
    SecretChanged(SecretEvent),
    SecretRotate(SecretEvent),
    SecretRemove(SecretRevisionEvent),
    SecretExpired(SecretRevisionEvent),
    Action(ActionEvent),
}

/// About a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationEvent {
    /// The endpoint's name in the metadata.
    pub endpoint: String,
    /// The relation's number, the 7 of `db:7`.
    pub relation_id: u32,
    /// The remote application; absent when Juju no longer knows it.
    pub app: Option<String>,
    /// The remote unit; absent when the event is about the application.
    pub unit: Option<String>,
    /// The unit that leaves, in `relation-departed`.
    pub departing_unit: Option<String>,
}

/// About a storage instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEvent {
    /// The storage's name in the metadata.
    pub name: String,
    /// The instance's number, the 0 of `data/0`.
    pub index: u32,
    /// Where it is, if Juju says so.
    pub location: Option<String>,
    /// `filesystem` or `block`, if Juju says so.
    pub kind: Option<String>,
}

/// About a workload container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadEvent {
    /// The container's name in the metadata.
    pub container: String,
}

/// About a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeEvent {
    /// The container's name in the metadata.
    pub container: String,
    /// The notice's id in Pebble.
    pub notice_id: String,
    /// The notice's type, `custom`.
    pub notice_type: String,
    /// The notice's key.
    pub notice_key: String,
}

/// About a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckEvent {
    /// The container's name in the metadata.
    pub container: String,
    /// The check's name in the plan.
    pub check: String,
}

/// About a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEvent {
    /// The URI as Juju gave it.
    pub id: String,
    /// The label, if there is one.
    pub label: Option<String>,
}

/// About a revision of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRevisionEvent {
    /// The URI as Juju gave it.
    pub id: String,
    /// The label, if there is one.
    pub label: Option<String>,
    /// The revision's number.
    pub revision: u32,
}

/// About an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEvent {
    /// The action's name in the metadata.
    pub name: String,
    /// The id of this run.
    pub id: String,
}

impl Event {
    /// The name that ops gives the event: `db_relation_changed`.
    pub fn name(&self) -> String {
        let of = |owner: &str, what: &str| format!("{}_{what}", owner.replace('-', "_"));
        match self {
            Event::RelationCreated(event) => of(&event.endpoint, "relation_created"),
            Event::RelationJoined(event) => of(&event.endpoint, "relation_joined"),
            Event::RelationChanged(event) => of(&event.endpoint, "relation_changed"),
            Event::RelationDeparted(event) => of(&event.endpoint, "relation_departed"),
            Event::RelationBroken(event) => of(&event.endpoint, "relation_broken"),
            Event::StorageAttached(event) => of(&event.name, "storage_attached"),
            Event::StorageDetaching(event) => of(&event.name, "storage_detaching"),
            Event::PebbleReady(event) => of(&event.container, "pebble_ready"),
            Event::PebbleCustomNotice(event) => of(&event.container, "pebble_custom_notice"),
            Event::PebbleCheckFailed(event) => of(&event.container, "pebble_check_failed"),
            Event::PebbleCheckRecovered(event) => of(&event.container, "pebble_check_recovered"),
            Event::Action(event) => of(&event.name, "action"),
            Event::Install => "install".to_owned(),
            Event::Start => "start".to_owned(),
            Event::Stop => "stop".to_owned(),
            Event::Remove => "remove".to_owned(),
            Event::UpdateStatus => "update_status".to_owned(),
            Event::ConfigChanged => "config_changed".to_owned(),
            Event::UpgradeCharm => "upgrade_charm".to_owned(),
            Event::LeaderElected => "leader_elected".to_owned(),
            Event::LeaderSettingsChanged => "leader_settings_changed".to_owned(),
            Event::PreSeriesUpgrade => "pre_series_upgrade".to_owned(),
            Event::PostSeriesUpgrade => "post_series_upgrade".to_owned(),
            Event::CollectMetrics => "collect_metrics".to_owned(),
            Event::SecretChanged(_) => "secret_changed".to_owned(),
            Event::SecretRotate(_) => "secret_rotate".to_owned(),
            Event::SecretRemove(_) => "secret_remove".to_owned(),
            Event::SecretExpired(_) => "secret_expired".to_owned(),
        }
    }

    /// Whether a handler may ask to get it again in a later dispatch.
    pub fn is_deferrable(&self) -> bool {
        !matches!(
            self,
            Event::Stop
                | Event::Remove
                | Event::SecretRotate(_)
                | Event::SecretExpired(_)
                | Event::Action(_)
        )
    }
}
