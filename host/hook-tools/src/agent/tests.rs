//! Which transport is used, and how long an agent that does not answer delays a
//! dispatch.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_jujuc::{Reply, Request, serve_connection};

use super::*;

fn no_stderr() -> Stderr {
    Stderr::new(std::io::sink())
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// Creates a directory with tools that record their calls.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\necho \"$(basename $0) $*\" >> {}/calls\n",
            dir.path().display()
        );
        for tool in ["juju-log", "is-leader", "status-set"] {
            let path = dir.path().join(tool);
            std::fs::write(&path, &script).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Bench { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn listener(&self) -> UnixListener {
        UnixListener::bind(self.path().join("agent.socket")).unwrap()
    }

    /// Serves each connection by a function.
    fn serve(&self, serve: impl Fn(UnixStream) + Send + Sync + 'static) {
        let listener = self.listener();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap());
            }
        });
    }

    fn options(&self, version: &str) -> AgentOptions {
        AgentOptions {
            agent: Ok(AgentSocket {
                network: "unix".to_owned(),
                address: self.path().join("agent.socket").display().to_string(),
                context_id: "id".to_owned(),
            }),
            charm_dir: self.path().to_path_buf(),
            juju_version: version.to_owned(),
            path: Some(self.path().into()),
            choice: String::new(),
        }
    }

    fn transport(&self, version: &str) -> AgentTransport {
        AgentTransport::new(self.options(version), no_stderr()).unwrap()
    }

    /// The programs that were run, as `tool args`.
    fn programs(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

/// Serves an agent that answers; returns its calls.
fn answering(bench: &Bench) -> Arc<Mutex<Vec<String>>> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    bench.serve(move |stream| {
        let _ = serve_connection(stream, |request: Request| {
            let call = format!("{} {}", request.tool, request.args.join(" "));
            seen.lock().unwrap().push(call);
            Ok(Reply::default())
        });
    });
    calls
}

fn run(transport: &mut AgentTransport, tool: &str) -> Result<ToolOutput, ToolError> {
    transport.run(tool, &["x".to_owned()], None)
}

#[test]
fn an_agent_that_answers_is_called_and_no_program_runs() {
    for (version, wanted) in [
        ("3.6.28", vec!["is-leader x"]),
        (
            "9.9.9",
            vec![
                "is-leader x",
                "juju-log --log-level DEBUG -- charmhost was not tried with the hook tools of Juju 9.9.9; its agent speaks the same protocol.",
            ],
        ),
    ] {
        let bench = Bench::new();
        let calls = answering(&bench);
        let mut transport = bench.transport(version);
        run(&mut transport, "is-leader").unwrap();
        assert_eq!(*calls.lock().unwrap(), wanted, "{version}");
        assert!(bench.programs().is_empty());
    }
}

/// Answers the first bytes of a connection with other bytes, and closes it.
fn answers(bytes: &'static [u8]) -> impl Fn(UnixStream) + Send + Sync {
    move |mut stream| {
        use std::io::Read;
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(bytes);
    }
}

