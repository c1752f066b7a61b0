//! Closed standard streams, agents that are gone, limits that were reached before,
//! and interrupted simulations.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Agent, Dispatch, charmhost, copy, dist, root, shown, usual};

/// Returns the writing end of a pipe whose reading end is closed.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_hook_succeeds_with_a_closed_stderr() {
    let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
    for (hook, code) in [("hooks/config-changed", 0), ("hooks/start", 1)] {
        let dispatch = Dispatch::new(charm.path(), hook, &agent).var("JUJU_DEBUG", "1");
        let status = dispatch.command().stderr(unread()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{hook}: {status}");
    }
    // So does one that cannot log, or that gets an invalid answer.
    for vars in [
        [("JUJU_AGENT_SOCKET_ADDRESS", "/nowhere/agent.socket")],
        [("JUJU_AGENT_SOCKET_NETWORK", "pigeon")],
    ] {
        let dispatch = Dispatch::new(charm.path(), "actions/panic", &agent).vars(&vars);
        let status = dispatch.command().stderr(unread()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{vars:?}: {status}");
    }
}

#[test]
fn the_command_succeeds_with_a_closed_stdout() {
    let charm = root().join("tests/charms/shell");
    let charm = charm.to_str().unwrap();
    let run = |args: &[&str], code| {
        for (stdout, stderr) in [(true, false), (false, true), (true, true)] {
            let mut command = Command::new(dist("charmhost"));
            command.args(args).stdin(Stdio::null());
            let stream = |unread_one| if unread_one { unread() } else { Stdio::null() };
            let status = command
                .stdout(stream(stdout))
                .stderr(stream(stderr))
                .status();
            let status = status.unwrap();
            assert_eq!(status.code(), Some(code), "{args:?}: {status}");
        }
    };
    run(&["inspect", charm], 0);
    run(&["inspect", charm, "--format", "json"], 0);
    run(&["sim", charm, "--event", "start"], 0);
    run(&["sim", charm, "--event", "start", "--format", "json"], 0);
    run(&["sim", "/nowhere"], 1);
    run(&["build", "/nowhere"], 1);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = Command::new(dist("charmhost"))
        .args(["inspect", charm])
        .stdout(full.unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("cannot write to standard output"),
        "{stderr}"
    );
}

#[test]
fn a_trap_is_not_blamed_on_a_limit_that_the_guest_handled() {
    let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
    let ended = Dispatch::new(charm.path(), "actions/cope", &agent).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let logs = agent.logs();
    assert!(logs.contains(&"INFO refused: true".to_owned()), "{logs:?}");
    let last = logs.iter().find(|line| line.starts_with("ERROR ")).unwrap();
    assert!(!last.contains("MiB of memory"), "{last}");
    assert!(last.contains("`unreachable` instruction"), "{last}");
}

/// Counts a part of a text.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_cause_is_printed_once() {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("charmcraft.yaml"), "name: [\n").unwrap();
    let broken = project.path().to_str().unwrap();
    let charm = root().join("tests/charms/shell");
    let scenario = project.path().join("scenario.yaml");
    std::fs::write(&scenario, "a: [\n").unwrap();
    for (args, cause) in [
        (vec!["pack", broken], "line 2, column 1"),
        (vec!["inspect", broken], "line 2, column 1"),
        (
            vec![
                "sim",
                charm.to_str().unwrap(),
                "--scenario",
                scenario.to_str().unwrap(),
            ],
            "line 2, column 1",
        ),
        (
            vec!["sim", charm.to_str().unwrap(), "--scenario", "/nowhere/x"],
            "(os error 2)",
        ),
        (
            vec!["build", "charms/hello", "--output", "/dev/null/x"],
            "(os error 20)",
        ),
    ] {
        let output = Command::new(dist("charmhost"))
            .args(&args)
            .current_dir(root())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{args:?}: {}",
            shown(&output)
        );
        let stderr = text(&output.stderr);
        let error = stderr.lines().find(|line| line.starts_with("ERROR "));
        assert_eq!(count(error.unwrap(), cause), 1, "{args:?}: {stderr}");
    }
}

