//! Worlds on the kernel that runs the tests. As root, the tests run once more as
//! a user without privileges, and once on a machine with more mounts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use charmhost_error_chain::ErrorChain;
use charmhost_isolation::wire::Report;
use charmhost_isolation::{Bind, Error, Network, Spec, World, probe};
use rustix::process::{Pid, Signal};

/// Set for the runs of this program that a test of it starts.
const AGAIN: &str = "CHARMHOST_TEST_CONFINE";

fn confine() -> PathBuf {
    std::env::var_os(AGAIN).map_or(env!("CARGO_BIN_EXE_confine").into(), PathBuf::from)
}

fn spec() -> Spec<'static> {
    Spec {
        confine: confine(),
        scratch: std::env::temp_dir(),
        binds: Vec::new(),
        hostname: "world".to_owned(),
        network: Network::Private,
    }
}

#[track_caller]
fn start(spec: &Spec<'_>) -> World {
    World::start(spec).unwrap_or_else(|error| panic!("{error}"))
}

fn sh(world: &World, script: &str) -> Output {
    world.command("sh").args(["-c", script]).output().unwrap()
}

/// The output of a script that must succeed.
#[track_caller]
fn ok(world: &World, script: &str) -> String {
    let output = sh(world, script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script}: {:?}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A number of seconds that no other process sleeps.
fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("1000.{}{count:03}", std::process::id())
}

/// How many processes sleep so long.
fn sleepers(marker: &str) -> usize {
    processes(&format!("\0sleep\0{marker}\0"))
}

/// How many processes of the machine have something in their arguments.
fn processes(argument: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| format!("\0{}", String::from_utf8_lossy(&line)));
    // Neither the shell nor `confine` that is to start it counts.
    let lines = lines.filter(|line| !line.contains("\0enter\0"));
    lines.filter(|line| line.contains(argument)).count()
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{what}: not after 10 s"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn names(directory: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What the tests below must not change.
fn machine() -> (Vec<u8>, Vec<BTreeSet<PathBuf>>, String) {
    let directories = [
        "/",
        "/etc",
        "/home",
        "/root",
        "/usr/bin",
        env!("CARGO_MANIFEST_DIR"),
    ];
    (
        fs::read("/etc/passwd").unwrap(),
        directories.map(names).to_vec(),
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
    )
}

