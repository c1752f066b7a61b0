//! Grants of a charm, and their restriction by the operator.

use std::net::TcpListener;
use std::path::Path;

use crate::support::{Agent, Dispatch, charmhost, copy, prints, root, shown, usual};

/// Returns what an attempt of the guest logged, and denials.
fn attempt(charm: &Path, name: &str, outside: &Path, port: u16, operator: &str) -> Vec<String> {
    let params = serde_json::json!({
        "attempt": name,
        "outside": outside.display().to_string(),
        "port": port,
    });
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params.to_string()),
        _ => usual(request),
    });
    let file = charm.join("operator.toml");
    std::fs::write(&file, operator).unwrap();
    let ended = Dispatch::new(charm, "actions/attempt", &agent)
        .var("CHARMHOST_OPERATOR_FILE", &file.display().to_string())
        .var("FROM_OUTSIDE", "hello")
        .run();
    let logs = agent.logs();
    assert_eq!(ended.code, Some(0), "{name}: {logs:?} {}", ended.stderr);
    let is_message = |line: &String| {
        ["GOT", "HELD", "Denied"]
            .iter()
            .any(|word| line.contains(word))
    };
    logs.into_iter().filter(is_message).collect()
}

#[test]
fn a_denial_is_logged_with_the_grant_that_would_allow_it() {
    // Not in `/tmp`, which is private in a guest.
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(outside.path().join("secret"), "treasure").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = outside.path().display();
    for (name, grant, got) in [
        (
            "read-absolute",
            format!("read = [\"{path}/secret\"]"),
            "treasure",
        ),
        (
            "read-relative",
            format!("read = [\"{path}/secret\"]"),
            "treasure",
        ),
        (
            "write-new-outside",
            format!("write = [\"{path}\"]"),
            "wrote ",
        ),
        (
            "connect",
            format!("network = [\"127.0.0.1:{port}\"]"),
            "connected to ",
        ),
        (
            "list-outside",
            format!("read = [\"{path}\"]"),
            "shows secret",
        ),
    ] {
        let charm = copy("tests/guests/escape");
        let lines = attempt(charm.path(), name, outside.path(), port, "");
        let wanted = format!("; to allow it, write {grant} under [grants] in charmhost.toml.");
        let denied = lines.iter().any(|line| line.ends_with(&wanted));
        assert!(denied, "{name}: {wanted} is not in {lines:?}");
        if got.is_empty() {
            continue;
        }
        let settings = format!("[grants]\n{grant}\n");
        std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
        let lines = attempt(charm.path(), name, outside.path(), port, "");
        let has = lines
            .iter()
            .any(|line| line.contains("GOT") && line.contains(got));
        assert!(has, "{name}: {lines:?}");
        // The operator refuses it.
        let narrow = "[grants]\nread = []\nwrite = []\nnetwork = []\n";
        let lines = attempt(charm.path(), name, outside.path(), port, narrow);
        assert!(
            lines.iter().any(|line| line.contains("HELD")),
            "{name}: {lines:?}"
        );
    }
}

#[test]
fn a_read_grant_does_not_allow_writing() {
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(outside.path().join("secret"), "treasure").unwrap();
    let charm = copy("tests/guests/escape");
    let settings = format!("[grants]\nread = [\"{}\"]\n", outside.path().display());
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    for name in [
        "write-outside",
        "write-new-outside",
        "remove-outside",
        "rename-outside",
    ] {
        let lines = attempt(charm.path(), name, outside.path(), 1, "");
        assert!(
            lines.iter().any(|line| line.contains("HELD")),
            "{name}: {lines:?}"
        );
    }
    let content = std::fs::read_to_string(outside.path().join("secret")).unwrap();
    assert_eq!(content, "treasure");
}

/// A guest has storage and resources at the paths that Juju reports.
#[test]
fn storage_and_resources_are_at_the_paths_of_juju() {
    for place in ["/var/tmp", "/tmp"] {
        storage_and_resources_in(Path::new(place));
    }
}

