//! A guest of the world `raw-charm`, which is its own framework.

use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_jujuc::{REQUIRES_STDIN, Reply, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Agent, Dispatch, charmhost, copy, dist, fails, prints, root, shown, usual};

const GUEST: &str = "tests/guests/raw";

/// Runs steps of the guest by an agent that answers other tools by a function;
/// `set` changes the dispatch. Returns the outcomes, and all lines of the log.
fn steps_with(
    charm: &Path,
    steps: &Value,
    mut answer: impl FnMut(&Request) -> Result<Reply, String> + Send + 'static,
    set: impl FnOnce(Dispatch) -> Dispatch,
) -> (Vec<String>, Vec<String>) {
    let params = json!({ "steps": steps }).to_string();
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        _ => answer(request),
    });
    let ended = set(Dispatch::new(charm, "actions/run", &agent)).run();
    let logs = agent.logs();
    assert_eq!(ended.code, Some(0), "{} {logs:#?}", ended.stderr);
    let outcome = |line: &String| {
        let (number, outcome) = line.strip_prefix("INFO step ")?.split_once(": ")?;
        number.parse::<usize>().ok()?;
        Some(outcome.to_owned())
    };
    let outcomes: Vec<String> = logs.iter().filter_map(outcome).collect();
    assert_eq!(outcomes.len(), steps.as_array().unwrap().len(), "{logs:#?}");
    (outcomes, logs)
}

fn steps(charm: &Path, steps: &Value) -> (Vec<String>, Vec<String>) {
    steps_with(charm, steps, usual, |dispatch| dispatch)
}

fn run(tool: &str, args: &[&str]) -> Value {
    // No tool for secrets reads its input.
    let stdin = (!tool.starts_with("secret-")).then_some("of the guest");
    json!({"do": "run", "tool": tool, "args": args, "stdin": stdin})
}

/// A directory with programs that call the agent.
fn programs(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["juju-log", "action-get"].iter().chain(names) {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), dir.path().join(name));
    }
    dir
}

fn with_transport(dispatch: Dispatch, transport: &str, programs: &TempDir) -> Dispatch {
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    dispatch
        .var("CHARMHOST_HOOK_TOOLS", transport)
        .var("PATH", &path)
}

#[test]
fn the_environment_has_what_juju_says_of_the_dispatch_and_what_is_granted() {
    let charm = copy(GUEST);
    let grants = "[grants]\nenvironment = [\"GRANTED\", \"LANG\"]\n";
    std::fs::write(charm.path().join("charmhost.toml"), grants).unwrap();
    let (outcomes, _) = steps_with(
        charm.path(),
        &json!([{"do": "environment"}, {"do": "context"}]),
        usual,
        |dispatch| {
            dispatch.vars(&[
                ("GRANTED", "of the operator"),
                ("NOT_GRANTED", "x"),
                ("JUJU_AGENT_TOKEN", "x"),
                ("JUJU_AGENT_CA_CERT", "/ca.crt"),
                ("JUJU_FUTURE", "of a newer Juju"),
                ("CLOUD_API_VERSION", "1.30"),
                ("TZ", "Europe/Berlin"),
            ])
        },
    );
    let dir = charm.path().canonicalize().unwrap();
    let dir = dir.to_str().unwrap();
    let mut found: Vec<[String; 2]> = serde_json::from_str(&outcomes[0]).unwrap();
    found.sort();
    let wanted = [
        ["CLOUD_API_VERSION", "1.30"],
        ["GRANTED", "of the operator"],
        ["JUJU_ACTION_NAME", "run"],
        ["JUJU_ACTION_UUID", "42"],
        ["JUJU_AGENT_CA_CERT", "/ca.crt"],
        ["JUJU_CHARM_DIR", dir],
        ["JUJU_DISPATCH_PATH", "actions/run"],
        ["JUJU_FUTURE", "of a newer Juju"],
        ["JUJU_HOOK_NAME", ""],
        ["JUJU_MACHINE_ID", "0"],
        ["JUJU_MODEL_NAME", "model"],
        ["JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"],
        ["JUJU_UNIT_NAME", "app/0"],
        ["JUJU_VERSION", "3.6.28"],
        ["LANG", "C.UTF-8"],
    ];
    assert_eq!(found, wanted);
    assert_eq!(
        outcomes[1],
        json!(["app/0", dir, "actions/run"]).to_string()
    );
}

