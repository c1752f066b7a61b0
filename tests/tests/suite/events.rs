//! Every event that Juju sends reaches a Rust handler with its data.

use crate::support::{Agent, Dispatch, built};

const RELATION: &[(&str, &str)] = &[
    ("JUJU_RELATION", "my-db"),
    ("JUJU_RELATION_ID", "my-db:7"),
    ("JUJU_REMOTE_APP", "mysql"),
];
const UNIT: (&str, &str) = ("JUJU_REMOTE_UNIT", "mysql/3");
const STORAGE: &[(&str, &str)] = &[
    ("JUJU_STORAGE_ID", "data/2"),
    ("JUJU_STORAGE_LOCATION", "/srv/data"),
    ("JUJU_STORAGE_KIND", "filesystem"),
];
const WORKLOAD: (&str, &str) = ("JUJU_WORKLOAD_NAME", "web");
const SECRET: &[(&str, &str)] = &[
    ("JUJU_SECRET_ID", "secret:9m4e2mr0ui3e8a215n4g"),
    ("JUJU_SECRET_LABEL", "password"),
];

/// A dispatch path, its variables, and the log line of the handler.
type Row = (
    &'static str,
    Vec<(&'static str, &'static str)>,
    &'static str,
);

/// The log line of the handler of each event, by the dispatch path and the
/// variables that Juju sets.
fn table() -> Vec<Row> {
    let with = |base: &[(&'static str, &'static str)], more: &[(&'static str, &'static str)]| {
        [base, more].concat()
    };
    vec![
        ("hooks/install", vec![], "Install(InstallEvent)"),
        ("hooks/start", vec![], "Start(StartEvent)"),
        ("hooks/stop", vec![], "Stop(StopEvent)"),
        ("hooks/remove", vec![], "Remove(RemoveEvent)"),
        (
            "hooks/update-status",
            vec![],
            "UpdateStatus(UpdateStatusEvent)",
        ),
        (
            "hooks/config-changed",
            vec![],
            "ConfigChanged(ConfigChangedEvent)",
        ),
        (
            "hooks/upgrade-charm",
            vec![],
            "UpgradeCharm(UpgradeCharmEvent)",
        ),
        (
            "hooks/leader-elected",
            vec![],
            "LeaderElected(LeaderElectedEvent)",
        ),
        (
            "hooks/leader-settings-changed",
            vec![],
            "LeaderSettingsChanged(LeaderSettingsChangedEvent)",
        ),
        (
            "hooks/pre-series-upgrade",
            vec![],
            "PreSeriesUpgrade(PreSeriesUpgradeEvent)",
        ),
        (
            "hooks/post-series-upgrade",
            vec![],
            "PostSeriesUpgrade(PostSeriesUpgradeEvent)",
        ),
        (
            "hooks/collect-metrics",
            vec![],
            "CollectMetrics(CollectMetricsEvent)",
        ),
        (
            "hooks/my-db-relation-created",
            RELATION.to_vec(),
            "RelationCreated(RelationCreatedEvent { endpoint: \"my-db\", relation_id: 7, app: Some(\"mysql\") })",
        ),
        (
            "hooks/my-db-relation-joined",
            with(RELATION, &[UNIT]),
            "RelationJoined(RelationJoinedEvent { endpoint: \"my-db\", relation_id: 7, app: \"mysql\", unit: \"mysql/3\" })",
        ),
        (
            "hooks/my-db-relation-changed",
            with(RELATION, &[UNIT]),
            "RelationChanged(RelationChangedEvent { endpoint: \"my-db\", relation_id: 7, app: Some(\"mysql\"), unit: Some(\"mysql/3\") })",
        ),
        (
            "hooks/my-db-relation-changed",
            with(RELATION, &[("JUJU_REMOTE_UNIT", "")]),
            "RelationChanged(RelationChangedEvent { endpoint: \"my-db\", relation_id: 7, app: Some(\"mysql\"), unit: None })",
        ),
        (
            "hooks/ring-relation-changed",
            vec![
                ("JUJU_RELATION", "ring"),
                ("JUJU_RELATION_ID", "ring:0"),
                ("JUJU_REMOTE_APP", "app"),
                ("JUJU_REMOTE_UNIT", "app/1"),
            ],
            "RelationChanged(RelationChangedEvent { endpoint: \"ring\", relation_id: 0, app: Some(\"app\"), unit: Some(\"app/1\") })",
        ),
        (
            "hooks/my-db-relation-departed",
            with(RELATION, &[UNIT, ("JUJU_DEPARTING_UNIT", "mysql/3")]),
            "RelationDeparted(RelationDepartedEvent { endpoint: \"my-db\", relation_id: 7, app: Some(\"mysql\"), unit: Some(\"mysql/3\"), departing_unit: Some(\"mysql/3\") })",
        ),
        (
            "hooks/my-db-relation-broken",
            RELATION.to_vec(),
            "RelationBroken(RelationBrokenEvent { endpoint: \"my-db\", relation_id: 7, app: Some(\"mysql\") })",
        ),
        (
            "hooks/data-storage-attached",
            STORAGE.to_vec(),
            "StorageAttached(StorageAttachedEvent { name: \"data\", index: 2, location: Some(\"/srv/data\") })",
        ),
        (
            "hooks/data-storage-detaching",
            STORAGE.to_vec(),
            "StorageDetaching(StorageDetachingEvent { name: \"data\", index: 2, location: Some(\"/srv/data\") })",
        ),
        (
            "hooks/web-pebble-ready",
            vec![WORKLOAD],
            "PebbleReady(PebbleReadyEvent { container: \"web\" })",
        ),
        (
            "hooks/web-pebble-custom-notice",
            vec![
                WORKLOAD,
                ("JUJU_NOTICE_ID", "42"),
                ("JUJU_NOTICE_TYPE", "custom"),
                ("JUJU_NOTICE_KEY", "example.com/done"),
            ],
            "PebbleCustomNotice(PebbleCustomNoticeEvent { container: \"web\", id: \"42\", kind: \"custom\", key: \"example.com/done\" })",
        ),
        (
            "hooks/web-pebble-check-failed",
            vec![WORKLOAD, ("JUJU_PEBBLE_CHECK_NAME", "up")],
            "PebbleCheckFailed(PebbleCheckFailedEvent { container: \"web\", name: \"up\" })",
        ),
        (
            "hooks/web-pebble-check-recovered",
            vec![WORKLOAD, ("JUJU_PEBBLE_CHECK_NAME", "up")],
            "PebbleCheckRecovered(PebbleCheckRecoveredEvent { container: \"web\", name: \"up\" })",
        ),
        (
            "hooks/secret-changed",
            SECRET.to_vec(),
            "SecretChanged(SecretChangedEvent { id: \"secret:9m4e2mr0ui3e8a215n4g\", label: Some(\"password\") })",
        ),
        (
            "hooks/secret-rotate",
            with(&SECRET[..1], &[("JUJU_SECRET_LABEL", "")]),
            "SecretRotate(SecretRotateEvent { id: \"secret:9m4e2mr0ui3e8a215n4g\", label: None })",
        ),
        (
            "hooks/secret-remove",
            with(SECRET, &[("JUJU_SECRET_REVISION", "3")]),
            "SecretRemove(SecretRemoveEvent { id: \"secret:9m4e2mr0ui3e8a215n4g\", label: Some(\"password\"), revision: 3 })",
        ),
        (
            "hooks/secret-expired",
            with(SECRET, &[("JUJU_SECRET_REVISION", "3")]),
            "SecretExpired(SecretExpiredEvent { id: \"secret:9m4e2mr0ui3e8a215n4g\", label: Some(\"password\"), revision: 3 })",
        ),
        (
            "actions/do-backup",
            vec![],
            "Action(ActionEvent { name: \"do-backup\", id: \"42\" })",
        ),
    ]
}