fn storage_and_resources_in(place: &Path) {
    let unit = tempfile::tempdir_in(place).unwrap();
    let charm = unit.path().join("charm");
    std::fs::create_dir(&charm).unwrap();
    for entry in std::fs::read_dir(copy("tests/guests/escape").path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, charm.join(path.file_name().unwrap())).unwrap();
    }
    let (storage, resource) = (unit.path().join("disk"), unit.path().join("resources/file"));
    for dir in [&storage, &resource] {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("secret"), "treasure").unwrap();
    }
    // The metadata declares the location of storage.
    let metadata =
        format!("name: escape\nstorage: {{data: {{type: filesystem, location: {storage:?}}}}}\n");
    std::fs::write(charm.join("metadata.yaml"), metadata).unwrap();
    for (name, outside, wanted) in [
        ("read-absolute", &storage, "GOT treasure"),
        ("write-new-outside", &storage, "GOT wrote"),
        ("read-absolute", &resource, "GOT treasure"),
        ("write-new-outside", &resource, "HELD"),
    ] {
        let location = storage.display().to_string();
        let params = serde_json::json!({
            "attempt": name,
            "outside": outside.display().to_string(),
            "port": 1,
        });
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "action-get" => prints(&params.to_string()),
            "storage-list" => prints("[\"data/0\"]"),
            "storage-get" => {
                let found = serde_json::json!({"kind": "filesystem", "location": location});
                prints(&found.to_string())
            }
            _ => usual(request),
        });
        let ended = Dispatch::new(&charm, "actions/attempt", &agent).run();
        let logs = agent.logs();
        assert_eq!(ended.code, Some(0), "{logs:?}");
        assert!(
            logs.iter().any(|line| line.contains(wanted)),
            "{name}: {logs:?}"
        );
    }
}

#[test]
fn host_names_and_variables_are_granted_individually() {
    let charm = copy("tests/guests/escape");
    let settings = "[grants]\nnetwork = [\"localhost:*\"]\nenvironment = [\"FROM_OUTSIDE\"]\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (name, wanted) in [
        ("look-up", "127.0.0.1"),
        ("connect-by-name", "connected to localhost"),
        ("environment", "GOT FROM_OUTSIDE"),
    ] {
        let lines = attempt(charm.path(), name, Path::new("/"), port, "");
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "{name}: {lines:?}"
        );
    }
}

#[test]
fn a_write_grant_of_the_charms_code_is_rejected() {
    let charm = copy("tests/guests/escape");
    let settings = format!(
        "[grants]\nwrite = [\"{}\"]\n",
        charm.path().parent().unwrap().display()
    );
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let ended = Dispatch::new(charm.path(), "hooks/start", &Agent::new()).run();
    assert_eq!(ended.code, Some(1));
    let wanted =
        "contains the charm's directory or is in it; name the directories that the charm needs";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

#[test]
fn pack_and_inspect_print_the_grants() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("escape.charm");
    let project = root().join("tests/guests/events");
    let args = [
        "pack".as_ref(),
        project.as_os_str(),
        "-o".as_ref(),
        archive.as_os_str(),
    ];
    let output = charmhost(args);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.ends_with("grants: none\n"), "{}", shown(&output));
    let output = charmhost(["inspect".as_ref(), archive.as_os_str()]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.starts_with("name: events\n"), "{}", shown(&output));
    assert!(stdout.contains("  memory-mib = 512\n"), "{stdout}");

    let charm = copy("tests/guests/events");
    let settings =
        "[state]\nmode = \"atomic\"\n[grants]\nnetwork = [\"*:443\"]\nread = [\"/etc/ssl\"]\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let operator = dir.path().join("operator.toml");
    std::fs::write(
        &operator,
        "[grants]\nread = []\nnetwork = [\"10.0.0.0/8:*\"]\n",
    )
    .unwrap();
    let output = charmhost(["inspect".as_ref(), charm.path().as_os_str()]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let wanted = "grants:\n  network = [\"*:443\"]\n  read = [\"/etc/ssl\"]\n";
    assert!(stdout.ends_with(wanted), "{}", shown(&output));
    let output = charmhost([
        "inspect".as_ref(),
        charm.path().as_os_str(),
        "--operator".as_ref(),
        operator.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["grants"]["network"],
        serde_json::json!(["10.0.0.0/8:443"])
    );
    assert_eq!(report["grants"]["read"], serde_json::json!([]));
    assert_eq!(report["state"]["mode"], "atomic");
    let output = charmhost(["inspect", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
}
