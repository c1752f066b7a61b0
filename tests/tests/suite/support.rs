//! A scripted agent, charms built once, and dispatches under them.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use charmhost_jujuc::{Reply, Request, serve_connection};
use tempfile::TempDir;

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Path of a program that ships.
pub fn dist(name: &str) -> PathBuf {
    let path = root().join("dist").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `make dist`",
        path.display()
    );
    path
}

/// Whether root runs the tests.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Reads an archive with Juju's own reader, which unpacks and repacks it.
#[track_caller]
pub fn read_by_juju(archive: &Path) -> serde_json::Value {
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new("charmreader")
        .arg(archive)
        .arg(scratch.path())
        .output();
    let output = output.expect("charmreader must be on PATH: run `make test-suites`");
    let archive = archive.display();
    assert!(output.status.success(), "{archive}: {}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs `charmhost` with arguments.
pub fn charmhost<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(dist("charmhost"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Formats the output and status of a program for messages of failed tests.
pub fn shown(output: &Output) -> String {
    format!(
        "{}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Returns a charm, packed and unpacked into a directory like that of a unit. Each
/// is built once per run.
pub fn built(project: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap();
    if let Some(dir) = built.get(project) {
        return dir.clone();
    }
    let charm = packed(project, &project.replace('/', "-"), &[]);
    built.insert(project.to_owned(), charm.clone());
    charm
}

/// Packs a charm with more arguments of `charmhost pack`, and unpacks it into a
/// directory like that of a unit, in `target/suite/NAME`.
pub fn packed(project: &str, name: &str, arguments: &[&std::ffi::OsStr]) -> PathBuf {
    let dir = root().join("target/suite").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let archive = dir.join("packed.charm");
    let project = root().join(project);
    let output = charmhost(
        [
            "pack".as_ref(),
            project.as_os_str(),
            "-o".as_ref(),
            archive.as_os_str(),
        ]
        .iter()
        .chain(arguments),
    );
    assert!(
        output.status.success(),
        "cannot pack {}: {}",
        project.display(),
        shown(&output)
    );
    let charm = dir.join("charm");
    let _ = std::fs::remove_dir_all(&charm);
    std::fs::create_dir(&charm).unwrap();
    let unzip = "import sys, zipfile, os\n\
        z = zipfile.ZipFile(sys.argv[1])\n\
        for i in z.infolist():\n\
        \x20   p = z.extract(i, sys.argv[2]); os.chmod(p, i.external_attr >> 16 & 0o777)\n";
    let status = Command::new("python3")
        .args(["-c", unzip])
        .arg(&archive)
        .arg(&charm)
        .status();
    assert!(status.unwrap().success());
    charm
}

/// Returns a copy of a built charm, which a test may change.
pub fn copy(project: &str) -> TempDir {
    let from = built(project);
    let dir = tempfile::tempdir().unwrap();
    let entries = std::fs::read_dir(from).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    // A program of its own writes the executables: were they open here, another
    // test could fork meanwhile, and the kernel would not run them.
    let copied = Command::new("cp")
        .args(files.filter(|path| path.is_file()))
        .arg(dir.path())
        .status();
    assert!(copied.unwrap().success());
    dir
}

type Answer = Box<dyn FnMut(&Request) -> Result<Reply, String> + Send>;

/// An agent on a new socket with scripted answers. It records all calls.
pub struct Agent {
    dir: TempDir,
    calls: Arc<Mutex<Vec<Request>>>,
}

/// Returns a reply with this on standard output.
pub fn prints(text: &str) -> Result<Reply, String> {
    Ok(Reply {
        stdout: text.as_bytes().to_vec(),
        ..Reply::default()
    })
}

/// Returns a failing reply with this on standard error.
pub fn fails(code: i32, text: &str) -> Result<Reply, String> {
    Ok(Reply {
        code,
        stderr: text.as_bytes().to_vec(),
        ..Reply::default()
    })
}

/// Answers like an agent whose unit is the leader.
pub fn usual(request: &Request) -> Result<Reply, String> {
    match request.tool.as_str() {
        "is-leader" => prints("true\n"),
        "config-get" | "action-get" => prints("{}\n"),
        "opened-ports" => prints("[]\n"),
        "status-get" => prints("{\"message\":\"\",\"status\":\"unknown\",\"status-data\":{}}\n"),
        _ => prints(""),
    }
}

impl Agent {
    /// The usual agent.
    pub fn new() -> Self {
        Agent::answering(usual)
    }

    /// An agent that answers by a function.
    pub fn answering(
        answer: impl FnMut(&Request) -> Result<Reply, String> + Send + 'static,
    ) -> Self {
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = calls.clone();
        Agent::listening(calls, move |stream| {
            let _ = serve_connection(stream, |request| {
                seen.lock().unwrap().push(request.clone());
                answer.lock().unwrap()(&request)
            });
        })
    }

    /// An agent that handles each connection by a function.
    pub fn raw(serve: impl Fn(std::os::unix::net::UnixStream) + Send + Sync + 'static) -> Self {
        Agent::listening(Arc::default(), serve)
    }

    fn listening(
        calls: Arc<Mutex<Vec<Request>>>,
        serve: impl Fn(std::os::unix::net::UnixStream) + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("agent.socket")).unwrap();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Agent { dir, calls }
    }

    /// Path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("agent.socket")
    }

    /// Recorded calls without log lines, as `tool arg arg`.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let calls = calls.iter().filter(|call| call.tool != "juju-log");
        calls
            .map(|call| format!("{} {}", call.tool, call.args.join(" ")))
            .collect()
    }

    /// Recorded log lines, as `LEVEL text`.
    pub fn logs(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let logs = calls.iter().filter(|call| call.tool == "juju-log");
        logs.map(|call| format!("{} {}", call.args[1], call.args[3..].join(" ")))
            .collect()
    }
}

/// Environment of a dispatch.
pub struct Dispatch {
    charm: PathBuf,
    vars: BTreeMap<String, String>,
}

/// How a dispatch ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Dispatch {
    /// A dispatch of `hooks/<hook>` or `actions/<action>` with the variables
    /// that Juju always sets.
    pub fn new(charm: &Path, path: &str, agent: &Agent) -> Self {
        let hook = path.strip_prefix("hooks/").unwrap_or_default();
        let charm_dir = charm.display().to_string();
        let socket = agent.socket().display().to_string();
        let mut dispatch = Dispatch {
            charm: charm.to_path_buf(),
            vars: BTreeMap::new(),
        };
        for (name, value) in [
            ("JUJU_DISPATCH_PATH", path),
            ("JUJU_HOOK_NAME", hook),
            ("JUJU_CHARM_DIR", charm_dir.as_str()),
            ("CHARM_DIR", charm_dir.as_str()),
            ("JUJU_CONTEXT_ID", "app/0-hook-0123456789abcdef"),
            ("JUJU_AGENT_SOCKET_ADDRESS", socket.as_str()),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
            ("JUJU_UNIT_NAME", "app/0"),
            ("JUJU_MODEL_NAME", "model"),
            ("JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"),
            ("JUJU_VERSION", "3.6.28"),
            ("JUJU_MACHINE_ID", "0"),
            ("PATH", "/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
        ] {
            dispatch = dispatch.var(name, value);
        }
        if let Some(action) = path.strip_prefix("actions/") {
            let (action, id) = (action.to_owned(), "42");
            dispatch = dispatch
                .var("JUJU_ACTION_NAME", &action)
                .var("JUJU_ACTION_UUID", id);
        }
        dispatch
    }

    /// Sets a variable.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets several variables.
    pub fn vars(self, vars: &[(&str, &str)]) -> Self {
        vars.iter()
            .fold(self, |dispatch, (name, value)| dispatch.var(name, value))
    }

    /// The command, like the agent would start it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.charm.join("dispatch"));
        command
            .current_dir(&self.charm)
            .env_clear()
            .stdin(Stdio::null());
        command.envs(&self.vars);
        command
    }

    /// Runs it, for at most one minute.
    pub fn run(&self) -> Ended {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // Another test forked while this program was being written, and
                // has not executed its own program yet.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("cannot run dispatch: {error}"),
            }
        };
        let id = child.id();
        let (done, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(child.wait_with_output()));
        let output = match waits.recv_timeout(Duration::from_secs(60)) {
            Ok(output) => output.unwrap(),
            Err(_) => {
                let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
                panic!("a dispatch did not end within a minute");
            }
        };
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
