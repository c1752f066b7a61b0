//! What a guest may have the agent do by hook tools, how tools are reached, and
//! how long they are waited for.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use charmhost_jujuc::Request;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Agent, Dispatch, Ended, charmhost, copy, dist, prints, shown, usual};

const GUEST: &str = "tests/guests/tools";

/// The parameters of the guest's action.
fn calls(calls: &[Vec<&str>], stdin: Option<&str>) -> String {
    json!({ "calls": calls, "stdin": stdin }).to_string()
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Where the flags of a call have the agent open files, by an own reading of
/// them: letters behind one dash go together, and one that takes a value takes
/// the rest, or the next argument.
fn opened(request: &Request) -> Vec<String> {
    let switches = [
        "a",
        "all",
        "app",
        "application",
        "debug",
        "now",
        "strict",
        "peek",
        "refresh",
        "include-data",
    ];
    let files = ["o", "output", "file", "k8s-resources"];
    let content = |arg: &String| {
        let is_secret = ["secret-add", "secret-set"].contains(&request.tool.as_str());
        let (_, path) = arg.split_once("#file=").filter(|_| is_secret)?;
        Some(path.to_owned())
    };
    let mut opened = Vec::new();
    let mut args = request.args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            opened.extend(args.filter_map(content));
            break;
        }
        let (names, mut value) = match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
            (Some(long), _) => match long.split_once('=') {
                Some((name, value)) => (vec![name.to_owned()], Some(value.to_owned())),
                None => (vec![long.to_owned()], None),
            },
            (None, Some(short)) if !short.is_empty() => {
                let takes = |c: char| !switches.contains(&c.to_string().as_str());
                let end = short.find(takes).unwrap_or(short.len());
                let name = short[end..].chars().next().map(String::from);
                let rest = short[end..].chars().skip(1).collect::<String>();
                (
                    name.into_iter().collect(),
                    Some(rest).filter(|rest| !rest.is_empty()),
                )
            }
            _ => {
                opened.extend(content(arg));
                continue;
            }
        };
        for name in names
            .iter()
            .filter(|name| !switches.contains(&name.as_str()))
        {
            let value = value
                .take()
                .or_else(|| args.next().cloned())
                .unwrap_or_default();
            let is_stdin = value == "-" && !request.tool.starts_with("secret-") && name == "file";
            if files.contains(&name.as_str()) && !is_stdin {
                opened.push(value);
            }
        }
    }
    opened
}

/// An agent that opens files as Juju's does, and the files that it opened.
fn opening(params: String) -> (Agent, Arc<Mutex<Vec<String>>>) {
    let files = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&files);
    let agent = Agent::answering(move |request| {
        if request.tool == "action-get" {
            return prints(&params);
        }
        for file in opened(request) {
            let _ = std::fs::write(Path::new(&request.dir).join(&file), "written");
            seen.lock().unwrap().push(file);
        }
        match request.tool.as_str() {
            "new-tool" => prints("new"),
            _ => usual(request),
        }
    });
    (agent, files)
}

/// A directory with every tool that is called, as a program that calls the agent.
fn programs(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), dir.path().join(name));
    }
    for name in ["juju-log", "action-get", "is-leader"] {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), dir.path().join(name));
    }
    dir
}

fn path_with(dir: &Path) -> String {
    format!("{}:/usr/bin:/bin", dir.display())
}

/// What the guest logged of a call.
fn outcome(agent: &Agent, call: &str) -> String {
    let begin = format!("INFO {call}: ");
    let logs = agent.logs();
    let found = logs.iter().find_map(|line| line.strip_prefix(&begin));
    found
        .unwrap_or_else(|| panic!("{call} is not in {logs:#?}"))
        .to_owned()
}