#[test]
fn every_event_reaches_its_handler_with_its_data() {
    let charm = built("tests/guests/events");
    for (path, vars, wanted) in table() {
        let agent = Agent::new();
        let ended = Dispatch::new(&charm, path, &agent).vars(&vars).run();
        assert_eq!(ended.code, Some(0), "{path}: {}", ended.stderr);
        let seen: Vec<String> = agent
            .logs()
            .into_iter()
            .filter(|line| line.starts_with("INFO "))
            .collect();
        let collecting = "INFO CollectStatus(CollectStatusEvent)";
        let mut all = vec![format!("INFO {wanted}")];
        if path != "hooks/collect-metrics" {
            // The unit is the leader, so the application status is evaluated too.
            all.extend([collecting.to_owned(), collecting.to_owned()]);
        }
        assert_eq!(seen, all, "{path}");
    }
}

#[test]
fn events_that_the_charm_does_not_define_succeed() {
    let charm = built("tests/guests/events");
    for path in [
        "hooks/no-such-hook",
        "hooks/other-relation-joined",
        "actions/other",
        "hooks/meter-status-changed",
    ] {
        let agent = Agent::new();
        let ended = Dispatch::new(&charm, path, &agent).run();
        assert_eq!(ended.code, Some(0), "{path}: {}", ended.stderr);
        let logs = agent.logs();
        assert!(
            logs.iter().any(|line| line.contains(" not defined for ")),
            "{path}: {logs:?}"
        );
    }
}

#[test]
fn a_restricted_context_calls_neither_is_leader_nor_status_tools() {
    let charm = built("tests/guests/events");
    for path in ["hooks/collect-metrics", "hooks/meter-status-changed"] {
        let agent = Agent::new();
        let ended = Dispatch::new(&charm, path, &agent).run();
        assert_eq!((ended.code, agent.calls()), (Some(0), Vec::new()), "{path}");
    }
}
