//! The agent's socket, and programs where it cannot be used.

use std::os::unix::net::UnixListener;

use super::{GUEST, calls, path_with, scripts, written};
use crate::support::{Agent, Dispatch, copy};

/// An agent whose socket cannot be used.
enum BadAgent {
    NoSocket,
    Refuses,
    Garbage,
    Tcp,
}

#[test]
fn programs_replace_an_agent_that_cannot_be_used_and_it_is_logged_once() {
    for (name, bad, version) in [
        ("no socket", BadAgent::NoSocket, "3.6.28"),
        ("no listener", BadAgent::Refuses, "3.6.28"),
        ("another protocol", BadAgent::Garbage, "9.9.9"),
        ("tcp", BadAgent::Tcp, "3.6.28"),
    ] {
        let charm = copy(GUEST);
        let scripts = scripts(&calls(&[vec!["is-leader"]], None), None);
        let agent = Agent::raw(|mut stream| {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let other = scripts.path().join("agent.socket");
        let mut dispatch = Dispatch::new(charm.path(), "actions/run", &agent)
            .var("JUJU_VERSION", version)
            .var("PATH", &path_with(scripts.path()));
        match bad {
            BadAgent::Garbage => {}
            BadAgent::NoSocket => {
                dispatch = dispatch.var("JUJU_AGENT_SOCKET_ADDRESS", other.to_str().unwrap());
            }
            BadAgent::Refuses => {
                drop(UnixListener::bind(&other).unwrap());
                dispatch = dispatch.var("JUJU_AGENT_SOCKET_ADDRESS", other.to_str().unwrap());
            }
            BadAgent::Tcp => {
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
fn a_call_that_the_agent_may_have_run_is_not_repeated_by_a_program() {
    let charm = copy(GUEST);
    let scripts = scripts(&calls(&[vec!["is-leader"]], None), None);
    let agent = Agent::raw(|mut stream| {
        // It reads the call and closes the connection.
        use std::io::Read;
        let _ = stream.read(&mut [0; 4096]);
    });
    let ended = Dispatch::new(charm.path(), "actions/run", &agent)
        .var("PATH", &path_with(scripts.path()))
        .run();
    assert_eq!(written(&scripts), [""; 0], "{}", ended.stderr);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}
