//! The unit whose guest performs the steps, and its agent.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use charmhost_jujuc::{Reply, Request, serve_connection};
use steps::{Outcome, Step};

use crate::scene::{CHARM, STORAGE, Scene};

#[derive(Default)]
struct Action {
    params: String,
    storage: Option<String>,
    results: String,
    logs: Vec<String>,
}

/// An agent that runs one action after the other.
pub struct Agent {
    socket: PathBuf,
    action: Arc<Mutex<Action>>,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("agent.socket");
        let listener = UnixListener::bind(&socket)?;
        let action: Arc<Mutex<Action>> = Arc::default();
        let served = action.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let served = served.clone();
                std::thread::spawn(move || {
                    serve_connection(stream, |request| Ok(lock(&served).answer(&request)))
                });
            }
        });
        Ok(Agent {
            socket,
            action,
            _dir: dir,
        })
    }

    /// Has the guest perform steps.
    pub fn perform(&self, scene: &Scene, steps: &[Step]) -> anyhow::Result<Vec<Outcome>> {
        let has_storage = scene
            .roots
            .iter()
            .any(|root| root.path == STORAGE && root.writable);
        *lock(&self.action) = Action {
            params: serde_json::json!({ "steps": steps }).to_string(),
            storage: has_storage.then(|| scene.guest(STORAGE).display().to_string()),
            ..Action::default()
        };
        let output = self.dispatch(scene)?;
        let action = lock(&self.action);
        if !output.status.success() {
            bail!(
                "dispatch failed: {}\n{}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr),
                action.logs.join("\n")
            );
        }
        serde_json::from_str(&action.results)
            .with_context(|| format!("cannot read the guest's results: {:?}", action.results))
    }

    fn dispatch(&self, scene: &Scene) -> anyhow::Result<std::process::Output> {
        let charm = scene.guest(CHARM);
        let charm_dir = charm.display().to_string();
        let socket = self.socket.display().to_string();
        let mut dispatch = Command::new(charm.join("dispatch"));
        dispatch
            .current_dir(&charm)
            .env_clear()
            .stdin(Stdio::null());
        for (name, value) in [
            ("JUJU_DISPATCH_PATH", "actions/work"),
            ("JUJU_ACTION_NAME", "work"),
            ("JUJU_ACTION_UUID", "42"),
            ("JUJU_HOOK_NAME", ""),
            ("JUJU_CHARM_DIR", &charm_dir),
            ("JUJU_CONTEXT_ID", "files/0-hook-1"),
            ("JUJU_AGENT_SOCKET_ADDRESS", &socket),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
            ("JUJU_UNIT_NAME", "files/0"),
            ("JUJU_MODEL_NAME", "model"),
            ("JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"),
            ("JUJU_VERSION", "3.6.28"),
        ] {
            dispatch.env(name, value);
        }
        dispatch
            .output()
            .with_context(|| format!("cannot run {charm_dir}/dispatch"))
    }
}

fn lock(action: &Mutex<Action>) -> MutexGuard<'_, Action> {
    action.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Action {
    fn answer(&mut self, request: &Request) -> Reply {
        let stdout = match request.tool.as_str() {
            "action-get" => self.params.clone(),
            "config-get" => "{}".to_owned(),
            "is-leader" => "true\n".to_owned(),
            "storage-list" => match self.storage {
                Some(_) => "[\"data/0\"]".to_owned(),
                None => "[]".to_owned(),
            },
            "storage-get" => {
                serde_json::json!({"kind": "filesystem", "location": self.storage}).to_string()
            }
            "juju-log" => {
                let line = request.args.get(3..).unwrap_or_default().join(" ");
                match line.strip_prefix("RESULTS ") {
                    Some(results) => self.results += results,
                    None => self.logs.push(line),
                }
                String::new()
            }
            _ => String::new(),
        };
        Reply {
            stdout: stdout.into_bytes(),
            ..Reply::default()
        }
    }
}
