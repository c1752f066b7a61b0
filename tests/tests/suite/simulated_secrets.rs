//! Secrets under `charmhost sim`: what a hook reads of its own changes, and what
//! the controller applies at the end of the hook.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{charmhost, shown};

const APP: &str = "9m4e2mr0ui3e8a215n4g";
const UNIT: &str = "9m4e2mr0ui3e8a215n60";
const REMOTE: &str = "9m4e2mr0ui3e8a215n50";

/// `secret` runs a secret tool and logs its exit code and its output on both,
/// without the last newline.
const LOGGED: &str = "#!/bin/sh
secret() { tool=$1; shift; said=$(\"secret-$tool\" \"$@\" 2>&1); juju-log -- \"$?|$said\"; }
";

/// Runs two hooks of a shell charm and returns the report, with values as they
/// are.
fn sim(leader: bool, start: &str, update: &str) -> Value {
    let charm = tempfile::tempdir().unwrap();
    let hooks = charm.path().join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    let metadata = "name: vault\nrequires: {db: {interface: pgsql}}\n";
    std::fs::write(charm.path().join("metadata.yaml"), metadata).unwrap();
    for (name, script) in [("start", start), ("update-status", update)] {
        let path = hooks.join(name);
        std::fs::write(&path, format!("{LOGGED}{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let scenario = charm.path().join("scenario.yaml");
    let text = format!(
        "state:
  leader: {leader}
  relations: [{{endpoint: db, id: 7, remote_app_name: pg, remote_units_data: {{0: {{}}}}}}]
  secrets:
  - {{id: {APP}, owner: app, label: mine, tracked_content: {{token: old-app}}}}
  - {{id: {UNIT}, owner: unit, tracked_content: {{token: old-unit}}}}
  - {{id: {REMOTE}, owner: pg, tracked_content: {{token: theirs}}}}
events: [start, update-status]
"
    );
    std::fs::write(&scenario, text).unwrap();
    let output = charmhost([
        "sim",
        charm.path().to_str().unwrap(),
        "--scenario",
        scenario.to_str().unwrap(),
        "--format",
        "json",
        "--show-secrets",
    ]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)))
}

/// The answers that the script of a dispatch logged.
fn answers(report: &Value, dispatch: usize) -> Vec<(i64, String)> {
    let logs = report["dispatches"][dispatch]["logs"].as_array().unwrap();
    let logs = logs.iter().filter(|line| line["level"] == "INFO");
    let answer = |line: &Value| {
        let (code, text) = line["message"].as_str()?.split_once('|')?;
        Some((code.parse().ok()?, text.to_owned()))
    };
    logs.filter_map(answer).collect()
}

fn owned(answers: &[(i64, &str)]) -> Vec<(i64, String)> {
    let owned = |(code, text): &(i64, &str)| (*code, (*text).to_owned());
    answers.iter().map(owned).collect()
}

#[test]
fn new_content_of_a_secret_is_read_on_request_until_the_flush() {
    let start = format!(
        "secret set {APP} token=new-app
         secret get {APP} token; secret get {APP} token --peek; secret get --label mine
         secret get {APP} token --refresh; secret get {APP} token
         secret remove {UNIT}; secret get {UNIT} token
         secret ids"
    );
    let update = format!("secret get {APP} token; secret get {UNIT} token; true");
    let report = sim(true, &start, &update);
    let wanted = [
        (0, ""),
        (0, "old-app"),
        (0, "new-app"),
        (0, "token: old-app"),
        (0, "new-app"),
        (0, "old-app"),
        (0, ""),
        (0, "old-unit"),
        (0, "9m4e2mr0ui3e8a215n4g"),
    ];
    assert_eq!(answers(&report, 0), owned(&wanted), "{report:#}");
    let gone = format!("ERROR secret \"{UNIT}\" not found");
    let wanted = [(0, "new-app"), (1, gone.as_str())];
    assert_eq!(answers(&report, 1), owned(&wanted));
}

#[test]
fn a_secret_is_described_without_new_revisions_and_access_until_the_flush() {
    let info = |id: &str| format!("secret info-get {id} --format json");
    let start = format!(
        "secret set {UNIT} token=new --label mine-too; secret grant {UNIT} -r 7; {info}
         secret grant {REMOTE} -r 7; true",
        info = info(UNIT)
    );
    let report = sim(true, &start, &info(UNIT));
    let described = |revision: u32, access: &str| {
        format!(
            "{{\"{UNIT}\":{{\"revision\":{revision},\"label\":\"mine-too\",\"owner\":\"unit\",\
             \"rotation\":\"never\"{access}}}}}"
        )
    };
    let not_found = format!("ERROR secret \"{REMOTE}\" not found");
    let first = described(1, "");
    let wanted = [(0, ""), (0, ""), (0, first.as_str()), (1, &not_found)];
    assert_eq!(answers(&report, 0), owned(&wanted), "{report:#}");
    let access = ",\"access\":[{\"target\":\"application-pg\",\
                  \"scope\":\"relation-vault.db#pg.pgsql\",\"role\":\"view\"}]";
    assert_eq!(
        answers(&report, 1),
        owned(&[(0, described(2, access).as_str())])
    );
}

#[test]
fn a_unit_that_does_not_lead_fails_with_the_secrets_of_its_application() {
    for write in [
        format!("secret set {APP} token=new"),
        format!("secret remove {APP}"),
        format!("secret revoke {APP} --app pg"),
    ] {
        let start = format!(
            "{write}; secret ids; secret info-get {APP}; secret grant {APP} -r 7
             secret get {APP} token"
        );
        let report = sim(false, &start, "true");
        let not_found = format!("ERROR secret \"{APP}\" not found");
        let wanted = [
            (0, ""),
            (0, "9m4e2mr0ui3e8a215n60"),
            (1, &not_found),
            (1, &not_found),
            (0, "old-app"),
        ];
        assert_eq!(answers(&report, 0), owned(&wanted), "{report:#}");
        assert_eq!(
            report["dispatches"][0]["exit_code"], 0,
            "the charm succeeds"
        );
        let logs = report["dispatches"][0]["logs"].to_string();
        let denied = format!("cannot change secret \\\"{APP}\\\": permission denied");
        assert!(logs.contains(&denied), "{logs}");
        // The failed hook is not followed by another one.
        assert_eq!(report["dispatches"].as_array().unwrap().len(), 1);
        let secrets = report["model"]["secrets"].as_array().unwrap();
        let app = secrets.iter().find(|secret| secret["id"] == APP).unwrap();
        assert_eq!(
            app["revisions"],
            serde_json::json!({"1": {"token": "old-app"}})
        );
    }
}

#[test]
fn ids_of_new_secrets_have_the_format_of_juju() {
    let start = "for i in 1 2 3; do secret add --owner unit --label \"l$i\" key=v; done
                 secret add --owner unit --label l2 key=v; secret add --file - < /dev/null; true";
    let report = sim(true, start, "true");
    let answers = answers(&report, 0);
    for (code, uri) in &answers[..3] {
        let id = uri.trim_end().strip_prefix("secret:").unwrap();
        assert_eq!((*code, id.len()), (0, 20), "{id}");
        assert!(id.ends_with(['0', 'g']), "{id}");
    }
    let refused = [
        (1, "ERROR secret with label \"l2\" already exists"),
        (2, "ERROR open -: no such file or directory"),
    ];
    assert_eq!(answers[3..], owned(&refused));
    assert_eq!(report["model"]["secrets"].as_array().unwrap().len(), 6);
}
