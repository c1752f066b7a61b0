//! Programs inside: exit codes, environment, signals and lifetime.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use charmhost_isolation::Spec;
use rustix::process::{Pid, Signal};

use crate::support::{marker, ok, processes, sh, sleepers, spec, start, until};

#[test]
fn a_command_ends_as_its_program_does() {
    let isolated = start(&spec());
    for (script, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 3", Some(3), None),
        ("exit 255", Some(255), None),
        ("kill -TERM $$", None, Some(15)),
        ("kill -KILL $$", None, Some(9)),
        ("kill -ALRM $$", None, Some(14)),
        ("kill -SEGV $$", None, Some(11)),
        ("kill -PIPE $$", None, Some(13)),
        ("kill -USR1 $$", None, Some(10)),
    ] {
        let status = sh(&isolated, script).status;
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
    }
    for (directory, program, code, wanted) in [
        (
            "/",
            "no-such-program",
            127,
            "cannot run no-such-program: No such file",
        ),
        (
            "/",
            "/etc/passwd",
            126,
            "cannot run /etc/passwd: Permission denied",
        ),
        (
            "/no/such",
            "true",
            127,
            "cannot change to directory /no/such: No such file",
        ),
    ] {
        let output = isolated.command_in(directory, program).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{program}: {stderr}");
        assert!(stderr.starts_with(wanted), "{stderr}");
    }
    let mut late = isolated.command("true");
    isolated.stop();
    let output = late.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(
        output.stderr,
        b"cannot enter the isolated root: it has stopped\n"
    );
}

#[test]
fn a_program_has_the_environment_and_streams_of_its_command() {
    let isolated = start(&spec());
    isolated.create_dir_all("/opt/own/bin").unwrap();
    isolated
        .write(
            "/opt/own/bin/only-here",
            b"#!/bin/sh\n/usr/bin/env; pwd; echo $#$2; /bin/cat\n",
        )
        .unwrap();
    ok(&isolated, "chmod +x /opt/own/bin/only-here");
    let mut command = isolated.command_in("/var/lib", "only-here");
    command.args(["a b", ""]).env_clear();
    command.env("PATH", "/opt/own/bin").env("A", "b c");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through").unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let mut lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.starts_with("_="))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "/var/lib",
            "2",
            "A=b c",
            "PATH=/opt/own/bin",
            "PWD=/var/lib",
            "through"
        ]
    );
}

#[test]
fn a_killed_group_leaves_no_process() {
    let marker = marker();
    let isolated = start(&spec());
    let mut command = isolated.command("sh");
    command
        .args(["-c", &format!("sleep {marker} & sleep {marker}; true")])
        .process_group(0);
    let mut child = command.spawn().unwrap();
    until("both sleep", || sleepers(&marker) == 2);
    rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    until("both are killed", || processes(&marker) == 0);
}

#[test]
fn a_killed_command_kills_its_program() {
    let marker = marker();
    let isolated = start(&spec());
    let mut child = isolated
        .command("sleep")
        .arg(&marker)
        .process_group(0)
        .spawn()
        .unwrap();
    until("it sleeps", || sleepers(&marker) == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    until("it is killed", || processes(&marker) == 0);
}

#[test]
fn a_command_may_be_killed_at_any_time() {
    let marker = marker();
    let isolated = start(&spec());
    for microseconds in (0..4000).step_by(40) {
        let mut child = isolated.command("sleep").arg(&marker).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(microseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    until("all are killed", || processes(&marker) == 0);
}

#[test]
fn a_program_may_handle_a_signal_and_exit() {
    let isolated = start(&spec());
    let mut command = isolated.command("sh");
    command.args([
        "-c",
        "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done",
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    rustix::process::kill_process_group(Pid::from_child(&child), Signal::TERM).unwrap();
    output.read_to_string(&mut line).unwrap();
    assert_eq!(line, "ready\nbye\n");
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

/// Returns a command that runs one ignored test of this program in a new process.
fn helper(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

#[test]
#[ignore = "a process that is killed by another test"]
fn owner() {
    let marker = std::env::var("MARKER").unwrap();
    let isolated = start(&Spec {
        hostname: marker.clone(),
        ..spec()
    });
    ok(
        &isolated,
        &format!("setsid sleep {marker} >/dev/null 2>&1 &"),
    );
    isolated.command("sleep").arg(&marker).status().unwrap();
}

#[test]
fn an_isolated_root_ends_with_the_process_that_started_it() {
    let marker = marker();
    let mut owner = helper("programs::owner");
    owner
        .env("MARKER", &marker)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut owner = owner.spawn().unwrap();
    let started = std::panic::catch_unwind(|| until("both sleep", || sleepers(&marker) == 2));
    owner.kill().unwrap();
    owner.wait().unwrap();
    started.unwrap();
    until("both are killed", || processes(&marker) == 0);
    until("no supervisor is left", || {
        processes(&format!("\"hostname\":\"{marker}\"")) == 0
    });
}

#[test]
fn a_hundred_isolated_roots_leave_nothing_behind() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hostname = format!("of-{}", std::process::id());
    for _ in 0..100 {
        let isolated = start(&Spec {
            hostname: hostname.clone(),
            ..spec()
        });
        ok(&isolated, "touch /etc/left");
    }
    assert_eq!(processes(&hostname), 0);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}
