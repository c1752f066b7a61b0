//! A container's Pebble that is slow, silent, gone, or has another protocol: every
//! operation ends, with the matching error and bounded memory.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::fake_pebble::{FakePebble, Fault, Point, Pulled, Script};
use crate::old_pebble::OldPebble;
use crate::support::{Agent, Dispatch, built, dist, prints, root, usual};

/// Time that a daemon may be silent.
const SILENCE: u64 = 5;
/// Tolerance after the deadline of an operation.
const LATE: u64 = 10;
/// The most memory that a dispatch may have, in KiB, whatever a daemon sends.
const MEMORY: u64 = 96 * 1024;
/// Number of rows that run in parallel.
const PARALLEL: usize = 24;

/// Runs a program where `/charm` is a directory of the test. The namespaces need
/// no privileges.
const INSIDE: &str = r#"
set -e
chroot=$(PATH=/usr/sbin:/sbin:/usr/bin:/bin command -v chroot)
root=$1 charm=$2 dir=$3; shift 3
mount -t tmpfs none "$root"
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root$entry"
    elif [ -d "$entry" ] && [ "$entry" != /charm ]; then
        mkdir "$root$entry"
        mount --rbind "$entry" "$root$entry"
    fi
done
mkdir "$root/charm"
mount --rbind "$charm" "$root/charm"
exec "$chroot" "$root" sh -c 'cd "$1"; shift; exec "$@"' sh "$dir" "$@"
"#;

/// A dispatch of an action.
pub struct Run {
    child: Child,
    agent: Agent,
    start: Instant,
    /// The most memory that it had when it reported, in KiB.
    peak: Arc<AtomicU64>,
    _root: TempDir,
    _unit: TempDir,
}

/// Outcome of a dispatch.
pub struct Ended {
    /// The guest's report; `None` if the dispatch was still running.
    outcome: Option<String>,
    /// The results of the action, as arguments of `action-set`.
    pub results: Option<String>,
    seconds: f64,
    /// The most memory that it had, in KiB.
    pub peak: u64,
}

