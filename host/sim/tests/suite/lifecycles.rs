//! Lifecycles of units: what a charm sees, and what is reported of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_archive::{Entry, Mode, pack};
use charmhost_sim::{DispatchRecord, Options, run};
use serde_json::json;

use crate::support::{Caller, Charm, logs};

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
        .args([
            "--exact",
            "--ignored",
            "lifecycles::refused_simulations",
            "--quiet",
        ])
        .env("TMPDIR", home.path())
        .env("TEST_CHARM", charm.dir.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert!(
        charm.dir.path().join("ran").exists(),
        "nothing was simulated"
    );
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
    std::fs::write(PathBuf::from(&target).join("ran"), "").unwrap();
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
fn the_report_has_a_fixed_shape() {
    let mut caller = Caller::new(|_, caller| {
        caller.call("juju-log", &["hi"]);
        caller.call("config-get", &["port"]);
        let id = caller.environment["JUJU_CONTEXT_ID"].clone();
        caller.try_call(&id, "/", "pod-spec-set", &[]).unwrap_err();
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
                    "tool": "pod-spec-set", "args": [], "stdin": null, "exit_code": null, "stdout": "",
                    "rpc_error": "bad request: unknown command: pod-spec-set",
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
            "relations": [],
            "secrets": [],
            "storages": {},
            "storage_requests": [],
            "state": {},
            "reboot": false,
            "containers": [],
            "actions": [],
        },
        "unmet": [],
    });
    assert_eq!(report, wanted);
}

#[test]
fn an_archive_runs_as_a_directory_does() {
    let charm = Charm::new("cat greeting");
    charm.file("greeting", "hello");
    let archive = charm.dir.path().join("demo.charm");
    let data = |name: &str| Entry::data(name, std::fs::read(charm.dir.path().join(name)).unwrap());
    let mut entries: Vec<Entry> = ["metadata.yaml", "greeting"].map(data).into();
    let program = Entry {
        mode: Mode::Executable,
        ..data("dispatch")
    };
    entries.push(program);
    pack(&archive, entries).unwrap();
    let options = Options {
        target: archive,
        ..charm.options(&["install"])
    };
    assert_eq!(logs(&run(&options, &mut ()).unwrap()), ["DEBUG hello"]);
}
