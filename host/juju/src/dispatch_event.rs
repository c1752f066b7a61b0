//! From the environment to the event.

use std::collections::BTreeMap;

use crate::{
    ActionEvent, CheckEvent, Environment, EnvironmentError, Event, Metadata, NoticeEvent,
    RelationEvent, SecretEvent, SecretRevisionEvent, StorageEvent, WorkloadEvent,
};

impl Environment {
    /// The event of this dispatch.
    ///
    /// None for a name that this charm does not have, which is not an error:
    /// Juju sends every charm every event, also ones newer than the charm, and
    /// expects success. An event that is known but whose variables are missing
    /// or contradict each other is an error. A relation event without
    /// `JUJU_REMOTE_APP` takes the application from `JUJU_REMOTE_UNIT`.
    pub fn event(&self, metadata: &Metadata) -> Result<Option<Event>, EnvironmentError> {
        let name = self.event_name();
        if let Some(event) = plain(&name) {
            return Ok(Some(event));
        }
        let reader = Reader {
            environment: self,
            event: &name,
        };
        if let Some(event) = reader.secret() {
            return event.map(Some);
        }
        let found = if let Some(action) = subject(&metadata.actions, &name, "_action") {
            Ok(reader.action(action))
        } else if let Some((endpoint, make)) = relation(metadata, &name) {
            reader.relation(endpoint).map(make)
        } else if let Some(storage) = subject(&metadata.storage, &name, "_storage_attached") {
            reader.storage(storage).map(Event::StorageAttached)
        } else if let Some(storage) = subject(&metadata.storage, &name, "_storage_detaching") {
            reader.storage(storage).map(Event::StorageDetaching)
        } else {
            return reader.pebble(metadata);
        };
        found.map(Some)
    }
}

fn plain(name: &str) -> Option<Event> {
    Some(match name {
        "install" => Event::Install,
        "start" => Event::Start,
        "stop" => Event::Stop,
        "remove" => Event::Remove,
        "update_status" => Event::UpdateStatus,
        "config_changed" => Event::ConfigChanged,
        "upgrade_charm" => Event::UpgradeCharm,
        "leader_elected" => Event::LeaderElected,
        "leader_settings_changed" => Event::LeaderSettingsChanged,
        "pre_series_upgrade" => Event::PreSeriesUpgrade,
        "post_series_upgrade" => Event::PostSeriesUpgrade,
        "collect_metrics" => Event::CollectMetrics,
        _ => return None,
    })
}

/// The declared name that an event's name begins with, if it ends in `suffix`.
fn subject<'a, T>(declared: &'a BTreeMap<String, T>, event: &str, suffix: &str) -> Option<&'a str> {
    let stem = event.strip_suffix(suffix)?;
    let same = |name: &&str| {
        name.len() == stem.len()
            && name
                .bytes()
                .zip(stem.bytes())
                .all(|(a, b)| a == b || (a == b'-' && b == b'_'))
    };
    declared.keys().map(String::as_str).find(same)
}

type MakeRelation = fn(RelationEvent) -> Event;

const RELATION_EVENTS: [(&str, MakeRelation); 5] = [
    ("_relation_created", Event::RelationCreated),
    ("_relation_joined", Event::RelationJoined),
    ("_relation_changed", Event::RelationChanged),
    ("_relation_departed", Event::RelationDeparted),
    ("_relation_broken", Event::RelationBroken),
];

fn relation<'a>(metadata: &'a Metadata, event: &str) -> Option<(&'a str, MakeRelation)> {
    RELATION_EVENTS
        .iter()
        .find_map(|(suffix, make)| Some((subject(&metadata.relations, event, suffix)?, *make)))
}

struct Reader<'a> {
    environment: &'a Environment,
    event: &'a str,
}