#[test]
fn the_machine_allows_worlds() {
    probe(&confine()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn nothing_that_is_done_in_a_world_stays() {
    let before = machine();
    let marker = marker();
    let world = start(&spec());
    ok(
        &world,
        "echo gone > /etc/passwd && test \"$(cat /etc/passwd)\" = gone",
    );
    ok(&world, "touch /home/left && rm /home/left");
    if root() {
        // What other users have in there is theirs, for a user who is not root.
        ok(&world, "rm -rf /home/* && test -z \"$(ls /home)\"");
    }
    ok(
        &world,
        "touch /etc/left /usr/bin/left /root/left /tmp/left /var/left",
    );
    ok(
        &world,
        "mkdir -p /var/lib/left/over && mount -t tmpfs none /var/lib/left/over",
    );
    ok(
        &world,
        "rm -rf /etc/ssl && mkdir /etc/ssl && touch /etc/ssl/left",
    );
    ok(&world, "mv /etc/hosts /etc/guests && rm /etc/hostname");
    ok(&world, &format!("setsid sleep {marker} >/dev/null 2>&1 &"));
    if root() {
        let workspace = env!("CARGO_MANIFEST_DIR");
        ok(
            &world,
            &format!("mkdir -p {workspace} && touch {workspace}/left"),
        );
        ok(
            &world,
            "touch /opt/left && chown 1000:1000 /opt/left && chmod u+s /opt/left",
        );
        assert_eq!(ok(&world, "stat -c %u:%a /opt/left"), "1000:4644");
        ok(
            &world,
            "rm -rf /usr/local /home; mkdir /usr/local && touch /usr/local/left",
        );
    }
    until("it sleeps", || sleepers(&marker) == 1);
    world.stop();
    assert_eq!(processes(&marker), 0);
    assert_eq!(machine(), before);
    assert!(!Path::new("/tmp/left").exists());
}

#[test]
fn a_world_is_a_small_machine() {
    let world = start(&spec());
    let this = format!("test ! -e /proc/{}", std::process::id());
    ok(&world, &this);
    for (script, wanted) in [
        ("id -u", "0"),
        ("id -g", "0"),
        (
            "cat /proc/sys/kernel/hostname /etc/hostname",
            "world\nworld",
        ),
        ("ls /tmp /dev/shm", "/dev/shm:\n\n/tmp:"),
        ("stat -c %a /tmp /dev/shm", "1777\n1777"),
        ("stat -c %a /dev /run /", "755\n755\n755"),
        ("pwd", "/"),
        ("echo hello > /dev/null; head -c 2 /dev/zero | wc -c", "2"),
        ("echo hello | cat /dev/stdin", "hello"),
        (
            "test -c /dev/ptmx && test -e /sys/kernel && echo yes",
            "yes",
        ),
        ("cat /proc/1/comm", "exe"),
        ("cd /etc && ls hosts", "hosts"),
    ] {
        assert_eq!(ok(&world, script), wanted, "{script}");
    }
}

#[test]
fn the_kernel_is_out_of_reach() {
    let world = start(&spec());
    for script in [
        "echo 1 > /proc/sys/vm/drop_caches",
        "mount -o remount,rw /proc/sys && echo 1 > /proc/sys/vm/drop_caches",
        "echo h > /proc/sysrq-trigger",
        "umount /proc/sys && echo 1 > /proc/sys/vm/drop_caches",
        "mkdir /sys/fs/cgroup/left",
        "mknod /opt/disk b 254 0 && cat /opt/disk",
        "date -s 2001-01-01",
    ] {
        assert!(!sh(&world, script).status.success(), "{script}");
    }
}

#[test]
fn what_is_bound_is_shared() {
    let shared = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir().unwrap();
    fs::write(shared.path().join("file"), "outside").unwrap();
    fs::write(own.path().join("file"), "outside").unwrap();
    let bind = |source: PathBuf, target: &str, read_only| Bind {
        source,
        target: target.into(),
        read_only,
    };
    let world = start(&Spec {
        binds: vec![
            bind(shared.path().into(), "/var/run/charm/new", false),
            bind(shared.path().join("file"), "/etc/passwd", false),
            bind(own.path().into(), "/charm", true),
        ],
        ..spec()
    });
    assert_eq!(
        ok(&world, "cat /run/charm/new/file /etc/passwd /charm/file"),
        "outside".repeat(3)
    );
    ok(
        &world,
        "echo inside > /run/charm/new/made; printf inside > /etc/passwd",
    );
    assert_eq!(fs::read(shared.path().join("made")).unwrap(), b"inside\n");
    assert_eq!(fs::read(shared.path().join("file")).unwrap(), b"inside");
    for script in ["touch /charm/made", "rm /charm/file", "echo > /charm/file"] {
        assert!(!sh(&world, script).status.success(), "{script}");
    }
    world.stop();
    assert_eq!(names(own.path().to_str().unwrap()).len(), 1);
    assert_eq!(fs::read(shared.path().join("made")).unwrap(), b"inside\n");
}

#[test]
fn what_cannot_be_bound_is_named() {
    let error = World::start(&Spec {
        binds: vec![Bind {
            source: "/no/such".into(),
            target: "/charm".into(),
            read_only: false,
        }],
        ..spec()
    });
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
    assert_eq!(
        error.chain().to_string(),
        "cannot start the world: cannot share /no/such as /charm: No such file or directory (os error 2)"
    );
    let error = World::start(&Spec {
        confine: "/no/confine".into(),
        ..spec()
    });
    let text = error.unwrap_err().chain().to_string();
    assert!(
        text.starts_with("cannot run /no/confine, which is installed beside charmhost: "),
        "{text}"
    );
}

#[test]
fn a_command_ends_as_its_program_does() {
    let world = start(&spec());
    for (script, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 3", Some(3), None),
        ("exit 255", Some(255), None),
        ("kill -TERM $$", None, Some(15)),
        ("kill -KILL $$", None, Some(9)),
        ("kill -INT $$", None, Some(2)),
        ("kill -SEGV $$", None, Some(11)),
        ("kill -PIPE $$", None, Some(13)),
        ("kill -USR1 $$", None, Some(10)),
    ] {
        let status = sh(&world, script).status;
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
        let output = world.command_in(directory, program).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{program}: {stderr}");
        assert!(stderr.starts_with(wanted), "{stderr}");
    }
    let mut late = world.command("true");
    world.stop();
    let output = late.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(output.stderr, b"cannot enter the world: it has stopped\n");
}

#[test]
fn a_program_has_the_environment_and_streams_of_its_command() {
    let world = start(&spec());
    world.create_dir_all("/opt/own/bin").unwrap();
    world
        .write(
            "/opt/own/bin/only-here",
            b"#!/bin/sh\n/usr/bin/env; pwd; echo $#$2; /bin/cat\n",
        )
        .unwrap();
    ok(&world, "chmod +x /opt/own/bin/only-here");
    let mut command = world.command_in("/var/lib", "only-here");
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
    let world = start(&spec());
    let mut command = world.command("sh");
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
    let world = start(&spec());
    let mut child = world
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
    let world = start(&spec());
    for microseconds in (0..4000).step_by(40) {
        let mut child = world.command("sleep").arg(&marker).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(microseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    until("all are killed", || processes(&marker) == 0);
}

#[test]
fn a_program_may_take_leave() {
    let world = start(&spec());
    let mut command = world.command("sh");
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

/// Runs a helper below in a process of its own.
fn helper(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

#[test]
#[ignore = "an agent that is killed by another test"]
fn agent() {
    let marker = std::env::var("MARKER").unwrap();
    let world = start(&Spec {
        hostname: marker.clone(),
        ..spec()
    });
    ok(&world, &format!("setsid sleep {marker} >/dev/null 2>&1 &"));
    world.command("sleep").arg(&marker).status().unwrap();
}

#[test]
fn a_world_ends_with_its_agent() {
    let marker = marker();
    let mut agent = helper("agent");
    agent
        .env("MARKER", &marker)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut agent = agent.spawn().unwrap();
    let started = std::panic::catch_unwind(|| until("both sleep", || sleepers(&marker) == 2));
    agent.kill().unwrap();
    agent.wait().unwrap();
    started.unwrap();
    until("both are killed", || processes(&marker) == 0);
    until("nobody holds the world", || {
        processes(&format!("\"hostname\":\"{marker}\"")) == 0
    });
}

/// A bind of this program, to be run in worlds.
fn this_program() -> Bind {
    Bind {
        source: std::env::current_exe().unwrap(),
        target: "/opt/this".into(),
        read_only: true,
    }
}

#[test]
#[ignore = "a server that another test runs in a world"]
fn server() {
    let path = Path::new("/shared/socket");
    let unix = std::os::unix::net::UnixListener::bind(path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:80").unwrap();
    unix.accept().unwrap().0.write_all(b"from inside").unwrap();
    tcp.accept()
        .unwrap()
        .0
        .write_all(b"from the other")
        .unwrap();
}

#[test]
#[ignore = "a client that another test runs in a world"]
fn client() {
    let mut said = String::new();
    let mut server = TcpStream::connect("127.0.0.1:80").unwrap();
    server.read_to_string(&mut said).unwrap();
    println!("heard {said}");
}

#[test]
fn worlds_share_a_network_and_sockets() {
    let shared = tempfile::tempdir().unwrap();
    let socket = shared.path().join("socket");
    let one = start(&Spec {
        binds: vec![
            this_program(),
            Bind {
                source: shared.path().into(),
                target: "/shared".into(),
                read_only: false,
            },
        ],
        ..spec()
    });
    let other = start(&Spec {
        binds: vec![this_program()],
        network: Network::Joined(&one),
        hostname: "other".to_owned(),
        ..spec()
    });
    let arguments = |name| ["--exact", name, "--ignored", "--nocapture"];
    let mut server = one
        .command("/opt/this")
        .args(arguments("server"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    until("the socket is served", || {
        UnixStream::connect(&socket)
            .is_ok_and(|mut stream| stream.read_to_string(&mut said).is_ok())
    });
    assert_eq!(said, "from inside");
    let output = other
        .command("/opt/this")
        .args(arguments("client"))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.contains("heard from the other"), "{output}");
    assert!(server.wait().unwrap().success());
    assert_eq!(ok(&other, "cat /proc/sys/kernel/hostname"), "other");
    ok(&other, "touch /etc/left");
    assert!(!sh(&one, "test -e /etc/left").status.success());
    one.stop();
    assert_eq!(
        ok(
            &other,
            "cat /sys/class/net/lo/operstate >/dev/null; echo still"
        ),
        "still"
    );
}

#[test]
fn files_are_read_and_written_from_outside() {
    let world = start(&spec());
    world.create_dir_all("/var/run/a/b").unwrap();
    world.write("/var/run/a/b/file", b"outside").unwrap();
    assert_eq!(
        ok(
            &world,
            "cat /run/a/b/file; echo inside > /root/file; ln -s /root/file /etc/link"
        ),
        "outside"
    );
    assert_eq!(world.read("/etc/link").unwrap(), b"inside\n");
    let path = world.path_on_host("/etc/link").unwrap();
    assert!(path.ends_with("root/root/file"), "{}", path.display());
    assert_eq!(fs::read(path).unwrap(), b"inside\n");
    let missing = world.read("/no/such").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(!Path::new("/run/a/b/file").exists());
}

#[test]
fn a_hundred_worlds_leave_nothing() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hostname = format!("of-{}", std::process::id());
    for _ in 0..100 {
        let world = start(&Spec {
            hostname: hostname.clone(),
            ..spec()
        });
        ok(&world, "touch /etc/left");
    }
    assert_eq!(processes(&hostname), 0);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

/// What `World` does where the kernel cannot keep an overlay in memory.
#[test]
fn a_world_can_be_kept_on_disk() {
    if !root() {
        return;
    }
    let scratch = tempfile::tempdir_in("/var/tmp").unwrap();
    let config = format!(
        r#"{{"hostname":"world","network":"Private","binds":[],"scratch":{:?}}}"#,
        scratch.path()
    );
    let mut command = Command::new(confine());
    command
        .args(["hold", &config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut holder = command.spawn().unwrap();
    let mut reports = BufReader::new(holder.stdout.take().unwrap()).lines();
    let Report::Unmapped { pid, root: true } =
        serde_json::from_str(&reports.next().unwrap().unwrap()).unwrap()
    else {
        panic!("a world of root is not mapped last");
    };
    for file in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{file}"), "0 0 4294967295").unwrap();
    }
    holder.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let ready = reports.next().unwrap().unwrap();
    assert!(
        matches!(serde_json::from_str(&ready), Ok(Report::Ready { .. })),
        "{ready}"
    );
    fs::write(format!("/proc/{pid}/root/etc/left"), "in the world").unwrap();
    assert_eq!(
        fs::read(scratch.path().join("upper/0/etc/left")).unwrap(),
        b"in the world"
    );
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(names(scratch.path().to_str().unwrap()).len(), 0);
}

/// This program with a `confine` that every user may run, to be run again by
/// the program and arguments that are given.
fn again(by: &[&str]) -> Output {
    let copies = tempfile::tempdir().unwrap();
    for (from, to) in [
        (confine(), "confine"),
        (std::env::current_exe().unwrap(), "worlds"),
    ] {
        fs::copy(from, copies.path().join(to)).unwrap();
    }
    fs::set_permissions(copies.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).arg(copies.path().join("worlds"));
    command
        .current_dir("/")
        .env(AGAIN, copies.path().join("confine"));
    command.output().unwrap()
}

#[track_caller]
fn assert_passed(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{out}{err}");
    assert!(!out.contains(" 0 passed"), "{out}");
}

#[test]
fn all_this_holds_for_a_user_without_privileges() {
    if root() && std::env::var_os(AGAIN).is_none() {
        let by = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
        ];
        assert_passed(&again(&by));
    }
}

#[test]
fn all_this_holds_on_a_machine_with_more_mounts() {
    if root() && std::env::var_os(AGAIN).is_none() {
        let script = "mount -t tmpfs none /home && mkdir /home/ubuntu && mount -t tmpfs -o ro none /opt \
            && mount -t tmpfs none /srv && mkdir '/srv/a b' && mount -t tmpfs none '/srv/a b' \
            && touch /srv/hosts && echo '127.0.0.1 localhost' > /srv/hosts && mount --bind /srv/hosts /etc/hosts \
            && mkdir /srv/copies && cp \"$(dirname \"$0\")\"/* /srv/copies \
            && mount -t tmpfs none /tmp && CHARMHOST_TEST_CONFINE=/srv/copies/confine exec /srv/copies/worlds";
        assert_passed(&again(&["unshare", "--mount", "sh", "-c", script]));
    }
}
