//! Every variable, well-formed and not.

use super::*;
use crate::events::table::{RELATION_ID, REMOTE_APP};
use crate::{Event, Metadata};

fn read(vars: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
    Environment::read(|name| {
        let found = vars.iter().rfind(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

fn metadata() -> Metadata {
    let dir = tempfile::tempdir().unwrap();
    let text = "name: x\nrequires: {my-db: {interface: pg}}\nstorage: {data: {type: block}}\ncontainers: {app: }\n";
    std::fs::write(dir.path().join("metadata.yaml"), text).unwrap();
    std::fs::write(dir.path().join("actions.yaml"), "do-backup:\n").unwrap();
    Metadata::load(dir.path()).unwrap()
}

/// The event of a path and variables, as its name and its data in Rust's form.
fn event(path: &str, vars: &[(&str, &str)]) -> Result<Option<Event>, String> {
    let mut all = vec![("JUJU_DISPATCH_PATH", path)];
    all.extend_from_slice(vars);
    read(&all)
        .and_then(|environment| environment.event(&metadata()))
        .map_err(|error| error.to_string())
}

#[test]
fn an_empty_environment_is_read() {
    let environment = read(&[]).unwrap();
    assert_eq!(environment.juju_version.to_string(), "0.0.0");
    assert_eq!(
        (environment.event_name(), environment.agent),
        (String::new(), None)
    );
}

#[test]
fn the_event_is_named_by_the_end_of_the_path() {
    for (path, wanted) in [
        ("hooks/config-changed", "config_changed"),
        ("actions/do-backup", "do_backup_action"),
        ("foo/actions/do-backup", "do_backup_action"),
        ("actions/hooks/start", "start"),
        ("hooks/start/", "start"),
        ("start", "start"),
        ("", ""),
    ] {
        let environment = read(&[("JUJU_DISPATCH_PATH", path)]).unwrap();
        assert_eq!(environment.event_name(), wanted, "{path}");
    }
}

#[test]
fn names_that_the_charm_does_not_define_are_no_event() {
    for path in [
        "hooks/nonsense",
        "hooks/other-relation-changed",
        "actions/other",
        "",
        "hooks/Start",
    ] {
        assert_eq!(event(path, &[]), Ok(None), "{path}");
    }
}

#[test]
fn malformed_variables_are_rejected_by_name() {
    for (name, value) in [
        ("JUJU_UNIT_NAME", "app"),
        ("JUJU_UNIT_NAME", "/0"),
        ("JUJU_VERSION", "three"),
        ("JUJU_VERSION", "3.6.1-rc1"),
        ("JUJU_RELATION_ID", "db:x"),
        ("JUJU_RELATION_ID", "db:-1"),
        ("JUJU_RELATION_ID", "db:99999999999"),
        ("JUJU_STORAGE_ID", "data"),
        ("JUJU_STORAGE_ID", "data/x"),
        ("JUJU_SECRET_REVISION", "one"),
        ("JUJU_SECRET_REVISION", "2147483648"),
    ] {
        let error = read(&[(name, value)]).unwrap_err().to_string();
        let wanted = format!("cannot read {name}: {value:?} is malformed; Juju sets it to ");
        assert!(error.starts_with(&wanted), "{error}");
    }
    let error = Environment::read(|name| {
        use std::os::unix::ffi::OsStringExt;
        (name == "JUJU_MODEL_NAME").then(|| OsString::from_vec(vec![0xff]))
    });
    assert!(error.unwrap_err().to_string().contains("text in UTF-8"));
}

#[test]
fn what_an_event_needs_is_asked_for_by_name() {
    let relation = [("JUJU_RELATION", "my-db"), ("JUJU_RELATION_ID", "my-db:7")];
    for (path, vars, wanted) in [
        (
            "hooks/my-db-relation-joined",
            &[][..],
            "JUJU_RELATION is not set",
        ),
        (
            "hooks/my-db-relation-joined",
            &relation[..1],
            "JUJU_RELATION_ID is not set",
        ),
        (
            "hooks/my-db-relation-joined",
            &[("JUJU_RELATION", "other")],
            "JUJU_RELATION is \"other\"",
        ),
        (
            "hooks/my-db-relation-joined",
            &[relation[0], relation[1], ("JUJU_REMOTE_UNIT", "mysql")],
            "JUJU_REMOTE_UNIT is \"mysql\"",
        ),
        (
            "hooks/my-db-relation-joined",
            &[
                relation[0],
                relation[1],
                ("JUJU_REMOTE_APP", "a"),
                ("JUJU_REMOTE_UNIT", "b/0"),
            ],
            "a unit of JUJU_REMOTE_APP, here a",
        ),
        (
            "hooks/data-storage-attached",
            &[],
            "JUJU_STORAGE_ID is not set",
        ),
        (
            "hooks/data-storage-attached",
            &[("JUJU_STORAGE_ID", "logs/0")],
            "JUJU_STORAGE_ID is \"logs/0\"",
        ),
        (
            "hooks/app-pebble-ready",
            &[],
            "JUJU_WORKLOAD_NAME is not set",
        ),
        (
            "hooks/app-pebble-ready",
            &[("JUJU_WORKLOAD_NAME", "db")],
            "JUJU_WORKLOAD_NAME is \"db\"",
        ),
        (
            "hooks/app-pebble-custom-notice",
            &[("JUJU_WORKLOAD_NAME", "app")],
            "JUJU_NOTICE_ID is not set",
        ),
        (
            "hooks/app-pebble-check-failed",
            &[("JUJU_WORKLOAD_NAME", "app")],
            "JUJU_PEBBLE_CHECK_NAME is not set",
        ),
        ("hooks/secret-changed", &[], "JUJU_SECRET_ID is not set"),
        (
            "hooks/secret-remove",
            &[("JUJU_SECRET_ID", "secret:x")],
            "JUJU_SECRET_REVISION is not set",
        ),
    ] {
        let error = event(path, vars).unwrap_err();
        assert!(error.contains(wanted), "{path} {vars:?} gave {error:?}");
    }
}

#[test]
fn an_application_is_taken_from_the_unit_if_need_be() {
    let vars = [
        ("JUJU_RELATION", "my-db"),
        ("JUJU_RELATION_ID", "7"),
        ("JUJU_REMOTE_UNIT", "mysql/3"),
    ];
    let event = event("hooks/my-db-relation-changed", &vars);
    let event = event.unwrap().unwrap();
    assert_eq!(
        (event.number(&RELATION_ID), event.text(&REMOTE_APP)),
        (Some(7), Some("mysql"))
    );
}
