//! Local state has the format of ops: a charm moves from Python to this host and
//! back with its deferred events.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use charmhost_jujuc::{Reply, Request};

use crate::support::{Agent, Dispatch, charmhost, copy, dist, prints, root, usual};

/// A unit with two builds of its charm: compiled, and in Python.
struct Unit {
    charm: tempfile::TempDir,
    agent: Agent,
    /// Which handlers defer.
    defer: Arc<Mutex<String>>,
}

impl Unit {
    fn new() -> Self {
        Unit::with(|_| None)
    }

    /// A unit with an agent that answers some calls by a function.
    fn with(
        mut answer: impl FnMut(&Request) -> Option<Result<Reply, String>> + Send + 'static,
    ) -> Self {
        let charm = copy("tests/guests/queue");
        let reference = root().join("tests/differential/ops-reference/queue/src/charm.py");
        std::fs::create_dir(charm.path().join("src")).unwrap();
        std::fs::copy(reference, charm.path().join("src/charm.py")).unwrap();
        let defer = Arc::new(Mutex::new(String::new()));
        let answered = defer.clone();
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "config-get" => {
                let defer = answered.lock().unwrap().clone();
                prints(&serde_json::json!({"defer": defer, "fail": ""}).to_string())
            }
            _ => answer(request).unwrap_or_else(|| usual(request)),
        });
        Unit {
            charm,
            agent,
            defer,
        }
    }

    /// Runs a hook in which the named handlers defer; returns what was logged.
    fn run(&self, hook: &str, python: bool, defer: &str) -> Vec<String> {
        *self.defer.lock().unwrap() = defer.to_owned();
        let before = self.agent.logs().len();
        let dispatch = Dispatch::new(self.charm.path(), &format!("hooks/{hook}"), &self.agent);
        match python {
            false => assert_eq!(dispatch.run().code, Some(0)),
            true => run_python(self.charm.path(), dispatch),
        }
        self.agent.logs().split_off(before)
    }

    fn rows(&self, sql: &str) -> String {
        let script =
            "import sqlite3, sys; print(list(sqlite3.connect(sys.argv[1]).execute(sys.argv[2])))";
        let file = self.charm.path().join(".unit-state.db");
        let output = Command::new("python3")
            .args(["-c", script])
            .arg(file)
            .arg(sql)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }
}

fn run_python(charm: &Path, dispatch: Dispatch) {
    let tools = charm.join("tools");
    let _ = std::fs::create_dir(&tools);
    for tool in [
        "juju-log",
        "config-get",
        "is-leader",
        "relation-ids",
        "state-delete",
        "state-get",
        "state-set",
        "status-set",
    ] {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), tools.join(tool));
    }
    let dispatch = dispatch.var("PATH", &format!("{}:/usr/bin:/bin", tools.display()));
    let mut command = dispatch.command();
    let vars: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap_or_default().to_owned()))
        .collect();
    command = Command::new(root().join("target/ops-venv/bin/python"));
    command
        .arg("src/charm.py")
        .current_dir(charm)
        .env_clear()
        .envs(vars);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        crate::support::shown(&output)
    );
}

