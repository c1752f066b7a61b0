//! Time limit of hook tools: `limits.hook-tool-seconds` of the operator.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{GUEST, calls, path_with, scripts, written};
use crate::support::{Agent, Dispatch, Ended, copy, prints, usual};

/// Time limit of a call in these tests.
const LIMIT: Duration = Duration::from_secs(1);

/// Runs the guest under an operator policy with a time limit. Returns how it ended
/// and how long it took.
fn limited(dispatch: Dispatch) -> (Ended, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("operator.toml");
    let text = format!("[limits]\nhook-tool-seconds = {}\n", LIMIT.as_secs());
    std::fs::write(&policy, text).unwrap();
    let dispatch = dispatch.var("CHARMHOST_OPERATOR_FILE", policy.to_str().unwrap());
    let started = Instant::now();
    let ended = dispatch.run();
    (ended, started.elapsed())
}

/// How an agent or program fails to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stalled {
    Silent,
    Half,
    Trickles,
}

impl Stalled {
    fn name(self) -> &'static str {
        match self {
            Stalled::Silent => "never answers",
            Stalled::Half => "answers half",
            Stalled::Trickles => "trickles",
        }
    }

    /// Fails to answer on the agent's side of a connection.
    fn act(self, mut stream: &UnixStream) {
        use std::io::Write;
        // The length of a message that never becomes complete.
        let mut first = &[0xfd, 0x01, 0x00, 0x00][..];
        if self == Stalled::Silent {
            first = &[];
        }
        let _ = stream.write_all(first);
        let ends = Instant::now() + LIMIT * 10;
        while Instant::now() < ends {
            std::thread::sleep(Duration::from_millis(100));
            if self == Stalled::Trickles && stream.write_all(&[1]).is_err() {
                return;
            }
        }
    }

    /// Script of a program that fails to answer.
    fn script(self) -> &'static str {
        match self {
            Stalled::Silent => "exec sleep 30",
            Stalled::Half => "echo half; exec >&- 2>&-; exec sleep 30",
            Stalled::Trickles => "while sleep 0.1; do echo x || exit; done",
        }
    }
}

/// Calls a tool whose agent or program does not answer. Returns what the guest got
/// and how long the dispatch took.
fn unanswered(
    charm: &Path,
    tool: &'static str,
    transport: &str,
    stalled: Stalled,
) -> (String, Duration) {
    let begin = format!("{tool}: ");
    if transport == "exec" {
        let scripts = scripts(&calls(&[vec![tool]], None), Some((tool, stalled.script())));
        let agent = Agent::new();
        let dispatch = Dispatch::new(charm, "actions/run", &agent)
            .var("CHARMHOST_HOOK_TOOLS", "exec")
            .var("PATH", &path_with(scripts.path()));
        let (ended, took) = limited(dispatch);
        let calls = written(&scripts);
        let found = calls
            .iter()
            .find_map(|call| Some(call.split_once(&begin)?.1.to_owned()));
        return (found.unwrap_or(ended.stderr), took);
    }
    let params = calls(&[vec![tool]], None);
    let logs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&logs);
    let agent = Agent::raw(move |stream| {
        let raw = stream.try_clone().unwrap();
        let _ = charmhost_jujuc::serve_connection(stream, |request| {
            if request.tool == tool
                && !request.args.contains(&"--log-level".to_owned())
                && request.args.is_empty()
            {
                stalled.act(&raw);
                return Err("too late".to_owned());
            }
            seen.lock().unwrap().push(request.args.join(" "));
            match request.tool.as_str() {
                "action-get" => prints(&params),
                _ => usual(&request),
            }
        });
    });
    let dispatch = Dispatch::new(charm, "actions/run", &agent);
    let (ended, took) = limited(dispatch);
    let logs = logs.lock().unwrap();
    let found = logs
        .iter()
        .find_map(|line| Some(line.split_once(&begin)?.1.to_owned()));
    (found.unwrap_or(ended.stderr), took)
}