impl Reader<'_> {
    fn required(
        &self,
        variable: &'static str,
        value: &Option<String>,
        expected: &'static str,
    ) -> Result<String, EnvironmentError> {
        value
            .clone()
            .ok_or_else(|| self.missing(variable, expected))
    }

    fn missing(&self, variable: &'static str, expected: &'static str) -> EnvironmentError {
        EnvironmentError::Missing {
            event: self.event.to_owned(),
            variable,
            expected,
        }
    }

    fn contradiction<T>(
        &self,
        variable: &'static str,
        value: &str,
        expected: String,
    ) -> Result<T, EnvironmentError> {
        let (event, value) = (self.event.to_owned(), value.to_owned());
        Err(EnvironmentError::Contradiction {
            event,
            variable,
            value,
            expected,
        })
    }

    /// Checks that a variable names what the event's name names.
    fn names(
        &self,
        variable: &'static str,
        value: &str,
        what: &str,
        wanted: &str,
    ) -> Result<(), EnvironmentError> {
        if value == wanted {
            return Ok(());
        }
        self.contradiction(
            variable,
            value,
            format!("the name of the {what}, here {wanted}"),
        )
    }

    fn action(&self, name: &str) -> Event {
        let id = self.environment.action_id.clone().unwrap_or_default();
        Event::Action(ActionEvent {
            name: name.to_owned(),
            id,
        })
    }

    fn relation(&self, endpoint: &str) -> Result<RelationEvent, EnvironmentError> {
        let environment = self.environment;
        let named = &environment.relation_name;
        let named = self.required("JUJU_RELATION", named, "the endpoint's name, as db")?;
        self.names("JUJU_RELATION", &named, "endpoint", endpoint)?;
        let relation_id = environment
            .relation_id
            .ok_or_else(|| self.missing("JUJU_RELATION_ID", "the relation's id, as db:7"))?;
        let unit = environment.remote_unit.clone();
        let mut app = environment.remote_app.clone();
        if let Some(unit) = &unit {
            let Some((unit_app, _)) = unit.split_once('/') else {
                let expected = "the remote unit's name, as mysql/0".to_owned();
                return self.contradiction("JUJU_REMOTE_UNIT", unit, expected);
            };
            let app = app.get_or_insert_with(|| unit_app.to_owned());
            if app != unit_app {
                let expected = format!("a unit of JUJU_REMOTE_APP, here {app}");
                return self.contradiction("JUJU_REMOTE_UNIT", unit, expected);
            }
        }
        let departing_unit = environment
            .departing_unit
            .clone()
            .filter(|_| self.event.ends_with("_relation_departed"));
        Ok(RelationEvent {
            endpoint: endpoint.to_owned(),
            relation_id,
            app,
            unit,
            departing_unit,
        })
    }

    fn storage(&self, name: &str) -> Result<StorageEvent, EnvironmentError> {
        let environment = self.environment;
        let Some(id) = &environment.storage else {
            return Err(self.missing("JUJU_STORAGE_ID", "the storage's id, as data/0"));
        };
        if id.name != name {
            let expected = format!("an instance of the storage {name}, as {name}/0");
            return self.contradiction("JUJU_STORAGE_ID", &id.to_string(), expected);
        }
        Ok(StorageEvent {
            name: name.to_owned(),
            index: id.index,
            location: environment.storage_location.clone(),
            kind: environment.storage_kind.clone(),
        })
    }

    fn secret(&self) -> Option<Result<Event, EnvironmentError>> {
        Some(match self.event {
            "secret_changed" => self.secret_event().map(Event::SecretChanged),
            "secret_rotate" => self.secret_event().map(Event::SecretRotate),
            "secret_remove" => self.secret_revision_event().map(Event::SecretRemove),
            "secret_expired" => self.secret_revision_event().map(Event::SecretExpired),
            _ => return None,
        })
    }

    fn secret_event(&self) -> Result<SecretEvent, EnvironmentError> {
        let id = &self.environment.secret_id;
        let id = self.required(
            "JUJU_SECRET_ID",
            id,
            "the secret's URI, as secret:9m4e2mr0ui3e8a215n4g",
        )?;
        Ok(SecretEvent {
            id,
            label: self.environment.secret_label.clone(),
        })
    }

    fn secret_revision_event(&self) -> Result<SecretRevisionEvent, EnvironmentError> {
        let SecretEvent { id, label } = self.secret_event()?;
        let revision = self
            .environment
            .secret_revision
            .ok_or_else(|| self.missing("JUJU_SECRET_REVISION", "the revision's number, as 3"))?;
        Ok(SecretRevisionEvent {
            id,
            label,
            revision,
        })
    }

    fn pebble(&self, metadata: &Metadata) -> Result<Option<Event>, EnvironmentError> {
        let container = |suffix| subject(&metadata.containers, self.event, suffix);
        if let Some(name) = container("_pebble_ready") {
            let container = self.container(name)?;
            return Ok(Some(Event::PebbleReady(WorkloadEvent { container })));
        }
        if let Some(name) = container("_pebble_custom_notice") {
            return Ok(Some(Event::PebbleCustomNotice(self.notice(name)?)));
        }
        if let Some(name) = container("_pebble_check_failed") {
            return Ok(Some(Event::PebbleCheckFailed(self.check(name)?)));
        }
        if let Some(name) = container("_pebble_check_recovered") {
            return Ok(Some(Event::PebbleCheckRecovered(self.check(name)?)));
        }
        Ok(None)
    }

    fn container(&self, name: &str) -> Result<String, EnvironmentError> {
        let variable = "JUJU_WORKLOAD_NAME";
        let expected = "the container's name in metadata.yaml";
        let named = self.required(variable, &self.environment.workload_name, expected)?;
        self.names(variable, &named, "container", name)?;
        Ok(named)
    }

    fn notice(&self, name: &str) -> Result<NoticeEvent, EnvironmentError> {
        let environment = self.environment;
        Ok(NoticeEvent {
            container: self.container(name)?,
            notice_id: self.required(
                "JUJU_NOTICE_ID",
                &environment.notice_id,
                "the notice's id, as 42",
            )?,
            notice_type: self.required("JUJU_NOTICE_TYPE", &environment.notice_type, "custom")?,
            notice_key: self.required(
                "JUJU_NOTICE_KEY",
                &environment.notice_key,
                "the notice's key, as example.com/backup-done",
            )?,
        })
    }

    fn check(&self, name: &str) -> Result<CheckEvent, EnvironmentError> {
        let check = &self.environment.check_name;
        let expected = "the check's name in the plan";
        Ok(CheckEvent {
            container: self.container(name)?,
            check: self.required("JUJU_PEBBLE_CHECK_NAME", check, expected)?,
        })
    }
}
