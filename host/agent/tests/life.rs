//! Charms written in shell, taken through events. What they call over the
//! agent's socket is called here, while they run, by an observer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use charmhost_agent::{DispatchRecord, Notice, Observer, Options, Outcome, Report, run};
use charmhost_jujuc::{Address, Call, Connection, Error, Reply};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A charm in a directory of its own.
struct Charm {
    dir: TempDir,
}

impl Charm {
    /// A charm whose `dispatch` is this shell script.
    fn new(script: &str) -> Self {
        let charm = Charm::without_dispatch();
        charm.program("dispatch", script);
        charm
    }

    fn without_dispatch() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let charm = Charm { dir };
        charm.file("metadata.yaml", "name: demo\n");
        charm.file(
            "config.yaml",
            "options:\n  port: {type: int, default: 80}\n",
        );
        charm.file(
            "actions.yaml",
            "backup:\n  params: {count: {type: integer, default: 3}}\n",
        );
        charm
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.file(name, &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn options(&self, events: &[&str]) -> Options {
        Options {
            target: self.dir.path().to_path_buf(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            hook_tool: None,
            ..Options::default()
        }
    }

    fn run(&self, events: &[&str]) -> Report {
        run(&self.options(events), &mut ()).unwrap()
    }
}

type Script = Box<dyn FnMut(&str, &mut Caller)>;

/// Calls hook tools at the start of each dispatch.
struct Caller {
    environment: BTreeMap<String, String>,
    script: Option<Script>,
    notices: Vec<Notice>,
    left_out: Vec<String>,
    kept: Option<Connection>,
}

impl Caller {
    fn new(script: impl FnMut(&str, &mut Caller) + 'static) -> Self {
        Caller {
            environment: BTreeMap::new(),
            script: Some(Box::new(script)),
            notices: Vec::new(),
            left_out: Vec::new(),
            kept: None,
        }
    }

    fn address(&self) -> Address {
        let address = &self.environment["JUJU_AGENT_SOCKET_ADDRESS"];
        Address::parse(&self.environment["JUJU_AGENT_SOCKET_NETWORK"], address).unwrap()
    }

    fn connect(&self) -> Connection {
        Connection::connect(&self.address()).unwrap()
    }

    fn call(&self, tool: &str, args: &[&str]) -> Reply {
        self.try_call(&self.environment["JUJU_CONTEXT_ID"], "/", tool, args)
            .unwrap()
    }

    fn try_call(
        &self,
        context_id: &str,
        dir: &str,
        tool: &str,
        args: &[&str],
    ) -> Result<Reply, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let call = Call {
            context_id,
            dir,
            tool,
            args: &args,
            stdin: None,
        };
        match self.connect().call(&call) {
            Ok(reply) => Ok(reply),
            Err(Error::Rpc { message, .. }) => Err(message),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Observer for Caller {
    fn dispatch_starts(&mut self, event: &str, environment: &[(String, String)]) {
        self.environment = environment.iter().cloned().collect();
        let mut script = self.script.take().unwrap();
        script(event, self);
        self.script = Some(script);
    }

    fn notice(&mut self, notice: &Notice) {
        self.notices.push(notice.clone());
    }

    fn dispatch_ends(&mut self, _record: &DispatchRecord) {
        self.kept = None;
    }

    fn event_left_out(&mut self, event: &str, _reason: &str) {
        self.left_out.push(event.to_owned());
    }
}

fn logs(report: &Report) -> Vec<String> {
    let lines = report.dispatches.iter().flat_map(|record| &record.logs);
    lines
        .map(|line| format!("{} {}", line.level.name(), line.message))
        .collect()
}

fn set_up_port(caller: &mut Caller) {
    assert_eq!(caller.call("status-set", &["active", "ready"]).code, 0);
    assert_eq!(caller.call("open-port", &["80"]).code, 0);
    assert_eq!(caller.call("opened-ports", &[]).stdout, b"80/tcp\n");
}

#[test]
fn a_life_goes_from_installation_to_removal() {
    let report = Charm::new("exit 0").run(&[]);
    let events: Vec<&str> = report
        .dispatches
        .iter()
        .map(|record| record.event.as_str())
        .collect();
    let wanted =
        "install leader-elected config-changed start update-status backup-action stop remove";
    assert_eq!(events.join(" "), wanted);
    assert!(report.succeeded());
    assert_eq!(report.model.unit_status.status, "terminated");
    assert_eq!(report.model.actions.len(), 1);
}

#[test]
fn a_dispatch_sees_only_what_the_agent_tells_it() {
    // A shell adds variables of its own; `env` shows what it was started with.
    let charm = Charm::new("tr '\\0' '\\n' < /proc/self/environ");
    let report = charm.run(&["config-changed", "action:backup"]);
    let seen = |record: &DispatchRecord| -> BTreeMap<String, String> {
        let pairs = record
            .logs
            .iter()
            .filter_map(|line| line.message.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let (hook, action) = (seen(&report.dispatches[0]), seen(&report.dispatches[1]));
    for (name, wanted) in [
        ("JUJU_DISPATCH_PATH", "hooks/config-changed"),
        ("JUJU_HOOK_NAME", "config-changed"),
        ("JUJU_UNIT_NAME", "demo/0"),
        ("JUJU_VERSION", "3.6.28"),
        ("JUJU_MACHINE_ID", "0"),
        ("JUJU_PRINCIPAL_UNIT", ""),
        ("LANG", "C.UTF-8"),
    ] {
        assert_eq!(hook.get(name).map(String::as_str), Some(wanted), "{name}");
    }
    for (name, wanted) in [
        ("JUJU_DISPATCH_PATH", "actions/backup"),
        ("JUJU_HOOK_NAME", ""),
        ("JUJU_ACTION_NAME", "backup"),
        ("JUJU_ACTION_UUID", "1"),
        ("JUJU_ACTION_TAG", "action-1"),
    ] {
        assert_eq!(action.get(name).map(String::as_str), Some(wanted), "{name}");
    }
    assert!(
        std::env::var_os("CARGO").is_some(),
        "the test has nothing to hide"
    );
    for name in ["CARGO", "HOME", "USER", "TMPDIR"] {
        assert!(!hook.contains_key(name), "{name} is passed on");
    }
    let context = hook["JUJU_CONTEXT_ID"]
        .strip_prefix("demo/0-config-changed-")
        .unwrap();
    assert!(context.len() == 32 && context.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(action["JUJU_CONTEXT_ID"].starts_with("demo/0-backup-"));
}

#[test]
fn the_charm_runs_in_a_copy_that_is_removed() {
    let charm = Charm::new("pwd; echo made > made; mkdir -p shut/in; chmod 500 shut");
    let report = charm.run(&["install"]);
    let dir = report.dispatches[0].logs[0].message.clone();
    assert!(dir.ends_with("/agents/unit-demo-0/charm"), "{dir}");
    let home = Path::new(&dir).ancestors().nth(3).unwrap();
    assert!(!home.exists(), "{} is left", home.display());
    assert!(!charm.dir.path().join("made").exists());
}

#[test]
fn nothing_is_left_of_a_simulation_that_cannot_start() {
    let home = tempfile::tempdir().unwrap();
    let charm = Charm::new("exit 0");
    // A process of its own, whose temporary directory can be looked into.
    let this = std::env::current_exe().unwrap();
    let status = std::process::Command::new(this)
        .args(["--exact", "--ignored", "refused_simulations", "--quiet"])
        .env("TMPDIR", home.path())
        .env("TEST_CHARM", charm.dir.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
#[ignore = "run by the test of what is left"]
fn refused_simulations() {
    let Some(target) = std::env::var_os("TEST_CHARM") else {
        return;
    };
    let options = |events: &[&str], config: &[(&str, &str)]| Options {
        target: PathBuf::from(&target),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        config: config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        ..Options::default()
    };
    assert!(run(&options(&["nope"], &[]), &mut ()).is_err());
    assert!(run(&options(&[], &[("nope", "1")]), &mut ()).is_err());
    assert!(run(&options(&["install"], &[("port", "1")]), &mut ()).is_ok());
}

#[test]
fn what_cannot_be_run_is_said_before_anything_runs() {
    let charm = Charm::new("exit 0");
    let project = Charm::without_dispatch();
    std::fs::rename(
        project.dir.path().join("metadata.yaml"),
        project.dir.path().join("charmcraft.yaml"),
    )
    .unwrap();
    let text = charm.file("x.charm", "no archive");
    let target = |target: &Path| Options {
        target: target.to_path_buf(),
        ..Options::default()
    };
    let config = |name: &str, value: &str| Options {
        config: vec![(name.to_owned(), value.to_owned())],
        ..charm.options(&[])
    };
    for (options, wanted) in [
        (
            target(Path::new("/nowhere")),
            "cannot run /nowhere: there is no such file or directory",
        ),
        (
            target(project.dir.path()),
            "it is a project and no charm yet: build it first",
        ),
        (target(&text), "x.charm"),
        (
            config("prot", "1"),
            "cannot set config \"prot\": the charm has no such option; it has port",
        ),
        (
            config("port", "x"),
            "cannot set config \"port\": it takes a whole number, and got \"x\"",
        ),
        (
            charm.options(&["config-change"]),
            "did you mean config-changed?",
        ),
        (
            charm.options(&["action:backup,count=x"]),
            "(root).count : must be of type integer, given \"x\"",
        ),
    ] {
        let error = run(&options, &mut ()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} does not say {wanted:?}");
    }
}

#[test]
fn a_hook_that_succeeds_is_applied() {
    let mut caller = Caller::new(|_, caller| set_up_port(caller));
    let report = run(&Charm::new("exit 0").options(&["install"]), &mut caller).unwrap();
    assert_eq!(report.model.ports, ["80/tcp"]);
    assert_eq!(report.model.unit_status.message, "ready");
}

#[test]
fn of_a_hook_that_fails_only_the_immediate_is_kept() {
    let charm = Charm::new("test \"$JUJU_HOOK_NAME\" != install || exit 7");
    let events = ["install", "start", "action:backup"];
    let mut caller = Caller::new(|event, caller| {
        if event == "install" {
            set_up_port(caller);
        }
    });
    let report = run(&charm.options(&events), &mut caller).unwrap();
    assert!(report.model.ports.is_empty());
    assert_eq!(report.model.unit_status.status, "error");
    assert_eq!(report.model.unit_status.message, "hook failed: \"install\"");
    // While a hook is in error only actions run.
    assert_eq!(caller.left_out, ["start"]);
    let ends: Vec<_> = report
        .dispatches
        .iter()
        .map(|record| (record.event.as_str(), record.exit_code))
        .collect();
    assert_eq!(ends, [("install", Some(7)), ("backup-action", Some(0))]);
    assert!(!report.succeeded());

    let mut caller = Caller::new(|event, caller| {
        if event == "install" {
            set_up_port(caller);
        }
    });
    let going_on = Options {
        keep_going: true,
        ..charm.options(&events)
    };
    let report = run(&going_on, &mut caller).unwrap();
    assert_eq!(report.dispatches.len(), 3);
    assert_eq!(report.model.unit_status.message, "ready");
}

#[test]
fn an_action_has_parameters_and_results() {
    let charm = Charm::new("echo out; echo err >&2; exit $(cat code)");
    let mut caller = Caller::new(|_, caller| {
        assert_eq!(caller.call("action-get", &["count"]).stdout, b"5\n");
        caller.call("action-set", &["file.name=x", "file.size=3"]);
        caller.call("action-log", &["half", "way"]);
    });
    for (code, status, message) in [("0", "completed", ""), ("4", "failed", "exit status 4")] {
        charm.file("code", code);
        let report = run(&charm.options(&["action:backup,count=5"]), &mut caller).unwrap();
        let wanted = json!({
            "name": "backup",
            "params": {"count": 5},
            "status": status,
            "message": message,
            "results": {
                "file": {"name": "x", "size": "3"},
                "return-code": code.parse::<i32>().unwrap(),
                "stdout": "out\n",
                "stderr": "err\n",
            },
            "log": ["half way"],
        });
        assert_eq!(
            serde_json::to_value(&report.model.actions[0]).unwrap(),
            wanted
        );
        // A failed action does not put the unit in error.
        assert_eq!(report.model.unit_status.status, "waiting");
    }
}

#[test]
fn an_action_can_fail_by_saying_so() {
    let mut caller = Caller::new(|_, caller| {
        caller.call("action-fail", &["no space"]);
        caller.call("open-port", &["80"]);
    });
    let report = run(
        &Charm::new("exit 0").options(&["action:backup"]),
        &mut caller,
    )
    .unwrap();
    assert_eq!(report.model.actions[0].status, "failed");
    assert_eq!(report.model.actions[0].message, "no space");
    // The process succeeded, and so its changes count.
    assert_eq!(report.model.ports, ["80/tcp"]);
    assert!(!report.succeeded());
}

#[test]
fn calls_that_are_no_calls_of_this_hook_are_refused() {
    let mut stale = String::new();
    let mut caller = Caller::new(move |_, caller| {
        let id = caller.environment["JUJU_CONTEXT_ID"].clone();
        for (context, dir, tool, wanted) in [
            (
                "x",
                "/",
                "is-leader",
                "bad request: wrong context ID; got \"x\"",
            ),
            (&id, "here", "is-leader", "bad request: Dir is not absolute"),
            (&id, "/", "", "bad request: command not specified"),
            (
                &id,
                "/",
                "relation-ids",
                "bad request: unknown command: relation-ids",
            ),
        ] {
            assert_eq!(
                caller.try_call(context, dir, tool, &[]),
                Err(wanted.to_owned())
            );
        }
        let refused = caller.try_call(&id, "/", "state-set", &["--file", "-"]);
        assert_eq!(
            refused,
            Err("hook tool requires stdin, none supplied".to_owned())
        );
        if !stale.is_empty() {
            let refused = caller.try_call(&stale, "/", "is-leader", &[]).unwrap_err();
            assert!(
                refused.starts_with("bad request: wrong context ID"),
                "{refused}"
            );
        }
        stale = id;
    });
    let report = run(
        &Charm::new("exit 0").options(&["install", "start"]),
        &mut caller,
    )
    .unwrap();
    // Calls of nobody are not the hook's; the others are on record.
    let calls: Vec<_> = report.dispatches[0]
        .hook_tools
        .iter()
        .map(|call| call.tool.as_str())
        .collect();
    assert_eq!(calls, ["is-leader", "", "relation-ids", "state-set"]);
}

#[test]
fn several_connections_are_served_at_once() {
    let mut caller = Caller::new(|_, caller| {
        let id = caller.environment["JUJU_CONTEXT_ID"].clone();
        let idle = caller.connect();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (address, id) = (caller.address(), id.clone());
                std::thread::spawn(move || {
                    let mut connection = Connection::connect(&address).unwrap();
                    for place in 0..50 {
                        let args = [format!("k{thread}-{place}=v")];
                        let call = Call {
                            context_id: &id,
                            dir: "/",
                            tool: "state-set",
                            args: &args,
                            stdin: None,
                        };
                        assert_eq!(connection.call(&call).unwrap().code, 0);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(idle);
        let state = caller.call("state-get", &["--format=json"]).stdout;
        let state: Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(state.as_object().unwrap().len(), 200);
    });
    let report = run(&Charm::new("exit 0").options(&["install"]), &mut caller).unwrap();
    assert_eq!(report.dispatches[0].hook_tools.len(), 201);
}

#[test]
fn a_connection_that_stays_open_is_waited_for_and_reported() {
    let mut caller = Caller::new(|_, caller| caller.kept = Some(caller.connect()));
    let started = Instant::now();
    let report = run(&Charm::new("exit 0").options(&["install"]), &mut caller).unwrap();
    let waited = started.elapsed();
    assert!(
        waited >= Duration::from_secs(5) && waited < Duration::from_secs(8),
        "{waited:?}"
    );
    let logs = logs(&report);
    let process = format!(
        "(process {}) keeps a connection to the agent open",
        std::process::id()
    );
    assert!(
        logs[0].starts_with("WARNING ") && logs[0].contains(&process),
        "{logs:?}"
    );
    assert!(report.succeeded());
}

#[test]
fn the_socket_is_private_and_gone_after_the_hook() {
    let mut sockets = Vec::new();
    let mut caller = Caller::new(move |_, caller| {
        let socket = PathBuf::from(&caller.environment["JUJU_AGENT_SOCKET_ADDRESS"]);
        for path in [socket.as_path(), socket.parent().unwrap()] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        sockets.push(socket);
    });
    let charm = Charm::new("test -S \"$JUJU_AGENT_SOCKET_ADDRESS\"");
    assert!(
        run(&charm.options(&["install", "start"]), &mut caller)
            .unwrap()
            .succeeded()
    );
    assert!(!Path::new(&caller.environment["JUJU_AGENT_SOCKET_ADDRESS"]).exists());
}

#[test]
fn output_is_logged() {
    let report = Charm::new("echo one; sleep 0.05; echo two >&2").run(&["install"]);
    assert_eq!(logs(&report), ["DEBUG one", "WARNING two"]);
}

#[test]
fn a_dispatch_without_end_is_killed() {
    let charm = Charm::new("sleep 60");
    let options = Options {
        limit: Some(Duration::from_millis(200)),
        ..charm.options(&["install"])
    };
    let report = run(&options, &mut ()).unwrap();
    let record = &report.dispatches[0];
    assert_eq!(record.exit_code, None);
    let reason = "it ran longer than 0.2 s and was killed";
    assert_eq!(record.outcome, Outcome::Failed(reason.to_owned()));
    assert_eq!(
        logs(&report),
        [format!("ERROR hook \"install\" failed: {reason}")]
    );
}

#[test]
fn deaths_by_signal_are_reported() {
    for (signal, outcome, status) in [
        ("KILL", Outcome::Interrupted, "maintenance"),
        ("TERM", Outcome::Interrupted, "maintenance"),
        (
            "SEGV",
            Outcome::Failed("killed by signal 11".to_owned()),
            "error",
        ),
    ] {
        let report = Charm::new(&format!("kill -{signal} $$")).run(&["install"]);
        let record = &report.dispatches[0];
        assert_eq!(
            (&record.outcome, record.exit_code),
            (&outcome, None),
            "{signal}"
        );
        assert_eq!(report.model.unit_status.status, status, "{signal}");
        assert_eq!(record.logs.len(), 1, "{signal}");
    }
}

#[test]
fn without_dispatch_the_program_of_the_event_runs() {
    let charm = Charm::without_dispatch();
    charm.program("hooks/install", "echo legacy");
    let mut caller = Caller::new(|_, _| {});
    let report = run(
        &charm.options(&["install", "start", "action:backup"]),
        &mut caller,
    )
    .unwrap();
    assert_eq!(logs(&report), ["DEBUG legacy"]);
    // A hook may be missing, an action may not.
    assert_eq!(caller.left_out, ["start", "backup-action"]);
    assert_eq!(report.model.unit_status.status, "unknown");
    assert_eq!(
        report.model.actions[0].message,
        "action not implemented on unit \"demo/0\""
    );
}

#[test]
fn a_program_that_cannot_be_executed_fails_the_hook() {
    let charm = Charm::without_dispatch();
    charm.file("dispatch", "#!/bin/sh\n");
    charm.program("hooks/install", "exit 0");
    let report = charm.run(&["install"]);
    let reason =
        "cannot run dispatch: permission denied; make it executable with chmod +x dispatch";
    assert_eq!(
        report.dispatches[0].outcome,
        Outcome::Failed(reason.to_owned())
    );

    let charm = Charm::without_dispatch();
    let path = charm.file("dispatch", "#!/no/such/shell\n");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = charm.run(&["install"]);
    assert!(
        logs(&report)[0].contains("cannot run dispatch: No such file"),
        "{:?}",
        logs(&report)
    );
}

#[test]
fn kubernetes_refuses_icmp_only_when_the_hook_is_over() {
    let charm = Charm::new("exit 0");
    charm.file("metadata.yaml", "name: demo\ncontainers: {app: }\n");
    let mut caller = Caller::new(|_, caller| {
        assert_eq!(caller.call("open-port", &["icmp"]).code, 0);
        assert_eq!(caller.call("open-port", &["80-90"]).code, 1);
        assert_eq!(caller.environment["JUJU_WORKLOAD_NAME"], "app");
    });
    let report = run(&charm.options(&["app-pebble-ready"]), &mut caller).unwrap();
    assert_eq!(report.dispatches[0].exit_code, Some(0));
    assert_eq!(
        report.model.unit_status.message,
        "hook failed: \"app-pebble-ready\""
    );
    assert!(report.model.ports.is_empty());
}

#[test]
fn hook_tools_are_programs_too() {
    let charm = Charm::new("readlink \"${PATH%%:*}/status-set\"");
    let options = Options {
        hook_tool: Some("/some/hook-tool".into()),
        ..charm.options(&["install"])
    };
    assert_eq!(
        logs(&run(&options, &mut ()).unwrap()),
        ["DEBUG /some/hook-tool"]
    );
}

#[test]
fn the_report_has_a_fixed_shape() {
    let mut caller = Caller::new(|_, caller| {
        caller.call("juju-log", &["hi"]);
        caller.call("config-get", &["port"]);
        let id = caller.environment["JUJU_CONTEXT_ID"].clone();
        caller.try_call(&id, "/", "goal-state", &[]).unwrap_err();
    });
    let report = run(
        &Charm::new("exit 0").options(&["config-changed"]),
        &mut caller,
    )
    .unwrap();
    let mut report = serde_json::to_value(&report).unwrap();
    let duration = report["dispatches"][0]["duration_ms"].take();
    assert!(duration.as_f64().unwrap() > 0.0);
    let wanted = json!({
        "dispatches": [{
            "event": "config-changed",
            "exit_code": 0,
            "duration_ms": null,
            "hook_tools": [
                {"tool": "juju-log", "args": ["hi"], "stdin": null, "exit_code": 0, "stdout": ""},
                {"tool": "config-get", "args": ["port"], "stdin": null, "exit_code": 0, "stdout": "80\n"},
                {
                    "tool": "goal-state", "args": [], "stdin": null, "exit_code": null, "stdout": "",
                    "rpc_error": "bad request: unknown command: goal-state",
                },
            ],
            "logs": [{"level": "INFO", "message": "hi"}],
            "deferred": [],
        }],
        "model": {
            "unit": "demo/0",
            "config": {"port": 80},
            "leader": true,
            "unit_status": {"status": "waiting", "message": "agent initialising"},
            "app_status": {"status": "waiting", "message": "agent initialising"},
            "ports": [],
            "workload_version": null,
            "actions": [],
        },
    });
    assert_eq!(report, wanted);
}