impl Run {
    /// The action that performs one operation. `charm` is what the dispatch sees
    /// as `/charm`.
    fn start(operation: &str, charm: &Path) -> Self {
        let params = format!(r#"{{"operation":"{operation}"}}"#);
        Run::action(&built("tests/guests/pebble"), "actions/run", params, charm)
    }

    /// An action of a built charm, with parameters as JSON.
    pub fn action(built: &Path, action: &str, params: String, charm: &Path) -> Self {
        let unit = unit(built);
        let (id, peak) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (reported, highest) = (id.clone(), peak.clone());
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "action-get" => prints(&params),
            "action-set" => {
                let memory = high_water(reported.load(Ordering::Relaxed));
                highest.store(memory, Ordering::Relaxed);
                prints("")
            }
            _ => usual(request),
        });
        let dispatch = Dispatch::new(unit.path(), action, &agent).command();
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["-Urm", "sh", "-c", INSIDE, "sh"])
            .args([root.path(), charm, unit.path()])
            .arg(dispatch.get_program())
            .env_clear()
            .envs(
                dispatch
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        id.store(child.id().into(), Ordering::Relaxed);
        Run {
            child,
            agent,
            start: Instant::now(),
            peak,
            _root: root,
            _unit: unit,
        }
    }

    /// Waits for the end of the dispatch, with a timeout.
    pub fn end(mut self, within: Duration) -> Ended {
        while self.child.try_wait().unwrap().is_none() && self.start.elapsed() < within {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.peak.load(Ordering::Relaxed) == 0 {
            let memory = high_water(self.child.id().into());
            self.peak.store(memory, Ordering::Relaxed);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let calls = self.agent.calls();
        let results = calls
            .iter()
            .find_map(|call| call.strip_prefix("action-set "));
        let field = |name: &str| {
            results?
                .split_once(&format!("{name}="))
                .map(|found| found.1)
        };
        let seconds = field("seconds").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let outcome = field("outcome").map(|rest| match rest.split_once(" seconds=") {
            Some((outcome, _)) => outcome.to_owned(),
            None => rest.to_owned(),
        });
        Ended {
            outcome,
            results: results.map(str::to_owned),
            seconds: seconds.unwrap_or(self.start.elapsed().as_secs_f64()),
            peak: self.peak.load(Ordering::Relaxed),
        }
    }
}

/// A new unit, because units have state. Hard links, because a program that was
/// just written may still be open in a process that another test starts.
fn unit(from: &Path) -> TempDir {
    let dir = tempfile::tempdir_in(root().join("target/suite")).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::hard_link(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// The most memory that a process has had, in KiB.
fn high_water(id: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// One row of the table.
struct Row {
    operation: &'static str,
    script: Script,
    /// Accepted prefixes of the outcome.
    wanted: &'static [&'static str],
    /// Time limit in seconds.
    deadline: u64,
}

const TIMEOUT: &[&str] = &["Timeout: "];
const NOT_READY: &[&str] = &["NotReady: "];
const OTHER: &[&str] = &["Other: "];
const OK: &[&str] = &["ok "];

fn row(
    operation: &'static str,
    target: &'static str,
    fault: Fault,
    wanted: &'static [&'static str],
) -> Row {
    let services = ["autostart", "replan", "start", "stop", "restart"];
    let runs = !services.contains(&operation);
    let script = Script {
        target,
        fault,
        runs,
        pulled: Pulled::File,
    };
    Row {
        operation,
        script,
        wanted,
        deadline: SILENCE,
    }
}

/// Every operation that is a request, with the positions of faults.
const REQUESTS: &[(&str, &str)] = &[
    ("can-connect", "GET /v1/system-info"),
    ("system-info", "GET /v1/system-info"),
    ("add-layer", "POST /v1/layers"),
    ("plan", "GET /v1/plan"),
    ("services", "GET /v1/services"),
    ("checks", "GET /v1/checks"),
    ("autostart", "POST /v1/services"),
    ("replan", "POST /v1/services"),
    ("start", "POST /v1/services"),
    ("stop", "POST /v1/services"),
    ("restart", "POST /v1/services"),
    ("restart", "GET /v1/changes/1/wait"),
    ("list-files", "GET /v1/files"),
    ("make-dir", "POST /v1/files"),
    ("remove-path", "POST /v1/files"),
    ("pull", "GET /v1/files"),
    ("push", "POST /v1/files"),
    ("exec", "POST /v1/exec"),
    ("exec", "GET /v1/tasks/1/websocket/control"),
    ("exec", "GET /v1/tasks/1/websocket/stderr"),
    ("wait", "GET /v1/changes/1/wait"),
    ("collect", "GET /v1/changes/1/wait"),
    ("read-output", "GET /v1/changes/1/wait"),
    ("read-error-output", "GET /v1/changes/1/wait"),
];

/// Faults of a request.
const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::NoAccept, TIMEOUT),
    (Fault::NoRead, TIMEOUT),
    (Fault::Stalls(Point::Before), TIMEOUT),
    (Fault::Stalls(Point::Head), TIMEOUT),
    (Fault::Stalls(Point::In), TIMEOUT),
    (Fault::Closes(Point::Before), NOT_READY),
    (Fault::Closes(Point::In), NOT_READY),
    (Fault::Trickles(Point::Head), TIMEOUT),
    (Fault::Trickles(Point::In), TIMEOUT),
    (Fault::FloodsContinue, TIMEOUT),
    (Fault::Floods(Point::In), OTHER),
    (Fault::Garbage, OTHER),
];

