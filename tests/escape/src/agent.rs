//! An agent that gives the guest its task, and remembers what it says.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_jujuc::{Reply, Request, serve_connection};
use serde_json::Value;

/// Hook tools as programs, and programs of Juju's own that stand beside them.
const TOOLS: [&str; 6] = [
    "juju-log",
    "is-leader",
    "action-get",
    "status-set",
    "juju-exec",
    "jujud",
];

#[derive(Default)]
struct Task {
    params: Value,
    logs: Vec<String>,
}

/// A listening agent, and a directory with its tools.
pub struct Agent {
    pub socket: PathBuf,
    pub tools: PathBuf,
    task: Arc<Mutex<Task>>,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub fn start(root: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let tools = dir.path().join("tools");
        std::fs::create_dir(&tools)?;
        for tool in TOOLS {
            let program = match tool {
                "juju-exec" => Path::new("/bin/sh").to_path_buf(),
                "jujud" => Path::new("/bin/echo").to_path_buf(),
                _ => root.join("dist/hook-tool"),
            };
            std::os::unix::fs::symlink(program, tools.join(tool))?;
        }
        let socket = dir.path().join("agent.socket");
        let listener = UnixListener::bind(&socket)?;
        let task: Arc<Mutex<Task>> = Arc::default();
        let served = task.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let served = served.clone();
                std::thread::spawn(move || {
                    serve_connection(stream, |request| answer(&served, &request))
                });
            }
        });
        Ok(Agent {
            socket,
            tools,
            task,
            _dir: dir,
        })
    }

    /// The guest's next task.
    pub fn begin(&self, params: Value) {
        *lock(&self.task) = Task {
            params,
            logs: Vec::new(),
        };
    }

    /// What was logged, without levels.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.task).logs.clone()
    }
}

fn lock(task: &Mutex<Task>) -> MutexGuard<'_, Task> {
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(task: &Mutex<Task>, request: &Request) -> Result<Reply, String> {
    let mut task = lock(task);
    let stdout = match request.tool.as_str() {
        "is-leader" => "true\n".to_owned(),
        "config-get" => "{}\n".to_owned(),
        "action-get" => task.params.to_string(),
        "juju-log" => {
            let text = request.args.get(3..).unwrap_or_default().join(" ");
            task.logs.push(text);
            String::new()
        }
        "status-set" | "action-set" | "action-log" => String::new(),
        other => return Err(format!("unknown tool {other:?}")),
    };
    Ok(Reply {
        stdout: stdout.into_bytes(),
        ..Reply::default()
    })
}
