//! An agent that answers at once, so that what is measured is the charm.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use charmhost_jujuc::{Reply, Request, serve_connection};

/// The tools that a charm may start as programs.
const TOOLS: [&str; 8] = [
    "juju-log",
    "is-leader",
    "config-get",
    "status-set",
    "status-get",
    "open-port",
    "opened-ports",
    "application-version-set",
];

/// A listening agent, and a directory with its tools as programs.
pub struct Agent {
    pub socket: PathBuf,
    pub tools: PathBuf,
    _dir: tempfile::TempDir,
}

impl Agent {
    pub fn start(root: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("agent.socket");
        let tools = dir.path().join("tools");
        std::fs::create_dir(&tools)?;
        let program = root.join("dist/hook-tool");
        for tool in TOOLS {
            std::os::unix::fs::symlink(&program, tools.join(tool))?;
        }
        let listener = UnixListener::bind(&socket)?;
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                std::thread::spawn(move || {
                    serve_connection(stream, |request| Ok(answer(&request)))
                });
            }
        });
        Ok(Agent {
            socket,
            tools,
            _dir: dir,
        })
    }
}

fn answer(request: &Request) -> Reply {
    let stdout = match request.tool.as_str() {
        "is-leader" => "true\n",
        "config-get" => "{\"greeting\":\"Hello\",\"port\":8080}\n",
        "opened-ports" => "[\"8080/tcp\"]\n",
        "status-get" => "{\"message\":\"\",\"status\":\"active\",\"status-data\":{}}\n",
        _ => "",
    };
    Reply {
        stdout: stdout.as_bytes().to_vec(),
        ..Reply::default()
    }
}