fn requests(rows: &mut Vec<Row>) {
    for (operation, target) in REQUESTS {
        let upgrade = target.contains("websocket");
        for (fault, wanted) in FAULTS {
            let wanted = match (*operation, *fault) {
                ("can-connect", Fault::Closes(_)) => &["ok false"][..],
                // Any status but 101 is a refusal, whatever follows.
                ("exec", _) if upgrade => &["Timeout: ", "NotReady: ", "Other: "],
                _ => *wanted,
            };
            rows.push(row(operation, target, *fault, wanted));
        }
        let after = match target.starts_with("POST /v1/services") || *target == "POST /v1/exec" {
            true => TIMEOUT,
            false => OK,
        };
        if !upgrade && !target.contains("wait") {
            rows.push(row(operation, target, Fault::Stalls(Point::After), after));
            rows.push(row(operation, target, Fault::Closes(Point::After), OK));
        }
    }
    for (fault, wanted) in [
        (Fault::Floods(Point::Head), OTHER),
        (Fault::Floods(Point::Trailer), OTHER),
        (Fault::Trickles(Point::Trailer), TIMEOUT),
    ] {
        rows.push(row("plan", "GET /v1/plan", fault, wanted));
    }
    rows.push(row("restart", "GET /v1/changes/1/wait", Fault::Late, OK));
    if let Some(late) = rows.last_mut() {
        late.deadline = 12;
    }
}

fn files(rows: &mut Vec<Row>) {
    rows.push(row("push", "POST /v1/files", Fault::ReadsSlowly, TIMEOUT));
    let target = "GET /v1/files";
    let mut add = |operation, pulled, fault, wanted| {
        let mut row = row(operation, target, fault, wanted);
        row.script.pulled = pulled;
        rows.push(row);
    };
    for (fault, wanted) in [
        (Fault::None, &["Api(400): "][..]),
        (Fault::Stalls(Point::In), TIMEOUT),
        (Fault::Trickles(Point::In), TIMEOUT),
        (Fault::Closes(Point::In), NOT_READY),
    ] {
        add("pull", Pulled::NoMultipart, fault, wanted);
    }
    add("pull", Pulled::EndlessPartHeader, Fault::None, OTHER);
    add("pull", Pulled::EndlessResults, Fault::None, OTHER);
    add("pull-some", Pulled::EndlessContent, Fault::None, OK);
}

/// Every operation on the streams of a running command.
fn streams(rows: &mut Vec<Row>) {
    for (operation, target) in [
        ("read-output", "stdio"),
        ("read-error-output", "stderr"),
        ("collect", "stdio"),
        ("collect", "stderr"),
    ] {
        let all = operation == "collect";
        for (fault, wanted) in [
            (Fault::Stalls(Point::Before), TIMEOUT),
            (Fault::Stalls(Point::In), TIMEOUT),
            (Fault::Stalls(Point::After), if all { TIMEOUT } else { OK }),
            (Fault::Closes(Point::Before), NOT_READY),
            (Fault::Closes(Point::In), NOT_READY),
            (
                Fault::Closes(Point::After),
                if all { NOT_READY } else { OK },
            ),
            (Fault::Trickles(Point::In), TIMEOUT),
            (Fault::Floods(Point::In), OTHER),
            (Fault::FloodsText, OTHER),
            (Fault::FloodsPings, OTHER),
            (Fault::Garbage, OTHER),
        ] {
            rows.push(row(operation, target, fault, wanted));
        }
    }
    // A command may write without end; its timeout ends it.
    for operation in ["read-all-2s", "collect-2s", "wait-2s"] {
        rows.push(row(operation, "stdio", Fault::FloodsData, TIMEOUT));
    }
    rows.push(row("write-input-2s", "stdio", Fault::ReadsSlowly, TIMEOUT));
    for operation in ["read-output-2s", "collect-2s", "wait-2s", "write-input-2s"] {
        rows.push(row(operation, "stdio", Fault::NoRead, TIMEOUT));
    }
    for (fault, wanted) in [
        (Fault::Stalls(Point::Before), TIMEOUT),
        (Fault::Stalls(Point::In), TIMEOUT),
    ] {
        rows.push(row("write-input", "stdio", fault, wanted));
        rows.push(row("wait", "stdio", fault, wanted));
        rows.push(row("close-input", "stdio", fault, OK));
    }
    // The daemon reports that the command still runs, and reads no input.
    rows.push(row(
        "write-input-2s",
        "stdio",
        Fault::Closes(Point::Before),
        TIMEOUT,
    ));
    rows.push(row("write-input-2s", "stdio", Fault::FloodsData, TIMEOUT));
    rows.push(row(
        "write-input-2s",
        "stdio",
        Fault::Floods(Point::In),
        TIMEOUT,
    ));
    for (fault, wanted) in [
        (Fault::NoRead, TIMEOUT),
        (Fault::Stalls(Point::Before), TIMEOUT),
        (Fault::Closes(Point::Before), NOT_READY),
    ] {
        rows.push(row("send-signal", "control", fault, wanted));
    }
}

