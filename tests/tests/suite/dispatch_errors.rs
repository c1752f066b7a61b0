//! Failures before or around the guest: message and exit code of each.

use std::io::{Read, Write};
use std::path::Path;

use charmhost_jujuc::Request;

use crate::support::{Agent, Dispatch, copy, fails, prints, usual};

/// A defect of a charm or its environment.
struct Case {
    name: &'static str,
    spoil: fn(&Path),
    vars: &'static [(&'static str, &'static str)],
    code: i32,
    /// Text that standard error or the log must contain.
    wanted: &'static str,
}

fn nothing(_: &Path) {}

fn write(charm: &Path, file: &str, content: &[u8]) {
    std::fs::write(charm.join(file), content).unwrap();
}

/// Offsets of the machine in an ELF header and of the compiler's version.
fn patch(charm: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(charm.join("charm.cwasm")).unwrap();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    write(charm, "charm.cwasm", &bytes);
}

const CASES: &[Case] = &[
    Case {
        name: "no metadata",
        spoil: |charm| std::fs::remove_file(charm.join("metadata.yaml")).unwrap(),
        vars: &[],
        code: 1,
        wanted: "metadata.yaml: there is no such file",
    },
    Case {
        name: "metadata that is no YAML",
        spoil: |charm| write(charm, "metadata.yaml", b"name: [\n"),
        vars: &[],
        code: 1,
        wanted: "metadata.yaml: line 2",
    },
    Case {
        name: "actions that are no YAML",
        spoil: |charm| write(charm, "actions.yaml", b"a: b: c\n"),
        vars: &[],
        code: 1,
        wanted: "actions.yaml: line 1",
    },
    Case {
        name: "bad settings",
        spoil: |charm| write(charm, "charmhost.toml", b"[limits]\ncpu-seconds = -1\n"),
        vars: &[],
        code: 1,
        wanted: "limits.cpu-seconds must be more than 0",
    },
    Case {
        name: "no compiled charm",
        spoil: |charm| std::fs::remove_file(charm.join("charm.cwasm")).unwrap(),
        vars: &[],
        code: 1,
        wanted: "cannot find the compiled charm",
    },
    Case {
        name: "a component that was not compiled",
        spoil: |charm| write(charm, "charm.cwasm", b"\0asm\x0d\0\x01\0"),
        vars: &[],
        code: 1,
        wanted: "WebAssembly that was not compiled for this host; run `charmhost build`",
    },
    Case {
        name: "an empty compiled charm",
        spoil: |charm| write(charm, "charm.cwasm", b""),
        vars: &[],
        code: 1,
        wanted: "it is damaged or not a compiled charm",
    },
    Case {
        name: "a truncated compiled charm",
        spoil: |charm| {
            let bytes = std::fs::read(charm.join("charm.cwasm")).unwrap();
            write(charm, "charm.cwasm", &bytes[..bytes.len() / 2]);
        },
        vars: &[],
        code: 1,
        wanted: "it is damaged or not a compiled charm",
    },
    Case {
        name: "a compiled charm of another release",
        spoil: |charm| patch(charm, b"charmhost 0.1.0, WIT", b"charmhost 9.9.9"),
        vars: &[],
        code: 1,
        wanted: "it was compiled by charmhost 9.9.9, WIT",
    },
    Case {
        name: "a compiled charm for another architecture",
        spoil: |charm| {
            patch(
                charm,
                b"x86_64-unknown-linux-gnu",
                b"mips64-unknown-linux-gnu",
            )
        },
        vars: &[],
        code: 1,
        wanted: "it was compiled for mips64",
    },
    Case {
        name: "a malformed unit name",
        spoil: nothing,
        vars: &[("JUJU_UNIT_NAME", "app")],
        code: 1,
        wanted: "cannot read JUJU_UNIT_NAME: \"app\" is malformed",
    },
    Case {
        name: "a malformed version",
        spoil: nothing,
        vars: &[("JUJU_VERSION", "three")],
        code: 1,
        wanted: "cannot read JUJU_VERSION",
    },
    Case {
        name: "a malformed relation id",
        spoil: nothing,
        vars: &[("JUJU_RELATION_ID", "db:x")],
        code: 1,
        wanted: "cannot read JUJU_RELATION_ID",
    },
    Case {
        name: "a malformed storage id",
        spoil: nothing,
        vars: &[("JUJU_STORAGE_ID", "data")],
        code: 1,
        wanted: "cannot read JUJU_STORAGE_ID",
    },
    Case {
        name: "a malformed secret revision",
        spoil: nothing,
        vars: &[("JUJU_SECRET_REVISION", "x")],
        code: 1,
        wanted: "cannot read JUJU_SECRET_REVISION",
    },
    Case {
        name: "a socket of another network",
        spoil: nothing,
        vars: &[("JUJU_AGENT_SOCKET_NETWORK", "tcp")],
        code: 1,
        wanted: "only pod-spec charms",
    },
    Case {
        name: "an unknown choice of hook tools",
        spoil: nothing,
        vars: &[("CHARMHOST_HOOK_TOOLS", "telepathy")],
        code: 1,
        wanted: "it must be rpc or exec",
    },
    Case {
        name: "no agent at the socket",
        spoil: nothing,
        vars: &[("JUJU_AGENT_SOCKET_ADDRESS", "/nowhere/agent.socket")],
        code: 1,
        wanted: "cannot connect to the Juju agent at /nowhere/agent.socket",
    },
    Case {
        name: "no agent and no tools",
        spoil: nothing,
        vars: &[("JUJU_CONTEXT_ID", "")],
        code: 1,
        wanted: "JUJU_CONTEXT_ID is not set and there is no juju-log on PATH",
    },
    Case {
        name: "a missing variable of an event",
        spoil: nothing,
        vars: &[("JUJU_DISPATCH_PATH", "hooks/secret-changed")],
        code: 1,
        wanted: "JUJU_SECRET_ID is not set",
    },
];