/// A call as the agent reads it: its arguments with the content of files, and its
/// input. Files that the agent is to open must be private ones of the host: below
/// the charm's `.charmhost`, or those with values of secrets for programs.
fn as_read(request: &Request, charm: &Path) -> String {
    let private = charm.join(".charmhost/hook-tools");
    let mut shown = vec![request.tool.clone()];
    let mut args = request.args.iter().peekable();
    while let Some(arg) = args.next() {
        let (name, path) = match (arg.split_once('='), args.peek()) {
            (Some((name, path)), _) => (name, path.to_owned()),
            (None, Some(next)) if next.starts_with('/') => {
                (arg.as_str(), args.next().unwrap().clone())
            }
            (None, _) => (arg.as_str(), String::new()),
        };
        let key = name.strip_suffix("#file").or(name.strip_suffix("#base64"));
        let value = match Path::new(&path) {
            file if file.starts_with(&private) || path.starts_with("/tmp/charmhost-secret-") => {
                use std::os::unix::fs::MetadataExt;
                let mode = std::fs::metadata(file).unwrap().mode();
                assert_eq!(mode & 0o777, 0o600);
                std::fs::read_to_string(file).unwrap()
            }
            file if file.is_absolute() => panic!("the agent opens {path}"),
            _ if name.ends_with("#base64") => match path.as_str() {
                "Y29udGVudCBvZiBh" => "content of a".to_owned(),
                other => other.to_owned(),
            },
            _ => path,
        };
        shown.push(format!("{}={value}", key.unwrap_or(name)));
    }
    if let Some(stdin) = &request.stdin {
        shown.push(format!("< {}", String::from_utf8_lossy(stdin)));
    }
    shown.join(" ")
}

/// Over both transports the agent reads the same.
#[test]
fn hook_tools_get_the_content_of_the_guests_own_files() {
    let calls = [
        (
            run("relation-set", &["-r", "1", "--file", "/tmp/a"]),
            "relation-set -r= 1= --file= -= < content of a",
        ),
        (
            run("state-set", &["--file=a"]),
            "state-set --file=- < content of a",
        ),
        (
            run("state-set", &["--file", "-"]),
            "state-set --file= -= < of the guest",
        ),
        (
            run("secret-add", &["data#file=/tmp/a", "--label", "l"]),
            "secret-add data=content of a --label= l=",
        ),
        (
            run("secret-set", &["secret:1", "data#file=link"]),
            "secret-set secret:1= data=content of a",
        ),
        (
            run("secret-add", &["data#file=/tmp/empty"]),
            "secret-add data=",
        ),
        (
            run("secret-add", &["--file", "a"]),
            "secret-add --file=content of a",
        ),
        (
            run(
                "pod-spec-set",
                &["--file=CHARM/a", "--k8s-resources", "/tmp/a"],
            ),
            "pod-spec-set --file=- --k8s-resources=content of a < content of a",
        ),
        (
            run("pod-spec-set", &["--k8s-resources=a"]),
            "pod-spec-set --k8s-resources=content of a < of the guest",
        ),
    ];
    let names = [
        "relation-set",
        "state-set",
        "secret-add",
        "secret-set",
        "pod-spec-set",
    ];
    let tools = programs(&names);
    for transport in ["rpc", "exec"] {
        let charm = copy(GUEST);
        let dir = charm.path().canonicalize().unwrap();
        let mut all = vec![
            json!({"do": "write", "path": "/tmp/a", "text": "content of a"}),
            json!({"do": "write", "path": "/tmp/empty", "text": ""}),
            json!({"do": "write", "path": dir.join("a"), "text": "content of a"}),
        ];
        std::os::unix::fs::symlink("a", dir.join("link")).unwrap();
        let prepared = all.len();
        for (call, _) in &calls {
            let text = call.to_string().replace("CHARM", dir.to_str().unwrap());
            all.push(serde_json::from_str(&text).unwrap());
        }
        let read = Arc::new(Mutex::new(Vec::new()));
        let (seen, at) = (Arc::clone(&read), dir.clone());
        let answer = move |request: &Request| {
            // A program sends its input when the agent asks for it.
            let reads_input = !request.tool.starts_with("secret-");
            if request.tool != "juju-log" && reads_input && request.stdin.is_none() {
                return Err(REQUIRES_STDIN.to_owned());
            }
            if request.tool != "juju-log" {
                seen.lock().unwrap().push(as_read(request, &at));
            }
            usual(request)
        };
        let set = |dispatch| with_transport(dispatch, transport, &tools);
        let (outcomes, _) = steps_with(&dir, &Value::from(all), answer, set);
        for outcome in &outcomes[prepared..] {
            assert_eq!(
                outcome, "{\"code\":0,\"stderr\":\"\",\"stdout\":\"\"}",
                "{transport}"
            );
        }
        let wanted: Vec<&str> = calls.iter().map(|(_, wanted)| *wanted).collect();
        assert_eq!(*read.lock().unwrap(), wanted, "{transport}");
        // Nothing is left of them.
        let left = std::fs::read_dir(dir.join(".charmhost/hook-tools")).unwrap();
        assert_eq!(left.count(), 0, "{transport}");
    }
}