fn run(row: &Row) -> Ended {
    let fake = FakePebble::new(row.script);
    let most = Duration::from_secs(row.deadline + LATE + 8);
    Run::start(row.operation, fake.charm()).end(most)
}

/// Returns what is wrong with the outcome of a row; empty if nothing is.
fn wrong(row: &Row, ended: &Ended) -> String {
    let outcome = ended.outcome.as_deref().unwrap_or("no end");
    let mut wrong = String::new();
    if !row.wanted.iter().any(|wanted| outcome.starts_with(wanted)) {
        let _ = write!(wrong, " not {:?}", row.wanted);
    }
    if ended.seconds > (row.deadline + LATE) as f64 {
        let _ = write!(wrong, " later than {} s", row.deadline + LATE);
    }
    if ended.peak > MEMORY {
        let _ = write!(wrong, " more than {} MiB", MEMORY / 1024);
    }
    wrong
}

#[test]
fn every_operation_ends_for_every_fault_of_the_daemon() {
    let mut rows = Vec::new();
    requests(&mut rows);
    files(&mut rows);
    streams(&mut rows);
    built("tests/guests/pebble");
    let count = rows.len();
    let queue = Mutex::new(rows.into_iter().enumerate());
    let table = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((number, row)) = next else { return };
                    let ended = run(&row);
                    table.lock().unwrap().push((number, row, ended));
                }
            });
        }
    });
    let mut table = table.into_inner().unwrap();
    table.sort_by_key(|(number, ..)| *number);
    let mut failed = Vec::new();
    for (_, row, ended) in &table {
        let outcome = ended.outcome.as_deref().unwrap_or("no end");
        let kind = outcome.split([':', ' ']).next().unwrap_or_default();
        let pulled = match row.script.pulled {
            Pulled::File => String::new(),
            other => format!(" {other:?}"),
        };
        let peer = format!("{:?} at {}{pulled}", row.script.fault, row.script.target);
        let peak = ended.peak / 1024;
        let line = format!(
            "{:<18} {peer:<62} {kind:<10} {:>5.1} s {peak:>4} MiB",
            row.operation, ended.seconds
        );
        let wrong = wrong(row, ended);
        println!("{line}{wrong}");
        if !wrong.is_empty() {
            failed.push(format!("{line}{wrong}\n    {outcome}"));
        }
    }
    println!("{count} rows, {} wrong", failed.len());
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A real Pebble, which runs commands on this machine.
pub struct RealPebble {
    pub dir: TempDir,
    child: Child,
}

