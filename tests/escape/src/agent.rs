//! An agent that gives the guest its task, and remembers what it says.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_jujuc::{Reply, Request, serve_connection};
use serde_json::Value;

/// Hook tools as programs, and programs of Juju's own that stand beside them.
const TOOLS: [&str; 11] = [
    "juju-log",
    "is-leader",
    "action-get",
    "status-set",
    "config-get",
    "relation-get",
    "relation-set",
    "secret-add",
    "state-set",
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

/// Opens the files that arguments name, as Juju's agent does; gives what it has
/// read.
fn open_files(args: &[String]) -> String {
    let mut read = String::new();
    for (place, arg) in args.iter().enumerate() {
        let next = || args.get(place + 1).cloned().unwrap_or_default();
        let value = |flag: &str| match arg.strip_prefix(flag) {
            Some("") => Some(next()),
            rest => rest.map(|rest| rest.trim_start_matches('=').to_owned()),
        };
        if let Some(path) = value("--output").or_else(|| value("-o")) {
            let _ = std::fs::write(path, "written by the agent");
        }
        let in_key = arg.split_once("#file=").map(|(_, path)| path.to_owned());
        if let Some(path) = value("--file").or(in_key) {
            read += &std::fs::read_to_string(path).unwrap_or_default();
        }
    }
    read
}

fn answer(task: &Mutex<Task>, request: &Request) -> Result<Reply, String> {
    // Texts are for people, whatever they look like.
    let is_text = matches!(request.tool.as_str(), "juju-log" | "status-set");
    let read = match is_text {
        true => String::new(),
        false => open_files(&request.args),
    };
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
        "relation-get" | "relation-set" | "secret-add" | "state-set" => read,
        "status-set" | "action-set" | "action-log" => String::new(),
        other => return Err(format!("unknown tool {other:?}")),
    };
    Ok(Reply {
        stdout: stdout.into_bytes(),
        ..Reply::default()
    })
}
