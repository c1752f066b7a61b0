//! How long a hook tool takes to answer: `cargo run --release --example
//! round_trip`. The client is a thread of the same process, on a connection of its own.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints its result, and stops at the first problem"
)]

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use charmhost_jujuc::{Address, Call, Connection};
use charmhost_sim::{Observer, Options, run};

struct Client;

impl Observer for Client {
    fn dispatch_starts(&mut self, _event: &str, environment: &[(String, String)]) {
        let var = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| key == name)
                .unwrap()
                .1
                .clone()
        };
        let address = Address::parse("unix", &var("JUJU_AGENT_SOCKET_ADDRESS")).unwrap();
        let context_id = var("JUJU_CONTEXT_ID");
        // Beside the agent, which watches the sleeping charm meanwhile.
        std::thread::spawn(move || measure(&address, &context_id));
    }
}

fn measure(address: &Address, context_id: &str) {
    let args = ["--format=json".to_owned()];
    let call = Call {
        context_id,
        dir: "/",
        tool: "config-get",
        args: &args,
        stdin: None,
    };
    let mut connection = Connection::connect(address).unwrap();
    let mut times: Vec<f64> = (0..20_000)
        .map(|_| {
            let started = Instant::now();
            connection.call(&call).unwrap();
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "config-get: median {:.1} µs, 10 % {:.1} µs, 99 % {:.1} µs",
        at(50),
        at(10),
        at(99)
    );
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let dispatch = dir.path().join("dispatch");
    std::fs::write(dir.path().join("metadata.yaml"), "name: x\n").unwrap();
    std::fs::write(
        dir.path().join("config.yaml"),
        "options: {port: {type: int, default: 80}}\n",
    )
    .unwrap();
    std::fs::write(&dispatch, "#!/bin/sh\nsleep 5\n").unwrap();
    std::fs::set_permissions(&dispatch, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options {
        target: dir.path().to_path_buf(),
        events: vec!["install".to_owned()],
        ..Options::default()
    };
    run(&options, &mut Client).unwrap();
}
