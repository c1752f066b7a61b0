//! An agent that answers at once, so that only the charm is measured.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use charmhost_jujuc::{Reply, Request, serve_connection};
use serde_json::{Map, json};

/// The tools that a charm may start as programs.
const TOOLS: [&str; 15] = [
    "action-get",
    "action-log",
    "action-set",
    "application-version-set",
    "config-get",
    "is-leader",
    "juju-log",
    "open-port",
    "opened-ports",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-set",
    "status-get",
    "status-set",
];

/// The remote units of the relation, each of whose databags is read.
const UNITS: usize = 50;

/// A listening agent, and a directory with its tools as programs.
pub struct Agent {
    pub socket: PathBuf,
    pub tools: PathBuf,
    /// Whether calls are recorded, which takes time.
    records: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<Request>>>,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub fn start(root: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let agent = Agent {
            socket: dir.path().join("agent.socket"),
            tools: dir.path().join("tools"),
            records: Arc::default(),
            calls: Arc::default(),
            _dir: dir,
        };
        std::fs::create_dir(&agent.tools)?;
        let program = root.join("dist/hook-tool");
        for tool in TOOLS {
            std::os::unix::fs::symlink(&program, agent.tools.join(tool))?;
        }
        let listener = UnixListener::bind(&agent.socket)?;
        let (records, calls) = (agent.records.clone(), agent.calls.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (records, calls) = (records.clone(), calls.clone());
                std::thread::spawn(move || {
                    serve_connection(stream, |request| {
                        let reply = answer(&request);
                        if records.load(Ordering::Relaxed) {
                            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
                            calls.push(request);
                        }
                        Ok(reply)
                    })
                });
            }
        });
        Ok(agent)
    }

    /// Returns the calls that are made while `run` runs.
    pub fn record(&self, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Vec<Request>> {
        self.records.store(true, Ordering::Relaxed);
        let ended = run();
        self.records.store(false, Ordering::Relaxed);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = std::mem::take(&mut *calls);
        ended.map(|()| calls)
    }
}

fn answer(request: &Request) -> Reply {
    let json = match request.tool.as_str() {
        "action-get" => json!({"name": "World"}),
        "config-get" => json!({"greeting": "Hello", "port": 8080}),
        "is-leader" => json!(true),
        "opened-ports" => json!(["8080/tcp"]),
        "relation-get" => databag(request),
        "relation-ids" => json!(["db:1"]),
        "relation-list" => {
            let units = (0..UNITS).map(|number| format!("mysql/{number}"));
            units.collect()
        }
        "status-get" => json!({"message": "", "status": "active", "status-data": {}}),
        _ => return Reply::default(),
    };
    Reply {
        stdout: format!("{json}\n").into_bytes(),
        ..Reply::default()
    }
}

/// A databag like those of mysql's units; that of this unit is empty.
fn databag(request: &Request) -> serde_json::Value {
    let own = request.args.iter().any(|arg| arg == "bench/0");
    if own {
        return Map::new().into();
    }
    json!({
        "database": "bench",
        "egress-subnets": "10.0.0.7/32",
        "ingress-address": "10.0.0.7",
        "password": "0123456789abcdef0123456789abcdef",
        "private-address": "10.0.0.7",
        "user": "relation-1",
    })
}
