//! The agent's socket, and who may call what on it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use charmhost_jujuc::{Call, Connection};
use charmhost_sim::{Options, run};
use serde_json::Value;

use crate::support::{Caller, Charm, logs};

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
                "pod-spec-set",
                "bad request: unknown command: pod-spec-set",
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
    assert_eq!(calls, ["is-leader", "", "pod-spec-set"]);
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
                    for index in 0..50 {
                        let args = [format!("k{thread}-{index}=v")];
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
    let mut caller = Caller::new(|_, caller| {
        let socket = PathBuf::from(&caller.environment["JUJU_AGENT_SOCKET_ADDRESS"]);
        for path in [socket.as_path(), socket.parent().unwrap()] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
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
fn hook_tools_are_programs_too() {
    let charm = Charm::new("basename \"$(command -v status-set)\"; relation-ids");
    charm.program("tool", "echo \"as $(basename \"$0\")\"");
    let options = Options {
        hook_tool: Some(charm.dir.path().join("tool")),
        ..charm.options(&["install"])
    };
    assert_eq!(
        logs(&run(&options, &mut ()).unwrap()),
        ["DEBUG status-set", "DEBUG as relation-ids"]
    );
}