#[test]
fn a_file_that_the_guest_cannot_read_is_named_and_not_opened() {
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "treasure").unwrap();
    let secret = secret.to_str().unwrap();
    let charm = copy(GUEST);
    std::os::unix::fs::symlink(secret, charm.path().join("link")).unwrap();
    std::fs::write(charm.path().join(".unit-state.db"), "").unwrap();
    let settings = "[limits]\nhost-memory-mib = 1\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let large = "x".repeat(400_000);
    let calls = [
        (
            run("secret-add", &[&format!("data#file={secret}")]),
            "invalid-input",
            secret,
        ),
        (
            run("secret-add", &["data#file=link"]),
            "invalid-input",
            "\"link\"",
        ),
        (
            run("secret-add", &["--file", "/etc/shadow"]),
            "invalid-input",
            "\"/etc/shadow\"",
        ),
        (
            run("state-set", &["--file", "/proc/self/environ"]),
            "invalid-input",
            "\"/proc/self/environ\"",
        ),
        (
            run("state-set", &["--file=.unit-state.db"]),
            "invalid-input",
            "the sandbox denies it",
        ),
        (
            run("state-set", &["--file", ".charmhost"]),
            "invalid-input",
            "the sandbox denies it",
        ),
        (
            run("state-set", &["--file", "/tmp"]),
            "invalid-input",
            "it is a directory",
        ),
        (
            run("state-set", &["--file=/tmp/large", "--file=-"]),
            "invalid-input",
            "--file is given more than once",
        ),
        (
            run("state-set", &["--file=/tmp/large"]),
            "host-memory",
            "limits.host-memory-mib",
        ),
        (
            run("config-get", &["--output", "/tmp/x"]),
            "denied",
            "--output",
        ),
    ];
    let mut all = vec![json!({"do": "write", "path": "/tmp/large", "text": large})];
    all.extend(calls.iter().map(|(call, _, _)| call.clone()));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let answer = move |request: &Request| {
        seen.lock().unwrap().push(request.tool.clone());
        usual(request)
    };
    // An empty file is no state: the host puts its tables in it.
    let (outcomes, logs) = steps_with(charm.path(), &Value::from(all), answer, |d| d);
    for ((call, case, text), outcome) in calls.iter().zip(&outcomes[1..]) {
        assert!(outcome.starts_with(case), "{call}: {outcome}");
        assert!(outcome.contains(text), "{call}: {outcome}");
        assert!(!outcome.contains("treasure"), "{call}: {outcome}");
    }
    let tools = requests.lock().unwrap();
    assert!(tools.iter().all(|tool| tool == "juju-log"), "{tools:?}");
    let denied = format!("Denied reading {secret}; to allow it, write read = [\"{secret}\"]");
    assert!(logs.iter().any(|line| line.contains(&denied)), "{logs:#?}");
}