#[test]
fn programs_run_if_the_agent_speaks_another_protocol_and_it_is_logged_once() {
    type Setup = fn(&Bench);
    let table: [(&str, &str, Setup); 7] = [
        ("no socket", "3.6.28", |_| {}),
        ("nobody listens", "3.6.28", |bench| drop(bench.listener())),
        ("no socket, another version", "9.9.9", |_| {}),
        ("closes at once", "9.9.9", |bench| bench.serve(drop)),
        ("garbage", "9.9.9", |bench| {
            bench.serve(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }),
        ("another length", "9.9.9", |bench| {
            bench.serve(answers(&[0xff; 64]))
        }),
        ("closes after the call", "9.9.9", |bench| {
            bench.serve(answers(b""))
        }),
    ];
    for (name, version, setup) in table {
        let bench = Bench::new();
        setup(&bench);
        let mut transport = bench.transport(version);
        run(&mut transport, "is-leader").unwrap();
        run(&mut transport, "status-set").unwrap();
        let programs = bench.programs();
        let [first, log, last] = programs.as_slice() else {
            panic!("{name}: {programs:?}");
        };
        assert_eq!(
            (first.as_str(), last.as_str()),
            ("is-leader x", "status-set x"),
            "{name}"
        );
        let wanted = "juju-log --log-level INFO -- Running the hook tools on PATH instead of calling the agent: cannot ";
        assert!(log.starts_with(wanted), "{name}: {log}");
    }
}

#[test]
fn a_method_that_the_agent_does_not_have_has_not_run() {
    // A server of the same kind whose method has another name.
    let bench = Bench::new();
    bench.serve(|stream| {
        let _ = serve_connection(stream, |_| {
            Err("rpc: can't find method Jujuc.Main".to_owned())
        });
    });
    let mut transport = bench.transport("3.6.28");
    run(&mut transport, "is-leader").unwrap();
    assert_eq!(bench.programs().len(), 2);
}

#[test]
fn what_may_have_run_is_not_run_again() {
    type Serve = Box<dyn Fn(UnixStream) + Send + Sync>;
    let table: [(&str, Serve); 3] = [
        (
            "garbage",
            Box::new(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        ),
        ("closed", Box::new(answers(b""))),
        (
            "closed after the first answer",
            Box::new(|stream| {
                let mut calls = 0;
                let copy = stream.try_clone().unwrap();
                let _ = serve_connection(stream, |_| {
                    calls += 1;
                    if calls > 1 {
                        let _ = copy.shutdown(std::net::Shutdown::Both);
                    }
                    Ok(Reply::default())
                });
            }),
        ),
    ];
    for (name, serve) in table {
        let bench = Bench::new();
        bench.serve(serve);
        let mut transport = bench.transport("3.6.28");
        let first = run(&mut transport, "is-leader");
        assert_eq!(
            first.is_ok(),
            name == "closed after the first answer",
            "{name}: {first:?}"
        );
        let second = run(&mut transport, "status-set").unwrap_err();
        assert!(
            matches!(second, ToolError::Unreachable { .. }),
            "{name}: {second}"
        );
        assert!(bench.programs().is_empty(), "{name}");
    }
}

#[test]
fn a_transport_that_is_forced_is_the_only_one() {
    let bench = Bench::new();
    let options = AgentOptions {
        choice: "rpc".to_owned(),
        ..bench.options("9.9.9")
    };
    let mut forced = AgentTransport::new(options, no_stderr()).unwrap();
    assert!(run(&mut forced, "is-leader").is_err());
    assert!(bench.programs().is_empty());
    let calls = answering(&bench);
    let options = AgentOptions {
        choice: "exec".to_owned(),
        ..bench.options("3.6.28")
    };
    run(
        &mut AgentTransport::new(options, no_stderr()).unwrap(),
        "is-leader",
    )
    .unwrap();
    assert_eq!(bench.programs(), ["is-leader x"]);
    assert!(calls.lock().unwrap().is_empty());
    let options = AgentOptions {
        choice: "both".to_owned(),
        ..bench.options("3.6.28")
    };
    let error = AgentTransport::new(options, no_stderr()).err().unwrap();
    assert!(matches!(error, TransportError::UnknownChoice(_)));
}

#[test]
fn an_agent_that_cannot_be_reached_is_named_without_programs() {
    let bench = Bench::new();
    for (network, missing, has_tools, wanted) in [
        ("tcp", None, false, Some("only pod-spec charms")),
        ("tcp", None, true, None),
        (
            "unix",
            Some("JUJU_CONTEXT_ID"),
            false,
            Some("JUJU_CONTEXT_ID is not set"),
        ),
        ("unix", Some("JUJU_CONTEXT_ID"), true, None),
    ] {
        let mut options = bench.options("3.6.28");
        if let Ok(agent) = &mut options.agent {
            agent.network = network.to_owned();
        }
        if let Some(missing) = missing {
            options.agent = Err(missing);
        }
        if !has_tools {
            options.path = None;
        }
        match (AgentTransport::new(options, no_stderr()), wanted) {
            (Ok(mut transport), None) => {
                run(&mut transport, "is-leader").unwrap();
            }
            (Err(error), Some(wanted)) => assert!(error.to_string().contains(wanted), "{error}"),
            (made, wanted) => panic!("{network} {missing:?}: {} {wanted:?}", made.is_ok()),
        }
    }
}

#[test]
fn calls_end_at_their_limit_and_a_silent_agent_is_given_up() {
    type Serve = fn(UnixStream);
    let table: [(&str, Serve); 4] = [
        ("never answers", |stream| std::mem::forget(stream)),
        ("half an answer", |mut stream| {
            let _ = stream.write_all(&[0x39, 0x7f, 0x03]);
            std::mem::forget(stream);
        }),
        ("trickles", |mut stream| {
            // The longest message, byte by byte.
            let _ = stream.write_all(&[0xfd, 0x01, 0x00, 0x00]);
            std::thread::spawn(move || {
                while stream.write_all(&[1]).is_ok() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
        }),
        ("floods", |mut stream| {
            let _ = stream.write_all(&[0xfc, 0x03, 0x00, 0x00, 0x00]);
            std::thread::spawn(move || while stream.write_all(&[1; 65536]).is_ok() {});
        }),
    ];
    for (name, serve) in table {
        let bench = Bench::new();
        bench.serve(serve);
        let mut transport = bench.transport("3.6.28");
        transport.set_timeout(Some(Duration::from_millis(400)));
        let started = Instant::now();
        let error = run(&mut transport, "is-leader").unwrap_err();
        let wanted = "cannot run is-leader: the agent has not answered for 0.4 s (limits.hook-tool-seconds of the operator)";
        match name {
            "floods" => assert!(matches!(
                error,
                ToolError::Timeout { .. } | ToolError::Unreachable { .. }
            )),
            _ => assert_eq!(error.to_string(), wanted, "{name}"),
        }
        // Of all later calls, together no more than the grace.
        for _ in 0..10 {
            assert!(run(&mut transport, "status-set").is_err());
        }
        let most = Duration::from_secs(5);
        assert!(started.elapsed() < most, "{name}: {:?}", started.elapsed());
        assert!(bench.programs().is_empty(), "{name}");
    }
}

#[test]
fn a_slow_answer_is_logged_once_it_is_there() {
    let bench = Bench::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    bench.serve(move |stream| {
        let _ = serve_connection(stream, |request: Request| {
            if request.tool == "is-leader" {
                std::thread::sleep(Duration::from_millis(300));
            }
            seen.lock().unwrap().push(request.args.join(" "));
            Ok(Reply::default())
        });
    });
    let mut transport = bench.transport("3.6.28");
    transport.slow = Duration::from_millis(50);
    run(&mut transport, "status-set").unwrap();
    run(&mut transport, "is-leader").unwrap();
    run(&mut transport, "status-set").unwrap();
    let wanted = "--log-level WARNING -- The Juju agent took 0 s to answer is-leader.";
    assert_eq!(*calls.lock().unwrap(), ["x", "x", wanted, "x"]);
}

#[test]
fn an_agent_that_answers_again_has_its_whole_time_again() {
    let bench = Bench::new();
    let silent = Arc::new(Mutex::new(true));
    let is_silent = Arc::clone(&silent);
    bench.serve(move |stream| {
        if *is_silent.lock().unwrap() {
            return std::mem::forget(stream);
        }
        let _ = serve_connection(stream, |_| {
            std::thread::sleep(Duration::from_millis(200));
            Ok(Reply::default())
        });
    });
    let mut transport = bench.transport("3.6.28");
    transport.set_timeout(Some(Duration::from_secs(2)));
    assert!(run(&mut transport, "is-leader").is_err());
    *silent.lock().unwrap() = false;
    for _ in 0..8 {
        run(&mut transport, "is-leader").unwrap();
    }
}

#[test]
fn a_connection_that_failed_is_not_used_again() {
    let bench = Bench::new();
    bench.serve(|stream| {
        // Each connection is good for one call.
        let ours = stream.try_clone().unwrap();
        let mut calls = 0;
        let _ = serve_connection(stream, move |_| {
            calls += 1;
            if calls > 1 {
                let _ = ours.shutdown(std::net::Shutdown::Both);
            }
            Ok(Reply::default())
        });
    });
    let mut transport = bench.transport("3.6.28");
    let answered: Vec<bool> = (0..6)
        .map(|_| run(&mut transport, "is-leader").is_ok())
        .collect();
    assert_eq!(answered, [true, false, true, false, true, false]);
}

#[test]
fn an_agent_has_the_tools_of_its_programs_or_of_its_version() {
    let bench = Bench::new();
    for choice in ["", "rpc", "exec"] {
        let options = AgentOptions {
            choice: choice.to_owned(),
            ..bench.options("3.6.28")
        };
        let transport = AgentTransport::new(options, no_stderr()).unwrap();
        for (tool, wanted) in [
            ("is-leader", true),
            ("config-get", false),
            ("sh", false),
            ("../juju-log", false),
        ] {
            assert_eq!(transport.has(tool), wanted, "{choice} {tool}");
        }
    }
    for (version, tool, wanted) in [
        ("3.6.28", "secret-add", true),
        ("2.9.52", "secret-add", false),
        ("3.6.28", "pod-spec-set", true),
        ("4.0.1", "pod-spec-set", false),
        ("4.0.1", "new-tool", false),
    ] {
        let options = AgentOptions {
            path: None,
            ..bench.options(version)
        };
        let transport = AgentTransport::new(options, no_stderr()).unwrap();
        assert_eq!(transport.has(tool), wanted, "{version} {tool}");
    }
}
