//! An agent that sends the guest its task, opens the files that hook tools name,
//! and records the log.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_jujuc::{Reply, Request, serve_connection};
use serde_json::{Value, json};

use crate::flags;

/// Hook tools as programs, and programs of Juju's own that stand beside them.
const TOOLS: &[&str] = &[
    "action-get",
    "action-fail",
    "action-log",
    "action-set",
    "config-get",
    "future-tool",
    "is-leader",
    "juju-exec",
    "juju-log",
    "juju-run",
    "jujud",
    "pod-spec-set",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-set",
    "secret-add",
    "secret-set",
    "state-get",
    "state-set",
    "status-set",
    "storage-get",
    "storage-list",
];

/// Recorded length of a log line.
const LINE: usize = 4000;

#[derive(Default)]
struct Task {
    params: Value,
    /// Location of the charm's storage.
    storage: Option<String>,
    logs: Vec<String>,
    /// Bytes of everything that was logged.
    logged: usize,
}

/// Log of a dispatch.
pub struct Log {
    /// Lines without levels, the long ones cut off.
    pub lines: Vec<String>,
    /// How much it was, in bytes.
    pub bytes: usize,
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
            let program = match *tool {
                "juju-exec" | "juju-run" => PathBuf::from("/bin/sh"),
                "jujud" => PathBuf::from("/bin/echo"),
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
    pub fn begin(&self, params: Value, storage: Option<String>) {
        *lock(&self.task) = Task {
            params,
            storage,
            ..Task::default()
        };
    }

    pub fn log(&self) -> Log {
        let task = lock(&self.task);
        Log {
            lines: task.logs.clone(),
            bytes: task.logged,
        }
    }
}

fn lock(task: &Mutex<Task>) -> MutexGuard<'_, Task> {
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the files that arguments name, with the agent's privileges; returns what
/// it read.
fn open_files(request: &Request) -> Result<String, String> {
    let opened = flags::opened(&request.tool, &request.args)?;
    for path in opened.written {
        let _ = std::fs::write(path, "written by the agent");
    }
    let text = |path: &String| std::fs::read_to_string(path).unwrap_or_default();
    Ok(opened.read.iter().map(text).collect())
}

fn answer(task: &Mutex<Task>, request: &Request) -> Result<Reply, String> {
    // Texts are for people, whatever they look like.
    let texts = ["juju-log", "status-set", "action-log", "action-fail"];
    let is_text = texts.contains(&request.tool.as_str());
    let read = match is_text {
        true => String::new(),
        false => match open_files(request) {
            Ok(read) => read,
            Err(error) => {
                return Ok(Reply {
                    code: 2,
                    stderr: format!("ERROR {error}\n").into_bytes(),
                    ..Reply::default()
                });
            }
        },
    };
    let mut task = lock(task);
    let stdout = match request.tool.as_str() {
        "is-leader" => "true\n".to_owned(),
        "config-get" => "{}\n".to_owned(),
        "action-get" => task.params.to_string(),
        "juju-log" => {
            let mut text = request.args.get(3..).unwrap_or_default().join(" ");
            task.logged += text.len();
            if text.len() > LINE {
                text.truncate(text.floor_char_boundary(LINE));
            }
            // Enough to judge by, whatever a guest floods the log with.
            if task.logs.len() < 10_000 {
                task.logs.push(text);
            }
            String::new()
        }
        "relation-ids" => json!(["db:1"]).to_string(),
        "relation-list" => json!(["other/0"]).to_string(),
        "relation-get" => format!("{{}}{read}"),
        "storage-list" => match &task.storage {
            Some(_) => json!(["data/0"]).to_string(),
            None => "[]".to_owned(),
        },
        "storage-get" => json!({"kind": "filesystem", "location": task.storage}).to_string(),
        "relation-set" | "secret-add" | "secret-set" | "state-set" | "pod-spec-set"
        | "future-tool" => read,
        "status-set" | "action-set" | "action-log" | "action-fail" | "state-get" => String::new(),
        other => return Err(format!("bad request: unknown command: {other}")),
    };
    Ok(Reply {
        stdout: stdout.into_bytes(),
        ..Reply::default()
    })
}