/// Returns what the charm `atomic-counter` logged at the start of each dispatch: the
/// number in its local state, and the one in Juju.
fn reported_numbers(settings: &str) -> Vec<String> {
    let charm = copy("tests/guests/atomic-counter");
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let scenario = charm.path().join("scenario.yaml");
    std::fs::write(
        &scenario,
        "events:\n- {event: start, expect: {deferred: [start]}}\n- config-changed\n- {event: config-changed, applied: false}\n- {event: update-status, resolved: true}\n- update-status\n",
    )
    .unwrap();
    let output = charmhost([
        "sim".as_ref(),
        charm.path().as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["unmet"], serde_json::json!([]), "{settings}");
    let dispatches = report["dispatches"].as_array().unwrap().iter();
    let logs = dispatches.flat_map(|dispatch| dispatch["logs"].as_array().unwrap());
    let messages = logs.map(|line| line["message"].as_str().unwrap().trim().to_owned());
    messages.filter(|line| line.starts_with("own ")).collect()
}

#[test]
fn in_atomic_mode_local_state_is_committed_if_juju_committed_the_hook() {
    let together = [
        "own 0 juju",
        "own 1 juju 1",
        "own 2 juju 2",
        "own 2 juju 2",
        "own 3 juju 3",
    ];
    assert_eq!(reported_numbers("[state]\nmode = \"atomic\"\n"), together);
    assert_eq!(reported_numbers("[state]\nstorage = \"juju\"\n"), together);
    let apart = [
        "own 0 juju",
        "own 1 juju 1",
        "own 2 juju 2",
        "own 3 juju 2",
        "own 4 juju 4",
    ];
    assert_eq!(reported_numbers(""), apart);
}

/// State of the unit in Juju, which applies all changes at once, as if every hook
/// succeeded.
#[derive(Default)]
struct ControllerState(BTreeMap<String, String>);

impl ControllerState {
    fn answer(&mut self, request: &Request) -> Option<Result<Reply, String>> {
        let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
        match (request.tool.as_str(), args.as_slice()) {
            ("state-get", ["--format=json"]) => {
                Some(prints(&serde_json::to_string(&self.0).unwrap()))
            }
            ("state-get", [key]) => Some(prints(
                &(self.0.get(*key).cloned().unwrap_or_default() + "\n"),
            )),
            ("state-set", ["--file", "-"]) => {
                let Some(input) = request.stdin.clone() else {
                    return Some(Err(charmhost_jujuc::REQUIRES_STDIN.to_owned()));
                };
                self.set(&String::from_utf8(input).unwrap());
                Some(prints(""))
            }
            ("state-delete", [key]) => {
                self.0.remove(*key);
                Some(prints(""))
            }
            _ => None,
        }
    }

    fn set(&mut self, input: &str) {
        let entries = charmhost_yaml::parse(input).unwrap();
        for (key, value) in entries.as_object().unwrap() {
            let text = value.as_str().unwrap().to_owned();
            self.0.insert(key.clone(), text);
        }
    }
}

#[test]
fn state_in_juju_moves_between_the_host_and_ops() {
    let stored: Arc<Mutex<ControllerState>> = Arc::default();
    let answering = stored.clone();
    let unit = Unit::with(move |request| answering.lock().unwrap().answer(request));
    let settings = "[state]\nstorage = \"juju\"\n";
    std::fs::write(unit.charm.path().join("charmhost.toml"), settings).unwrap();
    let script = unit.charm.path().join("src/charm.py");
    let text = std::fs::read_to_string(&script).unwrap();
    let text = text.replace(
        "ops.main(Queue)",
        "ops.main(Queue, use_juju_for_storage=True)",
    );
    std::fs::write(&script, text).unwrap();

    unit.run("config-changed", false, "config_changed");
    let logs = unit.run("start", true, "config_changed start_second");
    for wanted in [
        "Re-emitting deferred event <ConfigChangedEvent via Queue/on/config_changed[1]> (1 of 1 in queue).",
        "INFO 2 config_changed  after config_changed config_changed",
        "INFO 4 start_second",
    ] {
        assert!(has(&logs, wanted), "{wanted:?} is not in {logs:?}");
    }
    let logs = unit.run("update-status", false, "");
    for wanted in [
        "Re-emitting deferred event config_changed (1 of 2 in queue).",
        "Re-emitting deferred event start (2 of 2 in queue).",
        "INFO 6 start_second  after start_second config_changed start_second",
    ] {
        assert!(has(&logs, wanted), "{wanted:?} is not in {logs:?}");
    }
    let stored = stored.lock().unwrap();
    assert_eq!(stored.0["#notices#"], "[]\n");
    assert!(
        !stored.0.contains_key("Queue/on/start[2]"),
        "{:?}",
        stored.0.keys()
    );
    assert!(!unit.charm.path().join(".unit-state.db").exists());
}

fn has(logs: &[String], wanted: &str) -> bool {
    logs.iter().any(|line| line.contains(wanted))
}

#[test]
fn events_deferred_by_the_host_are_delivered_by_ops() {
    let unit = Unit::new();
    unit.run("config-changed", false, "config_changed");
    let logs = unit.run("update-status", true, "");
    assert!(
        has(
            &logs,
            "Re-emitting deferred event <ConfigChangedEvent via Queue/on/config_changed[1]> (1 of 1 in queue)."
        ),
        "{logs:?}"
    );
    // Stored state moves with it.
    let wanted = "INFO 2 config_changed  after config_changed config_changed";
    assert!(has(&logs, wanted), "{logs:?}");
    assert_eq!(unit.rows("select * from notice"), "[]\n");
}

#[test]
fn events_deferred_by_ops_are_delivered_by_the_host() {
    let unit = Unit::new();
    unit.run("start", true, "start_first start_second");
    let counted = unit.rows("select data from snapshot where handle = 'StoredStateData[_stored]'");
    let logs = unit.run("update-status", false, "start_second");
    for wanted in [
        "Re-emitting deferred event start (1 of 2 in queue).",
        "Re-emitting deferred event start (2 of 2 in queue).",
        "INFO 3 start_first  after start_first start_second start_first",
        "INFO 4 start_second  after start_second start_first start_second",
    ] {
        assert!(has(&logs, wanted), "{wanted:?} is not in {logs:?}");
    }
    let notices = "select event_path, observer_path, method_name from notice";
    assert_eq!(
        unit.rows(notices),
        "[('Queue/on/start[1]', 'Queue', 'on_start_second')]\n"
    );
    let now = unit.rows("select data from snapshot where handle = 'StoredStateData[_stored]'");
    assert_ne!(now, counted, "the events are counted on");
    // And back again.
    let logs = unit.run("update-status", true, "");
    assert!(
        has(
            &logs,
            "<StartEvent via Queue/on/start[1]> (1 of 1 in queue)."
        ),
        "{logs:?}"
    );
    assert_eq!(unit.rows("select * from notice"), "[]\n");
    assert_eq!(
        unit.rows("select handle from snapshot where handle like 'Queue/on%'"),
        "[]\n"
    );
}

#[test]
fn unreadable_state_is_preserved_and_logged() {
    let unit = Unit::new();
    unit.run("start", false, "start_first");
    let script = "import pickle, sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.execute('update snapshot set data = ? where handle like ?', (pickle.dumps({'x': b'bytes'}), 'Queue/on/start%'))\n\
        db.execute('insert into snapshot values (?, ?)', ('Queue/StoredStateData[_other]', pickle.dumps({'k': b'b'})))\n\
        db.commit()\n";
    let file = unit.charm.path().join(".unit-state.db");
    let changed = Command::new("python3")
        .args(["-c", script])
        .arg(&file)
        .status();
    assert!(changed.unwrap().success());
    let rows = "select handle, hex(data) from snapshot where handle like 'Queue/on/start%' or handle like '%_other]' order by handle";
    let before = unit.rows(rows);
    let logs = unit.run("config-changed", false, "config_changed");
    assert!(
        has(
            &logs,
            "WARNING Cannot read the data of deferred event Queue/on/start[1]: it holds bytes; keeping it in the queue."
        ),
        "{logs:?}"
    );
    unit.run("config-changed", false, "");
    assert_eq!(unit.rows(rows), before);
    assert_eq!(
        unit.rows("select method_name from notice"),
        "[('on_start_first',)]\n"
    );
}