/// Log lines of the host have their cause once.
#[test]
fn a_cause_is_logged_once() {
    let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
    std::fs::remove_file(charm.path().join("charm.cwasm")).unwrap();
    std::fs::create_dir(charm.path().join("charm.cwasm")).unwrap();
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.code, Some(1));
    let logs = agent.logs();
    let logged = logs.iter().find(|line| line.starts_with("ERROR ")).unwrap();
    for line in [logged.as_str(), ended.stderr.trim_end()] {
        assert!(line.contains("cannot "), "{line}");
        assert_eq!(count(line, "(os error "), 1, "{line}");
    }
    let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
    let settings = "[grants]\nread = [\"/etc/hostname/x\"]\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let ended = Dispatch::new(charm.path(), "actions/exit", &agent).run();
    let logs = agent.logs().join("\n");
    let line = logs.lines().find(|line| line.contains("/etc/hostname/x"));
    let line = line.unwrap_or_else(|| panic!("{logs}\n{}", ended.stderr));
    assert_eq!(count(line, "Not a directory (os error 20)"), 1, "{line}");
}

#[test]
fn failures_are_printed_to_stderr_if_the_log_cannot_be_written() {
    let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
    let gone = Dispatch::new(charm.path(), "hooks/start", &agent)
        .var("JUJU_AGENT_SOCKET_ADDRESS", "/nowhere/agent.socket");
    let ended = gone.run();
    assert_eq!(ended.code, Some(1));
    let stderr = ended.stderr;
    assert_eq!(
        count(&stderr, "WARNING cannot write to the charm's log"),
        1,
        "{stderr}"
    );
    assert_eq!(count(&stderr, "no start today"), 1, "{stderr}");
    assert_eq!(count(&stderr, "(os error 2)"), 1, "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    let [_, line] = lines.as_slice() else {
        panic!("{stderr}");
    };
    for part in [
        "ERROR Uncaught panic",
        "src/lib.rs:",
        "handler Faults.on_start",
    ] {
        assert!(line.contains(part), "{line}");
    }
    // With a log, they are only there.
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_reply_above_the_size_limit_is_reported() {
    let charm = copy("tests/guests/faults");
    let agent = Agent::raw(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        // Length of the first message: 65 MiB.
        let _ = stream.write_all(&[0xfc, 0x04, 0x10, 0x00, 0x00]);
        let _ = stream.read(&mut [0; 4096]);
    });
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    let wanted = "a message of 68157440 bytes is too long: it may have 64 MiB";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

#[test]
fn a_hook_tool_takes_arguments_in_any_encoding() {
    let agent = Agent::new();
    let dir = tempfile::tempdir().unwrap();
    let tool = dir.path().join("juju-log");
    std::os::unix::fs::symlink(dist("hook-tool"), &tool).unwrap();
    let run = |socket: &Path| {
        Command::new(&tool)
            .arg("--")
            .arg(std::ffi::OsStr::from_bytes(b"caf\xe9 \xff"))
            .env("JUJU_CONTEXT_ID", "app/0-start-1")
            .env("JUJU_AGENT_SOCKET_ADDRESS", socket)
            .env("JUJU_AGENT_SOCKET_NETWORK", "unix")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let bytes = seen.clone();
    let raw = Agent::raw(move |mut stream| {
        let mut buffer = [0; 4096];
        let got = stream.read(&mut buffer).unwrap();
        bytes.lock().unwrap().extend_from_slice(&buffer[..got]);
    });
    let output = run(&agent.socket());
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    run(&raw.socket());
    let sent = seen.lock().unwrap();
    assert!(
        sent.windows(7)
            .any(|part| part == b"caf\xe9 \xff\x00" || part[..6] == *b"caf\xe9 \xff"),
        "{:?}",
        text(&sent)
    );
}

/// Creates a directory with hook tools that record that they ran.
fn programs(calls: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for tool in [
        "juju-log",
        "config-get",
        "is-leader",
        "status-get",
        "status-set",
    ] {
        let path = dir.path().join(tool);
        let answer = match tool {
            "is-leader" => "true",
            _ => "{}",
        };
        let script = format!(
            "#!/bin/sh\necho {tool} >> {}\necho '{answer}'\n",
            calls.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

#[test]
fn settings_files_choose_the_hook_tool_transport() {
    let exec = "[hook-tools]\ntransport = \"exec\"\n";
    let rpc = "[hook-tools]\ntransport = \"rpc\"\n";
    let auto = "[hook-tools]\ntransport = \"auto\"\n";
    for (charm_says, operator_says, by_socket) in [
        ("", "", true),
        (exec, "", false),
        (rpc, "", true),
        (exec, rpc, true),
        (exec, auto, true),
        (rpc, exec, false),
        ("", exec, false),
    ] {
        let case = format!("{charm_says:?} {operator_says:?}");
        let (charm, agent) = (copy("tests/guests/faults"), Agent::new());
        let work = tempfile::tempdir().unwrap();
        let (calls, operator) = (work.path().join("calls"), work.path().join("operator.toml"));
        std::fs::write(charm.path().join("charmhost.toml"), charm_says).unwrap();
        std::fs::write(&operator, operator_says).unwrap();
        let tools = programs(&calls);
        let ended = Dispatch::new(charm.path(), "hooks/config-changed", &agent)
            .var("CHARMHOST_OPERATOR_FILE", operator.to_str().unwrap())
            .var("PATH", &format!("{}:/usr/bin:/bin", tools.path().display()))
            .run();
        let ran = std::fs::read_to_string(&calls).unwrap_or_default();
        assert_eq!(ended.code, Some(0), "{case}: {} {ran}", ended.stderr);
        assert_eq!(ran.contains("juju-log"), !by_socket, "{case}: {ran}");
        assert_eq!(!agent.logs().is_empty(), by_socket, "{case}");
    }
}

#[test]
fn the_hook_tool_transport_is_printed() {
    let charm = copy("tests/guests/faults");
    let settings = "[hook-tools]\ntransport = \"exec\"\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let output = charmhost(["inspect".as_ref(), charm.path().as_os_str()]);
    let shown_lines = text(&output.stdout);
    assert!(
        shown_lines.contains("hook-tools:\n  transport = \"exec\"\n"),
        "{}",
        shown(&output)
    );
    // Invalid settings are an error, which is logged by hook tools.
    std::fs::write(
        charm.path().join("charmhost.toml"),
        "[hook-tools]\ntransport = \"pigeon\"\n",
    )
    .unwrap();
    let agent = Agent::new();
    let ended = Dispatch::new(charm.path(), "hooks/start", &agent).run();
    assert_eq!(ended.code, Some(1));
    let logs = agent.logs().join("\n");
    assert!(logs.contains("unknown variant `pigeon`"), "{logs}");
}

/// Counts voluntary context switches of the threads of a process.
fn naps(process: u32, thread: &str) -> Option<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut paths = tasks.flatten().map(|task| task.path());
    let task = paths.find(|task| {
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        name.trim_end() == thread
    })?;
    let status = std::fs::read_to_string(task.join("status")).ok()?;
    let line = status
        .lines()
        .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
    line.split_whitespace().last()?.parse().ok()
}

#[test]
fn a_waiting_dispatch_does_not_wake_up() {
    let charm = copy("tests/guests/faults");
    let agent = Agent::answering(|request| {
        if request
            .args
            .iter()
            .any(|arg| arg.contains("no start today"))
        {
            std::thread::sleep(Duration::from_secs(3));
        }
        usual(request)
    });
    // Its handler and the thread that limits its CPU time have started.
    let dispatch = Dispatch::new(charm.path(), "hooks/start", &agent);
    let mut child = dispatch.command().stderr(Stdio::null()).spawn().unwrap();
    let mut most = None;
    while child.try_wait().unwrap().is_none() {
        most = naps(child.id(), "cpu-limit").max(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    let most = most.expect("no thread limits processor time");
    assert!(most < 50, "it woke up {most} times in three seconds");
}

/// Creates a root directory in which `/charm` can be created without changing that
/// of the machine: bind mounts of its directories in a `tmpfs`.
const PRIVATE_ROOT: &str = r#"
set -e
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs none "$NEW"
for path in /*; do
    if [ -L "$path" ]; then cp -P "$path" "$NEW$path"
    elif [ -d "$path" ]; then mkdir "$NEW$path"; mount --rbind "$path" "$NEW$path"
    fi
done
chroot "$NEW" sh -c '
    env --default-signal "$CHARMHOST" sim "$CHARM" --event start --unconfined &
    sim=$!
    until [ -e "$STARTED" ]; do sleep 0.05; done
    [ -L /charm ] || echo "there is no link while it runs"
    kill -$SIGNAL $sim
    wait $sim
    echo "ended with $?"
    [ ! -L /charm ] || echo "the link is left"
    ls -A "$TMPDIR"
    pgrep -f "sleep $MARK" || true
'
"#;

#[test]
fn an_interrupted_unconfined_simulation_removes_its_link() {
    for (signal, code, mark) in [
        ("INT", 130, "76541"),
        ("TERM", 143, "76542"),
        ("HUP", 129, "76543"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (new, scratch, charm) = (made("root"), made("scratch"), made("charm"));
        let started = dir.path().join("started");
        std::fs::create_dir(charm.join("hooks")).unwrap();
        let metadata = "name: slow\ncontainers:\n  app: {}\n";
        std::fs::write(charm.join("metadata.yaml"), metadata).unwrap();
        let hook = charm.join("hooks/start");
        let script = format!("#!/bin/sh\ntouch {}\nsleep {mark}\n", started.display());
        std::fs::write(&hook, script).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", PRIVATE_ROOT]);
        unshare.env("NEW", &new).env("CHARMHOST", dist("charmhost"));
        unshare.env("CHARM", &charm).env("STARTED", &started);
        unshare
            .env("TMPDIR", &scratch)
            .env("SIGNAL", signal)
            .env("MARK", mark);
        let output = ended_within(unshare.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let lines = text(&output.stdout);
        let lines: Vec<&str> = lines
            .lines()
            .filter(|line| !line.starts_with(' '))
            .collect();
        let last = lines.last().copied().unwrap_or_default();
        assert_eq!(
            last,
            format!("ended with {code}"),
            "{signal}: {}",
            shown(&output)
        );
    }
}

/// The output of a command that must end within a minute.
fn ended_within(command: &mut Command) -> Output {
    let child: Child = command.stdin(Stdio::null()).spawn().unwrap();
    let id = child.id();
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match waits.recv_timeout(Duration::from_secs(60)) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("it did not end within a minute");
        }
    }
}

/// A simulation does not wait for a process of the charm that has locked the state
/// file, and does not change the file.
#[test]
fn reading_deferred_events_for_the_report_does_not_lock_the_state() {
    let charm = tempfile::tempdir().unwrap();
    std::fs::create_dir(charm.path().join("hooks")).unwrap();
    std::fs::write(charm.path().join("metadata.yaml"), "name: holds\n").unwrap();
    let hook: PathBuf = charm.path().join("hooks/start");
    let script = "#!/usr/bin/env python3\n\
        import os, sqlite3, time\n\
        path = '.unit-state.db'\n\
        c = sqlite3.connect(path, isolation_level=None)\n\
        c.execute('create table other (x)')\n\
        os.chmod(path, 0o640)\n\
        if os.fork() == 0:\n\
        \x20   os.close(1); os.close(2); os.setsid()\n\
        \x20   c = sqlite3.connect(path, isolation_level=None)\n\
        \x20   c.execute('begin exclusive'); time.sleep(30)\n\
        time.sleep(1)\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let stop = charm.path().join("hooks/stop");
    let script = "#!/bin/sh\njuju-log \"mode $(stat -c %a .unit-state.db)\"\n\
        juju-log \"tables $(python3 -c \"import sqlite3; \
        print([r[0] for r in sqlite3.connect('file:.unit-state.db?immutable=1', uri=True)\
        .execute('select name from sqlite_master')])\")\"\n";
    std::fs::write(&stop, script).unwrap();
    std::fs::set_permissions(&stop, std::fs::Permissions::from_mode(0o755)).unwrap();
    let started = Instant::now();
    let output = charmhost([
        "sim".as_ref(),
        charm.path().as_os_str(),
        "--event".as_ref(),
        "start".as_ref(),
        "--event".as_ref(),
        "stop".as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", shown(&output));
    assert!(stdout.contains("mode 640"), "{stdout}");
    assert!(stdout.contains("tables ['other']"), "{stdout}");
    // The charm's process has the lock for 30 seconds; waiting for it would take
    // 10 seconds after each hook.
    assert!(started.elapsed() < Duration::from_secs(18), "{stdout}");
}