/// Every tool that a guest may run, except those that the guest or the SDK uses.
const TOOLS: [&str; 47] = [
    "action-fail",
    "action-log",
    "action-set",
    "add-metric",
    "application-version-set",
    "close-port",
    "config-get",
    "credential-get",
    "goal-state",
    "juju-reboot",
    "k8s-raw-get",
    "k8s-raw-set",
    "k8s-spec-get",
    "k8s-spec-set",
    "leader-get",
    "leader-set",
    "network-get",
    "open-port",
    "opened-ports",
    "payload-register",
    "payload-status-set",
    "payload-unregister",
    "pod-spec-get",
    "pod-spec-set",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-model-get",
    "relation-set",
    "resource-get",
    "secret-add",
    "secret-get",
    "secret-grant",
    "secret-ids",
    "secret-info-get",
    "secret-remove",
    "secret-revoke",
    "secret-set",
    "state-delete",
    "state-get",
    "state-set",
    "status-get",
    "status-set",
    "storage-add",
    "storage-get",
    "storage-list",
    "unit-get",
];

#[test]
fn every_tool_ends_within_the_time_limit() {
    let mut rows = Vec::new();
    for tool in TOOLS {
        for transport in ["rpc", "exec"] {
            for stalled in [Stalled::Silent, Stalled::Half, Stalled::Trickles] {
                rows.push((tool, transport, stalled));
            }
        }
    }
    let rows = Mutex::new(rows);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // A unit runs one dispatch at a time.
                let charm = copy(GUEST);
                loop {
                    let Some((tool, transport, stalled)) = rows.lock().unwrap().pop() else {
                        return;
                    };
                    let (outcome, took) = unanswered(charm.path(), tool, transport, stalled);
                    results
                        .lock()
                        .unwrap()
                        .push((tool, transport, stalled.name(), took, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort();
    let mut wrong = Vec::new();
    for (tool, transport, stalled, took, outcome) in &results {
        let row = format!(
            "{tool:<24} {transport:<5} {stalled:<14} {:>5.2} s  {outcome}",
            took.as_secs_f64()
        );
        println!("{row}");
        let wanted = format!(
            "Timeout: cannot run {tool}: the agent has not answered for {} s (limits.hook-tool-seconds of the operator)",
            LIMIT.as_secs()
        );
        if *outcome != wanted || *took > LIMIT + Duration::from_secs(2) {
            wrong.push(row);
        }
    }
    assert_eq!(results.len(), TOOLS.len() * 6);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn an_agent_that_never_answers_costs_the_time_limit_once() {
    let charm = copy(GUEST);
    for (name, socket) in [("never answers", true), ("does not accept", false)] {
        let agent = Agent::raw(|stream| Stalled::Silent.act(&stream));
        let full = tempfile::tempdir().unwrap();
        let path = full.path().join("agent.socket");
        // Connections are not accepted, and fill the queue.
        let _listener = UnixListener::bind(&path).unwrap();
        let mut dispatch = Dispatch::new(charm.path(), "hooks/start", &agent);
        let mut queued = Vec::new();
        if !socket {
            dispatch = dispatch.var("JUJU_AGENT_SOCKET_ADDRESS", path.to_str().unwrap());
            queued = fill(&path);
        }
        let (ended, took) = limited(dispatch);
        drop(queued);
        println!(
            "{:<24} {:<5} {name:<14} {:>5.2} s",
            "juju-log",
            "rpc",
            took.as_secs_f64()
        );
        let wanted = "cannot run juju-log: the agent has not answered for 1 s (limits.hook-tool-seconds of the operator)";
        assert!(ended.stderr.contains(wanted), "{name}: {}", ended.stderr);
        assert!(took <= LIMIT + Duration::from_secs(2), "{name}: {took:?}");
    }
}

/// Connects until the queue is full.
fn fill(path: &Path) -> Vec<std::process::Child> {
    let script = "import socket, sys, time\n\
        held = []\n\
        while True:\n\
        \x20   s = socket.socket(socket.AF_UNIX); s.setblocking(False)\n\
        \x20   try: s.connect(sys.argv[1])\n\
        \x20   except BlockingIOError: break\n\
        \x20   held.append(s)\n\
        print(len(held), flush=True); sys.stdin.read()\n";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
    assert!(line.trim().parse::<u32>().unwrap() > 0);
    vec![child]
}
