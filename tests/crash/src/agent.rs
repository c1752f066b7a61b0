//! An agent that commits the calls of a hook when it has succeeded, and that can
//! kill the charm at any call.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_jujuc::{Reply, Request, serve_connection};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// State of the unit in Juju.
pub type ControllerState = BTreeMap<String, String>;

/// When the agent kills the charm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// After a call was received, before it has an effect.
    Before(usize),
    /// After a call had its effect, before its answer.
    After(usize),
}

#[derive(Default)]
struct Hook {
    stored: ControllerState,
    /// Changes of the running hook.
    changed: BTreeMap<String, Option<String>>,
    calls: usize,
    /// Number of calls that change state in Juju.
    sets: usize,
    end: Option<End>,
    pid: Option<Pid>,
    logs: Vec<String>,
}

/// A listening agent.
pub struct Agent {
    pub socket: PathBuf,
    hook: Arc<Mutex<Hook>>,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("agent.socket");
        let listener = UnixListener::bind(&socket)?;
        let hook: Arc<Mutex<Hook>> = Arc::default();
        let served = hook.clone();
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
            hook,
            _dir: dir,
        })
    }

    /// Begins a hook with the state in Juju.
    pub fn begin(&self, stored: &ControllerState, end: Option<End>) {
        *lock(&self.hook) = Hook {
            stored: stored.clone(),
            end,
            ..Hook::default()
        };
    }

    /// Process to kill.
    pub fn watch(&self, pid: Pid) {
        lock(&self.hook).pid = Some(pid);
    }

    /// Number of calls of the hook.
    pub fn calls(&self) -> usize {
        lock(&self.hook).calls
    }

    /// Number of calls of the hook that changed state in Juju.
    pub fn sets(&self) -> usize {
        lock(&self.hook).sets
    }

    pub fn logs(&self) -> Vec<String> {
        lock(&self.hook).logs.clone()
    }

    /// State in Juju after it applied the changes of the hook.
    pub fn flushed(&self) -> ControllerState {
        let hook = lock(&self.hook);
        let mut state = hook.stored.clone();
        for (key, value) in &hook.changed {
            match value {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
        state
    }
}

fn lock(hook: &Mutex<Hook>) -> MutexGuard<'_, Hook> {
    hook.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hook {
    fn answer(&mut self, request: &Request) -> Reply {
        self.calls += 1;
        let at = self.calls;
        self.end_if(End::Before(at));
        let stdout = self.run(request);
        self.end_if(End::After(at));
        Reply {
            stdout: stdout.into_bytes(),
            ..Reply::default()
        }
    }

    fn end_if(&self, end: End) {
        if let (true, Some(pid)) = (self.end == Some(end), self.pid) {
            // It may have ended by itself.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    fn run(&mut self, request: &Request) -> String {
        let arg = |number: usize| request.args.get(number).cloned().unwrap_or_default();
        if ["state-set", "state-delete"].contains(&request.tool.as_str()) {
            self.sets += 1;
        }
        match request.tool.as_str() {
            "is-leader" => return "true\n".to_owned(),
            "config-get" => return "{}\n".to_owned(),
            "state-get" if arg(0) == "--format=json" => {
                return serde_json::json!(self.stored).to_string();
            }
            "state-get" => return self.stored.get(&arg(0)).cloned().unwrap_or_default() + "\n",
            "state-set" if arg(0) == "--file" => {
                let input = String::from_utf8_lossy(request.stdin.as_deref().unwrap_or_default());
                let entries = charmhost_yaml::parse(&input).unwrap_or_default();
                for (key, value) in entries.as_object().into_iter().flatten() {
                    let text = value.as_str().map(str::to_owned);
                    self.changed.insert(key.clone(), text);
                }
            }
            "state-set" => {
                let entry = arg(0);
                let (key, value) = entry.split_once('=').unwrap_or_default();
                self.changed.insert(key.to_owned(), Some(value.to_owned()));
            }
            "state-delete" => drop(self.changed.insert(arg(0), None)),
            "juju-log" => self
                .logs
                .push(request.args.get(3..).unwrap_or_default().join(" ")),
            _ => {}
        }
        String::new()
    }
}