#[test]
fn the_tools_of_this_juju_are_available() {
    let tools = programs(&["secret-add", "new-tool", "future-tool"]);
    let names = [
        "secret-add",
        "juju-log",
        "pod-spec-set",
        "new-tool",
        "future-tool",
        "juju-exec",
        "sh",
    ];
    let asked: Vec<Value> = names
        .iter()
        .map(|name| json!({"do": "available", "tool": name}))
        .collect();
    let of_programs = [true, true, false, true, false, false, false];
    let of_3_6 = [true, true, true, false, false, false, false];
    let of_4_0 = [true, true, false, false, false, false, false];
    for (transport, version, has_programs, wanted) in [
        ("rpc", "3.6.28", false, of_3_6),
        ("rpc", "4.0.1", false, of_4_0),
        ("rpc", "3.6.28", true, of_programs),
        ("exec", "3.6.28", true, of_programs),
    ] {
        let charm = copy(GUEST);
        let grants = "[grants]\nhook-tools = [\"new-tool\", \"sh\"]\n";
        std::fs::write(charm.path().join("charmhost.toml"), grants).unwrap();
        let set = |dispatch: Dispatch| {
            let dispatch = dispatch.var("JUJU_VERSION", version);
            match has_programs {
                true => with_transport(dispatch, transport, &tools),
                false => dispatch,
            }
        };
        let (outcomes, _) = steps_with(charm.path(), &Value::from(asked.clone()), usual, set);
        let wanted = wanted.map(|wanted| wanted.to_string());
        assert_eq!(outcomes, wanted, "{transport} {version} {names:?}");
    }
}

#[test]
fn a_tool_that_does_not_run_is_an_error_and_one_that_fails_is_not() {
    let charm = copy(GUEST);
    let all = json!([
        run("goal-state", &[]),
        run("config-get", &["key"]),
        run("status-set", &["a\0b"]),
        run("is-leader", &[]),
    ]);
    let policy = charm.path().join("operator.toml");
    std::fs::write(&policy, "[limits]\nhook-tool-seconds = 1\n").unwrap();
    let answer = |request: &Request| match request.tool.as_str() {
        "goal-state" => Err("bad request: unknown command \"goal-state\"".to_owned()),
        "config-get" => fails(1, "ERROR no such key\n"),
        "is-leader" => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            usual(request)
        }
        _ => usual(request),
    };
    let set =
        |dispatch: Dispatch| dispatch.var("CHARMHOST_OPERATOR_FILE", policy.to_str().unwrap());
    let (outcomes, _) = steps_with(charm.path(), &all, answer, set);
    assert!(outcomes[0].starts_with("not-found: "), "{outcomes:?}");
    let failed = json!({"code": 1, "stdout": "", "stderr": "ERROR no such key\n"});
    assert_eq!(serde_json::from_str::<Value>(&outcomes[1]).unwrap(), failed);
    assert!(outcomes[2].starts_with("invalid-input: "), "{outcomes:?}");
    assert!(outcomes[3].starts_with("timeout: "), "{outcomes:?}");
}

#[test]
fn what_is_stored_is_there_in_the_next_dispatch() {
    let charm = copy(GUEST);
    let notice = |step: &str, method: &str| json!({"do": step, "event": "Raw/on/start[1]", "observer": "Raw", "method": method});
    let first = json!([
        {"do": "exists"},
        {"do": "load", "path": "a"},
        {"do": "save", "path": "a", "text": "1"},
        {"do": "save", "path": "b", "text": "2"},
        {"do": "drop", "path": "b"},
        notice("add-notice", "x"),
        notice("add-notice", "y"),
        notice("drop-notice", "x"),
        {"do": "save", "path": "x".repeat(70_000), "text": ""},
        {"do": "exists"},
        {"do": "list"},
        {"do": "notices"},
    ]);
    let (outcomes, _) = steps(charm.path(), &first);
    assert_eq!(
        outcomes[..8],
        [
            "false", "null", "\"done\"", "\"done\"", "\"done\"", "\"done\"", "\"done\"", "\"done\""
        ]
    );
    assert!(outcomes[8].starts_with("invalid-input: "), "{outcomes:?}");
    let notices = json!([["Raw/on/start[1]", "Raw", "y"]]).to_string();
    assert_eq!(outcomes[9..], ["false", "[\"a\"]", notices.as_str()]);
    let second =
        json!([{"do": "exists"}, {"do": "load", "path": "a"}, {"do": "list"}, {"do": "notices"}]);
    let (outcomes, _) = steps(charm.path(), &second);
    assert_eq!(outcomes, ["true", "\"1\"", "[\"a\"]", notices.as_str()]);
}

