//! Many dispatches of one unit with a charm that defers events: neither its state
//! nor the memory and CPU time of a dispatch may grow.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use charmhost_jujuc::{Reply, Request, serve_connection};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;

/// How many dispatches make a round; the first round is compared with the last.
const ROUND: usize = 1000;
/// By how much a round may differ from another by chance.
const CHANCE: f64 = 1.25;

const HOOKS: [&str; 4] = ["config-changed", "start", "update-status", "leader-elected"];
const HANDLERS: [&str; 4] = [
    "config_changed",
    "start_first",
    "start_second",
    "leader_elected",
];

/// The variable with which this program runs itself: the charm's directory.
const CHARM: &str = "SOAK_CHARM";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The system reports the maximum memory of all children, so another process runs
/// the dispatches: the compiler is not its child.
fn run() -> anyhow::Result<bool> {
    let dispatches = std::env::args().nth(1).unwrap_or("20000".to_owned());
    if let Some(charm) = std::env::var_os(CHARM) {
        return soak(charm.into(), dispatches.parse()?);
    }
    let mut itself = Command::new(std::env::current_exe()?);
    let status = itself.arg(dispatches).env(CHARM, build()?).status()?;
    Ok(status.success())
}

/// What is measured over a round.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// The largest size of the state, in bytes.
    file: u64,
    /// The most memory that any dispatch so far has had, in KiB.
    memory: i64,
    /// The processor time of all dispatches.
    time: Duration,
}

fn soak(charm: PathBuf, dispatches: usize) -> anyhow::Result<bool> {
    let rounds = dispatches.div_ceil(ROUND).max(2);
    let unit = Unit::new(charm)?;
    let mut done: Vec<Round> = Vec::new();
    for round in 0..rounds {
        let measured = unit.round(round)?;
        println!(
            "{} dispatches: state {} bytes, memory {} KiB, {:.2} ms of processor time each",
            (round + 1) * ROUND,
            measured.file,
            measured.memory,
            measured.time.as_secs_f64() * 1000.0 / ROUND as f64
        );
        done.push(measured);
    }
    let (Some(first), Some(last)) = (done.first(), done.last()) else {
        bail!("nothing was measured");
    };
    let ratios = [
        ("state", last.file as f64 / first.file as f64),
        ("memory", last.memory as f64 / first.memory as f64),
        ("time", last.time.as_secs_f64() / first.time.as_secs_f64()),
    ];
    let shown: Vec<String> = ratios
        .iter()
        .map(|(what, ratio)| format!("{what} {ratio:.2}x"))
        .collect();
    println!(
        "{} dispatches, last round against first: {}",
        rounds * ROUND,
        shown.join(", ")
    );
    Ok(ratios.iter().all(|(_, ratio)| *ratio < CHANCE))
}

struct Unit {
    dir: PathBuf,
    socket: PathBuf,
    /// The handlers that defer now.
    defer: Arc<Mutex<String>>,
    _agent: tempfile::TempDir,
}

/// Builds the charm and returns its directory.
fn build() -> anyhow::Result<PathBuf> {
    let dir = charmhost_tests::build("tests/guests/queue", "soak")?;
    let metadata =
        "name: queue\nrequires: {db: {interface: pg}}\nstorage: {data: {type: filesystem}}\n";
    std::fs::write(dir.join("metadata.yaml"), metadata)?;
    Ok(dir)
}

impl Unit {
    fn new(dir: PathBuf) -> anyhow::Result<Self> {
        let agent = tempfile::tempdir()?;
        let socket = agent.path().join("agent.socket");
        let defer = Arc::default();
        serve(UnixListener::bind(&socket)?, &defer);
        Ok(Unit {
            dir,
            socket,
            defer,
            _agent: agent,
        })
    }

    fn round(&self, round: usize) -> anyhow::Result<Round> {
        let before = usage()?;
        let mut file = 0;
        for number in round * ROUND..(round + 1) * ROUND {
            // Each handler defers in half of the dispatches, in an order that
            // does not repeat soon; from time to time nothing is deferred.
            let bits = number.wrapping_mul(0x9E37_79B9) >> 7;
            let defers = |index: &usize| number % 50 != 0 && bits >> index & 1 == 1;
            let handlers = (0..HANDLERS.len())
                .filter(defers)
                .map(|index| HANDLERS[index]);
            *self.defer.lock().unwrap_or_else(PoisonError::into_inner) =
                handlers.collect::<Vec<_>>().join(" ");
            self.dispatch(HOOKS[number % HOOKS.len()])?;
            file = file.max(std::fs::metadata(self.dir.join(".unit-state.db"))?.len());
        }
        let after = usage()?;
        Ok(Round {
            file,
            memory: after.1,
            time: after.0.saturating_sub(before.0),
        })
    }

    fn dispatch(&self, hook: &str) -> anyhow::Result<()> {
        let mut dispatch = Command::new("./dispatch");
        dispatch
            .current_dir(&self.dir)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (key, value) in [
            ("JUJU_DISPATCH_PATH", format!("hooks/{hook}")),
            ("JUJU_HOOK_NAME", hook.to_owned()),
            ("JUJU_CHARM_DIR", self.dir.display().to_string()),
            ("JUJU_CONTEXT_ID", "queue/0-hook-1".to_owned()),
            (
                "JUJU_AGENT_SOCKET_ADDRESS",
                self.socket.display().to_string(),
            ),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
            ("JUJU_UNIT_NAME", "queue/0".to_owned()),
            ("JUJU_MODEL_NAME", "model".to_owned()),
            (
                "JUJU_MODEL_UUID",
                "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a".to_owned(),
            ),
            ("JUJU_VERSION", "3.6.28".to_owned()),
        ] {
            dispatch.env(key, value);
        }
        let status = dispatch.status().context("cannot run dispatch")?;
        if !status.success() {
            bail!("{hook} failed: {status}");
        }
        Ok(())
    }
}

/// The processor time of all dispatches so far, and the most memory of any.
fn usage() -> anyhow::Result<(Duration, i64)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: nix::sys::time::TimeVal| {
        let micros = value.tv_sec() * 1_000_000 + value.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    Ok((
        time(usage.user_time()) + time(usage.system_time()),
        usage.max_rss(),
    ))
}

fn serve(listener: UnixListener, defer: &Arc<Mutex<String>>) {
    let defer = defer.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let defer = defer.clone();
            std::thread::spawn(move || {
                serve_connection(stream, |request| Ok(answer(&request, &defer)))
            });
        }
    });
}

fn answer(request: &Request, defer: &Mutex<String>) -> Reply {
    let stdout = match request.tool.as_str() {
        "is-leader" => "true\n".to_owned(),
        "config-get" => {
            let defer = defer.lock().unwrap_or_else(PoisonError::into_inner).clone();
            json!({"defer": defer, "fail": ""}).to_string()
        }
        _ => String::new(),
    };
    Reply {
        stdout: stdout.into_bytes(),
        ..Reply::default()
    }
}