impl RealPebble {
    pub fn start(container: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir
            .path()
            .join(format!("containers/{container}/pebble.socket"));
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let child = Command::new(dist("pebble"))
            .args(["run", "--create-dirs", "--hold"])
            .env("PEBBLE", dir.path().join("pebble"))
            .env("PEBBLE_SOCKET", &socket)
            .env("PEBBLE_PERSIST", "never")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < end, "Pebble does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        RealPebble { dir, child }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for RealPebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All input of a command that reads it after 14 seconds, with a Pebble that is
/// paused for so long after 2.
fn counted(paused: Duration) -> String {
    let pebble = RealPebble::start("one");
    let run = Run::start("whole-input", pebble.dir.path());
    std::thread::sleep(Duration::from_secs(2));
    pebble.signal("-STOP");
    std::thread::sleep(paused);
    pebble.signal("-CONT");
    let ended = run.end(Duration::from_secs(50));
    ended.outcome.expect("it does not end")
}

#[test]
fn input_is_complete_or_the_write_fails() {
    const ALL: &str = "ok 0 41943040";
    let (short, long) = std::thread::scope(|scope| {
        let short = scope.spawn(|| counted(Duration::from_secs(3)));
        let long = scope.spawn(|| counted(Duration::from_secs(8)));
        (short.join().unwrap(), long.join().unwrap())
    });
    assert_eq!(short, ALL);
    assert!(long == ALL || long.starts_with("Timeout: "), "{long}");
}

#[test]
fn a_command_that_ended_in_time_does_not_time_out() {
    let pebble = RealPebble::start("one");
    let ended = Run::start("late-wait", pebble.dir.path()).end(Duration::from_secs(30));
    assert_eq!(ended.outcome.as_deref(), Some("ok 3"));
}

/// The data is eight times what the host may hold more of.
#[test]
fn memory_does_not_grow_with_what_goes_through_a_command() {
    const MORE: u64 = 8 * 1024;
    let pebble = RealPebble::start("one");
    let run = |operation| Run::start(operation, pebble.dir.path()).end(Duration::from_secs(60));
    let (little, much) = (run("feed-1"), run("feed-64"));
    assert_eq!(little.outcome.as_deref(), Some("ok 0 1048576"));
    assert_eq!(much.outcome.as_deref(), Some("ok 0 67108864"));
    let (little, much) = (little.peak, much.peak);
    println!("1 MiB: {little} KiB, 64 MiB: {much} KiB");
    assert!(much < little + MORE, "{little} KiB, then {much} KiB");
}

#[test]
fn unread_input_does_not_fill_the_memory() {
    let fake = FakePebble::new(Script {
        target: "stdio",
        fault: Fault::NoRead,
        runs: true,
        pulled: Pulled::File,
    });
    let ended = Run::start("much-input", fake.charm()).end(Duration::from_secs(30));
    let outcome = ended.outcome.expect("it does not end");
    assert!(outcome.starts_with("Timeout: "), "{outcome}");
    // The guest has 32 MiB, and the host a copy of them during the call.
    assert!(ended.peak < MEMORY, "{} MiB", ended.peak / 1024);
}

#[test]
fn what_an_older_pebble_lacks_is_an_error_with_the_versions_that_have_it() {
    let outcome = |minor, operation| {
        let old = OldPebble::new(minor);
        let ended = Run::start(operation, old.charm()).end(Duration::from_secs(30));
        (ended.outcome.unwrap_or_default(), old.requests())
    };
    for (operation, since) in [
        ("start-checks", 19),
        ("stop-checks", 19),
        ("refresh-check", 20),
        ("metrics", 19),
        ("identities", 15),
        ("replace-identities", 15),
        ("remove-identities", 15),
        ("notify", 5),
        ("notice", 5),
        ("notices", 5),
        ("notices-of-all", 9),
    ] {
        let (old, _) = outcome(4, operation);
        let wanted = format!("Pebble v1.{since} and later can, and the container has v1.4.2");
        assert!(
            old.starts_with("Unsupported: cannot ") && old.contains(&wanted),
            "{operation}: {old}"
        );
    }
    for operation in ["warnings", "acknowledge"] {
        let (new, _) = outcome(16, operation);
        assert!(
            new.starts_with("Unsupported: ") && new.contains("v1.15 and earlier"),
            "{operation}: {new}"
        );
    }
    let (old, requests) = outcome(15, "acknowledge");
    assert_eq!(old, "ok ");
    assert_eq!(
        requests,
        [
            "GET /v1/warnings?select=all",
            r#"POST /v1/warnings {"action":"okay","timestamp":"2026-11-22T00:00:01.5Z"}"#,
        ]
    );
}