#[test]
fn no_argument_of_a_guest_has_the_agent_open_a_file() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("x").display().to_string();
    let forms = [
        "config-get -o FILE",
        "config-get -oFILE",
        "config-get -o=FILE",
        "config-get --output FILE",
        "config-get --output=FILE",
        "config-get -aoFILE",
        "config-get -ao FILE",
        "config-get -aaoFILE",
        "config-get -aaaao FILE",
        "config-get key -aoFILE",
        "config-get -a -oFILE",
        "config-get --all -aoFILE",
        "config-get --all=true -ao FILE",
        "config-get --format json -aoFILE",
        "config-get --format=json key --output FILE",
        "relation-get -r 1 - -o FILE",
        "relation-get -r -- -oFILE",
        "relation-get -rdb:7 -oFILE",
        "relation-get --relation=1 --app --output=FILE",
        "relation-ids db -oFILE",
        "relation-list --app -r1 -oFILE",
        "network-get db --ingress-address -oFILE",
        "status-get --include-data -oFILE",
        "state-get --strict -oFILE",
        "goal-state -oFILE",
        "secret-get secret:1 --peek -oFILE",
        "is-leader -oFILE",
        "storage-get -s data/0 -oFILE",
        "relation-set -r 1 --file FILE",
        "relation-set --file=FILE -r 1",
        "relation-set --file - --file FILE",
        "state-set --file FILE",
        "state-set --file=FILE",
        "secret-add --file FILE",
        "secret-add --file -",
        "secret-set secret:1 --file=FILE",
        "secret-add data#file=FILE",
        "secret-add --label l data#file=FILE",
        "secret-set secret:1 -- data#file=FILE",
        "pod-spec-set --file FILE",
        "pod-spec-set --file - --k8s-resources FILE",
        "k8s-spec-set --k8s-resources=FILE",
        "k8s-raw-set --file FILE",
    ];
    let forms: Vec<String> = forms
        .iter()
        .map(|form| form.replace("FILE", &file))
        .collect();
    let allowed = [
        "config-get -a",
        "config-get -aa",
        "config-get --all=true",
        "relation-set -r 1 --file -",
        "state-set --file=-",
        "juju-log --log-level INFO -- x",
        "secret-add data#base64=eA==",
        "action-log -- -o",
        "config-get --help",
    ];
    let all: Vec<&str> = forms.iter().map(String::as_str).chain(allowed).collect();
    let params = calls(
        &all.iter().map(|line| words(line)).collect::<Vec<_>>(),
        Some("{}"),
    );
    let names: Vec<&str> = all.iter().map(|line| words(line)[0]).collect();
    let tools = programs(&names);
    for transport in ["rpc", "exec"] {
        let charm = copy(GUEST);
        let (agent, files) = opening(params.clone());
        let ended = Dispatch::new(charm.path(), "actions/run", &agent)
            .var("CHARMHOST_HOOK_TOOLS", transport)
            .var("PATH", &path_with(tools.path()))
            .run();
        let files = files.lock().unwrap();
        assert!(files.is_empty(), "{transport}: the agent opened {files:?}");
        assert!(
            std::fs::read_dir(out.path()).unwrap().next().is_none(),
            "{transport}"
        );
        assert!(!charm.path().join("-").exists(), "{transport}");
        assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
        for call in &forms {
            let outcome = outcome(&agent, call);
            assert!(
                outcome.starts_with("Denied: "),
                "{transport}: {call}: {outcome}"
            );
        }
        for call in allowed {
            let outcome = outcome(&agent, call);
            assert!(
                outcome.starts_with("exited with 0"),
                "{transport}: {call}: {outcome}"
            );
        }
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_would_allow_it() {
    let table = [
        (
            "config-get --new=1",
            "Denied: cannot run config-get: option provided but not defined: --new",
        ),
        (
            "config-get -aX",
            "Denied: cannot run config-get: option provided but not defined: -X",
        ),
        (
            "new-tool -o x",
            "Denied: cannot run new-tool: this version of charmhost does not know the hook tool",
        ),
        (
            "juju-exec app/0 true",
            "Denied: cannot run juju-exec: it is not a hook tool",
        ),
        (
            "jujud machine",
            "Denied: cannot run jujud: it is not a hook tool",
        ),
    ];
    let params = calls(&table.map(|(call, _)| words(call)), None);
    let tools = programs(&["config-get", "new-tool", "juju-exec", "jujud"]);
    for transport in ["rpc", "exec"] {
        for granted in [false, true] {
            let charm = copy(GUEST);
            if granted {
                let grant =
                    "[grants]\nhook-tools = [\"new-tool\", \"juju-exec\", \"config-get\"]\n";
                std::fs::write(charm.path().join("charmhost.toml"), grant).unwrap();
            }
            let (agent, _) = opening(params.clone());
            let ended = Dispatch::new(charm.path(), "actions/run", &agent)
                .var("CHARMHOST_HOOK_TOOLS", transport)
                .var("PATH", &path_with(tools.path()))
                .run();
            assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
            for (call, wanted) in table {
                let outcome = outcome(&agent, call);
                let wanted = match granted && call.starts_with("new-tool") {
                    true => "exited with 0: new",
                    false => wanted,
                };
                assert!(
                    outcome.starts_with(wanted),
                    "{transport} {granted}: {call}: {outcome}"
                );
            }
            let remedy = "WARNING Denied running new-tool: this version of charmhost does not know the hook tool; to allow it, write hook-tools = [\"new-tool\"] under [grants] in charmhost.toml.";
            let logs = agent.logs();
            assert_eq!(
                logs.iter().any(|line| line == remedy),
                !granted,
                "{logs:#?}"
            );
            let _ = std::fs::remove_file(charm.path().join("x"));
        }
    }
}

/// A directory with a program for each tool that writes down how it is called.
/// `special` is what one of them does instead.
fn scripts(params: &str, special: Option<(&str, &str)>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("params"), params).unwrap();
    let at = dir.path().display();
    let names = ["juju-log", "action-get", "is-leader"];
    let names = names.into_iter().chain(special.map(|(name, _)| name));
    for name in names {
        let act = match (name, special) {
            (name, Some((special, act))) if name == special => act.to_owned(),
            ("action-get", _) => format!("cat {at}/params"),
            ("is-leader", _) => "echo true".to_owned(),
            _ => String::new(),
        };
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> {at}/calls\n{act}\n");
        let path = dir.path().join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

fn written(scripts: &TempDir) -> Vec<String> {
    let calls = std::fs::read_to_string(scripts.path().join("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

/// An agent that nobody can speak to: how it is set up, and which Juju it is of.
enum Unspoken {
    NoSocket,
    Refuses,
    Garbage,
    Tcp,
}

#[test]
fn an_agent_that_cannot_be_spoken_to_is_replaced_by_programs_once() {
    for (name, unspoken, version) in [
        ("no socket", Unspoken::NoSocket, "3.6.28"),
        ("nobody listens", Unspoken::Refuses, "3.6.28"),
        ("another protocol", Unspoken::Garbage, "9.9.9"),
        ("tcp", Unspoken::Tcp, "3.6.28"),
    ] {
        let charm = copy(GUEST);
        let scripts = scripts(&calls(&[vec!["is-leader"]], None), None);
        let agent = Agent::rude(|mut stream| {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let other = scripts.path().join("agent.socket");
        let mut dispatch = Dispatch::new(charm.path(), "actions/run", &agent)
            .var("JUJU_VERSION", version)
            .var("PATH", &path_with(scripts.path()));
        match unspoken {
            Unspoken::Garbage => {}
            Unspoken::NoSocket => {
                dispatch = dispatch.var("JUJU_AGENT_SOCKET_ADDRESS", other.to_str().unwrap());
            }
            Unspoken::Refuses => {
                drop(UnixListener::bind(&other).unwrap());
                dispatch = dispatch.var("JUJU_AGENT_SOCKET_ADDRESS", other.to_str().unwrap());
            }
            Unspoken::Tcp => {
                dispatch = dispatch
                    .var("JUJU_AGENT_SOCKET_NETWORK", "tcp")
                    .var("JUJU_AGENT_SOCKET_ADDRESS", "127.0.0.1:1");
            }
        }
        let ended = dispatch.run();
        let calls = written(&scripts);
        assert_eq!(ended.code, Some(0), "{name}: {}\n{calls:#?}", ended.stderr);
        let reports = calls
            .iter()
            .filter(|call| call.contains("Running the hook tools on PATH"));
        assert_eq!(reports.count(), 1, "{name}: {calls:#?}");
        assert!(
            calls
                .iter()
                .any(|call| call.contains("is-leader: exited with 0: true")),
            "{name}: {calls:#?}"
        );
    }
}

#[test]
fn what_the_agent_may_have_run_is_not_run_again_by_a_program() {
    let charm = copy(GUEST);
    let scripts = scripts(&calls(&[vec!["is-leader"]], None), None);
    let agent = Agent::rude(|mut stream| {
        // It takes the call, and goes away.
        use std::io::Read;
        let _ = stream.read(&mut [0; 4096]);
    });
    let ended = Dispatch::new(charm.path(), "actions/run", &agent)
        .var("PATH", &path_with(scripts.path()))
        .run();
    assert_eq!(written(&scripts), [""; 0], "{}", ended.stderr);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

/// How long a call may take in these tests.
const LIMIT: Duration = Duration::from_secs(1);

/// Runs the guest under an operator who has set a limit. Gives how it ended and
/// how long it took.
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

/// What the peer does instead of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Silent,
    Half,
    Trickles,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::Silent => "never answers",
            Peer::Half => "answers half",
            Peer::Trickles => "trickles",
        }
    }

    /// Does it on the agent's side of a connection.
    fn act(self, mut stream: &UnixStream) {
        use std::io::Write;
        // The length of a message, of which little follows.
        let mut first = &[0xfd, 0x01, 0x00, 0x00][..];
        if self == Peer::Silent {
            first = &[];
        }
        let _ = stream.write_all(first);
        let ends = Instant::now() + LIMIT * 10;
        while Instant::now() < ends {
            std::thread::sleep(Duration::from_millis(100));
            if self == Peer::Trickles && stream.write_all(&[1]).is_err() {
                return;
            }
        }
    }

    /// What a program does.
    fn script(self) -> &'static str {
        match self {
            Peer::Silent => "exec sleep 30",
            Peer::Half => "echo half; exec >&- 2>&-; exec sleep 30",
            Peer::Trickles => "while sleep 0.1; do echo x || exit; done",
        }
    }
}

/// Calls a tool whose agent or program does not answer, and gives what the guest
/// got and how long it all took.
fn unanswered(charm: &Path, tool: &'static str, transport: &str, peer: Peer) -> (String, Duration) {
    let begin = format!("{tool}: ");
    if transport == "exec" {
        let scripts = scripts(&calls(&[vec![tool]], None), Some((tool, peer.script())));
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
    let agent = Agent::rude(move |stream| {
        let raw = stream.try_clone().unwrap();
        let _ = charmhost_jujuc::serve_connection(stream, |request| {
            if request.tool == tool
                && !request.args.contains(&"--log-level".to_owned())
                && request.args.is_empty()
            {
                peer.act(&raw);
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

/// Every tool that a guest may run, but those that it or the SDK needs itself.
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
fn every_tool_ends_within_the_limit_of_the_operator() {
    let mut rows = Vec::new();
    for tool in TOOLS {
        for transport in ["rpc", "exec"] {
            for peer in [Peer::Silent, Peer::Half, Peer::Trickles] {
                rows.push((tool, transport, peer));
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
                    let Some((tool, transport, peer)) = rows.lock().unwrap().pop() else {
                        return;
                    };
                    let (outcome, took) = unanswered(charm.path(), tool, transport, peer);
                    results
                        .lock()
                        .unwrap()
                        .push((tool, transport, peer.name(), took, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort();
    let mut wrong = Vec::new();
    for (tool, transport, peer, took, outcome) in &results {
        let row = format!(
            "{tool:<24} {transport:<5} {peer:<14} {:>5.2} s  {outcome}",
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
fn an_agent_that_is_silent_from_the_first_line_costs_the_limit_once() {
    let charm = copy(GUEST);
    for (name, socket) in [("never answers", true), ("accepts nobody", false)] {
        let agent = Agent::rude(|stream| Peer::Silent.act(&stream));
        let full = tempfile::tempdir().unwrap();
        let path = full.path().join("agent.socket");
        // Nobody accepts; what is queued fills it up.
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

/// Connects until nobody can any more.
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

#[test]
fn a_link_of_a_charm_leads_nowhere_on_the_machine() {
    // Not below `/tmp`, where a charm under `sim` sees other files.
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let target = outside.path().join("target");
    std::fs::write(&target, "untouched").unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "stolen: yes\n").unwrap();
    let charm = tempfile::tempdir().unwrap();
    let hooks = charm.path().join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    std::fs::write(charm.path().join("metadata.yaml"), "name: links\n").unwrap();
    let options = "options: {greeting: {type: string, default: hello}}\n";
    std::fs::write(charm.path().join("config.yaml"), options).unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\nln -s {target} /root/out\nln -s {secret} /root/in\nrm -rf {dir}\n\
         config-get -o /root/out greeting 2>&1 | sed 's/^/wrote: /' >&2 || true\n\
         state-set --file /root/in 2>&1 | sed 's/^/read: /' >&2 || true\n\
         mkdir -p {dir}; config-get -o /root/out greeting\n\
         juju-log -- \"out: $(cat /root/out)\"; juju-log -- \"state: $(state-get --format=json)\"\n",
        target = target.display(),
        secret = secret.display(),
        dir = outside.path().display(),
    );
    std::fs::write(hooks.join("start"), script).unwrap();
    std::fs::set_permissions(hooks.join("start"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = charmhost([
        "sim",
        charm.path().to_str().unwrap(),
        "--event",
        "start",
        "--format",
        "json",
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let logs = report["dispatches"][0]["logs"].to_string();
    assert!(!logs.contains("stolen"), "{logs}");
    // In the charm's own file system it is an ordinary link.
    assert!(logs.contains("out: hello"), "{logs}");
}