#[test]
fn the_state_file_is_not_a_file_of_the_guest() {
    let charm = copy(GUEST);
    steps(
        charm.path(),
        &json!([{"do": "save", "path": "a", "text": "1"}]),
    );
    let dir = charm.path().canonicalize().unwrap();
    let state = dir.join(".unit-state.db");
    let before = std::fs::read(&state).unwrap();
    std::os::unix::fs::symlink(".unit-state.db", dir.join("link")).unwrap();
    let all = json!([
        {"do": "write", "path": dir.join("own"), "text": "x"},
        {"do": "read", "path": state},
        {"do": "read", "path": ".unit-state.db"},
        {"do": "write", "path": state, "text": "x"},
        {"do": "write", "path": dir.join(".unit-state.db-journal"), "text": "x"},
        {"do": "rename", "path": dir.join("own"), "to": state},
        {"do": "rename", "path": state, "to": dir.join("own")},
        {"do": "hard-link", "path": state, "to": dir.join("own2")},
        {"do": "remove", "path": state},
        {"do": "read", "path": dir.join("src/../.unit-state.db")},
        {"do": "read", "path": dir.join("link")},
        {"do": "write", "path": dir.join("link"), "text": "x"},
    ]);
    std::fs::create_dir(dir.join("src")).unwrap();
    let (outcomes, logs) = steps(&dir, &all);
    assert_eq!(outcomes[0], "\"done\"");
    for (number, outcome) in outcomes.iter().enumerate().skip(1) {
        assert!(outcome.starts_with("io: "), "step {number}: {outcome}");
    }
    assert_eq!(std::fs::read(&state).unwrap(), before);
    let why = "a charm has access to the unit's state through its interface only (charmhost:store/store); this cannot be granted.";
    let denied: Vec<&String> = logs.iter().filter(|line| line.contains("Denied")).collect();
    assert!(denied.iter().all(|line| line.ends_with(why)), "{denied:#?}");
    // The file by two paths, and its journal.
    assert_eq!(denied.len(), 3, "{denied:#?}");
}

#[test]
fn inspect_shows_the_world() {
    for (project, wanted) in [(GUEST, "raw-charm"), ("charms/hello", "charm")] {
        let charm = copy(project);
        let dir = charm.path().as_os_str();
        let output = charmhost(["inspect".as_ref(), dir]);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let line = format!("world: {wanted}");
        assert!(
            stdout.lines().any(|found| found == line),
            "{}",
            shown(&output)
        );
        let output = charmhost(["inspect".as_ref(), dir, "--format=json".as_ref()]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["world"], wanted);
        let archive = charm.path().join("x.charm");
        let packed = root().join("target/suite").join(project.replace('/', "-"));
        std::fs::copy(packed.join("packed.charm"), &archive).unwrap();
        let output = charmhost(["inspect".as_ref(), archive.as_os_str()]);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            stdout.lines().any(|found| found == line),
            "{}",
            shown(&output)
        );
        std::fs::write(charm.path().join("charm.cwasm"), "").unwrap();
        let output = charmhost(["inspect".as_ref(), dir]);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains("world: cannot run"), "{}", shown(&output));
    }
}

#[test]
fn every_way_in_which_a_raw_charm_ends_has_its_exit_code() {
    for (end, code, line) in [
        ("aborted", 0, None),
        (
            "failed",
            1,
            Some("Uncaught RawError in charm code: as ordered at charm.py:3"),
        ),
        (
            "crash",
            1,
            Some("Uncaught RawError in charm code: reported at charm.py:3"),
        ),
        ("so long", 7, None),
    ] {
        let charm = copy(GUEST);
        let params = json!({"steps": [{"do": "save", "path": "a", "text": "1"}], "end": end});
        let params = params.to_string();
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "action-get" => prints(&params),
            _ => usual(request),
        });
        let ended = Dispatch::new(charm.path(), "actions/run", &agent).run();
        assert_eq!(ended.code, Some(code), "{end}: {}", ended.stderr);
        let logs = agent.logs();
        assert!(
            line.is_none_or(|line| logs.iter().any(|logged| logged.contains(line))),
            "{end}: {logs:#?}"
        );
        assert!(!charm.path().join(".unit-state.db").exists(), "{end}");
        assert!(code != 7 || ended.stderr.contains(end), "{}", ended.stderr);
    }
}
