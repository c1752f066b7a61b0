//! Settings files that would hang or overload the host, and too little memory.

use std::process::{Command, Stdio};

use crate::support::{Agent, Dispatch, copy};

/// Settings are read only from regular files of limited size.
#[test]
fn settings_in_a_special_or_too_large_file_are_an_error() {
    let many: Vec<String> = (0..200_000).map(|n| format!("\"/srv/{n}\"")).collect();
    for (name, make, wanted) in [
        ("pipe", None, "it is not a regular file"),
        (
            "grants",
            Some(format!("[grants]\nread = [{}]\n", many.join(", "))),
            "it is larger than 1 MiB",
        ),
        (
            "entries",
            Some(format!("[grants]\nread = [{}]\n", many[..300].join(", "))),
            "grants.read has 300 entries, and may have 256",
        ),
    ] {
        let charm = copy("tests/guests/faults");
        let settings = charm.path().join("charmhost.toml");
        match make {
            Some(text) => std::fs::write(&settings, text).unwrap(),
            None => {
                let _ = std::fs::remove_file(&settings);
                let made = Command::new("mkfifo").arg(&settings).status();
                assert!(made.unwrap().success());
            }
        }
        let agent = Agent::new();
        let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
        assert_eq!(ended.code, Some(1), "{name}");
        let logs = agent.logs();
        assert!(
            logs.iter().any(|line| line.contains(wanted)),
            "{name}: {logs:?}"
        );
    }
}

/// The address space of a guest's memory is reserved at once; a lower limit of the
/// process is reported.
#[test]
fn too_little_address_space_is_reported() {
    let charm = copy("tests/guests/faults");
    let agent = Agent::new();
    let dispatch = Dispatch::new(charm.path(), "hooks/start", &agent);
    let mut limited = Command::new("/bin/sh");
    limited
        .args(["-c", "ulimit -v 4194304; exec ./dispatch"])
        .current_dir(charm.path())
        .stdin(Stdio::null())
        .env_clear()
        .envs(
            dispatch
                .command()
                .get_envs()
                .filter_map(|(k, v)| Some((k, v?))),
        );
    let ended = limited.output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let logs = agent.logs();
    assert!(
        logs.iter()
            .any(|line| line.contains("Out of memory") && line.contains("ulimit -v")),
        "{logs:?}"
    );
}