#[test]
fn every_defect_has_its_message_and_exit_code() {
    for case in CASES {
        let charm = copy("charms/hello");
        (case.spoil)(charm.path());
        let agent = Agent::new();
        let ended = Dispatch::new(charm.path(), "hooks/config-changed", &agent)
            .vars(case.vars)
            .run();
        let stderr = format!("{}{}", ended.stderr, agent.logs().join("\n"));
        assert_eq!(ended.code, Some(case.code), "{}: {stderr}", case.name);
        assert!(
            stderr.contains(case.wanted),
            "{}: wanted {:?}, got {stderr}",
            case.name,
            case.wanted
        );
    }
}

/// Grants the charm a legacy hook that leaves a file.
fn with_traces(charm: &Path) {
    write(charm, "charmhost.toml", b"[grants]\nlegacy-hooks = true\n");
    std::fs::create_dir(charm.join("hooks")).unwrap();
    write(charm, "hooks/start", b"#!/bin/sh\ntouch ran\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(charm.join("hooks/start"), executable).unwrap();
}

#[test]
fn code_of_the_previous_host_is_refused_before_anything_changes() {
    let charm = copy("tests/guests/settle");
    with_traces(charm.path());
    let deferring = |request: &Request| match request.tool.as_str() {
        "config-get" => prints("deferred"),
        _ => usual(request),
    };
    let agent = Agent::answering(deferring);
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // The hook runs, and the state is written.
    std::fs::remove_file(charm.path().join("ran")).unwrap();
    let state = charm.path().join(".unit-state.db");
    let before = std::fs::read(&state).unwrap();
    patch(charm.path(), b", WIT 0.2.0", b", WIT 0.1.0");
    let agent = Agent::answering(deferring);
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let logs = agent.logs().join("\n");
    for wanted in [
        "it was compiled by charmhost 0.1.0, WIT 0.1.0, wasmtime 48.0.8",
        "run `charmhost pack` again, and refresh the charm (`juju refresh`)",
    ] {
        assert!(logs.contains(wanted), "{logs}");
        assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
    }
    assert!(!charm.path().join("ran").exists());
    assert_eq!(std::fs::read(&state).unwrap(), before);
    let calls = agent.calls();
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn a_component_of_another_world_is_rejected_with_what_is_missing() {
    let output = crate::support::charmhost([
        "build".as_ref(),
        crate::support::root()
            .join("tests/guests/bad-imports")
            .as_os_str(),
        "--output".as_ref(),
        tempfile::tempdir().unwrap().path().join("o").as_os_str(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    for wanted in [
        "it does not export charmhost:entry/entry@0.2.0",
        "it imports example:other/thing@1.0.0, which this host does not offer",
    ] {
        assert!(stderr.contains(wanted), "wanted {wanted:?}, got {stderr}");
    }
}

#[test]
fn an_agent_that_closes_in_the_middle_of_a_call_fails_the_hook() {
    let charm = copy("charms/hello");
    let agent = Agent::raw(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
    });
    let ended = Dispatch::new(charm.path(), "hooks/config-changed", &agent).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let wanted = "the Juju agent closed the connection before it answered";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

#[test]
fn an_agent_with_another_protocol_fails_the_hook() {
    let charm = copy("charms/hello");
    let agent = Agent::raw(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x05, 0xff, 0x80, 1, 2, 3]);
    });
    let ended = Dispatch::new(charm.path(), "hooks/config-changed", &agent).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let wanted = "cannot understand the Juju agent's answer";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

#[test]
fn a_hook_succeeds_if_the_log_cannot_be_written() {
    let charm = copy("charms/hello");
    let agent = Agent::answering(|request| match request.tool.as_str() {
        "juju-log" => fails(1, "ERROR no log today\n"),
        "config-get" => prints("{\"greeting\":\"Hi\",\"port\":8080}\n"),
        _ => usual(request),
    });
    let ended = Dispatch::new(charm.path(), "hooks/update-status", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("WARNING cannot write to the charm's log"),
        "{}",
        ended.stderr
    );
}
