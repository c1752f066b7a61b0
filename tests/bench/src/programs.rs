//! The measured programs: they handle the same event with the same calls to the
//! agent, and exist in several copies.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use charmhost_jujuc::Request;
use charmhost_store::FILE_NAME;

use crate::agent::Agent;

/// Event of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    UpdateStatus,
    ConfigChanged,
    RelationChanged,
    Action,
    /// Not measured: the charm saves state in it.
    Start,
}

impl Event {
    pub fn name(self) -> &'static str {
        match self {
            Event::UpdateStatus => "update-status",
            Event::ConfigChanged => "config-changed",
            Event::RelationChanged => "relation-changed",
            Event::Action => "action",
            Event::Start => "start",
        }
    }

    /// The environment that only this event has.
    fn vars(self) -> Vec<(&'static str, &'static str)> {
        let hook = |path, name| vec![("JUJU_DISPATCH_PATH", path), ("JUJU_HOOK_NAME", name)];
        match self {
            Event::UpdateStatus => hook("hooks/update-status", "update-status"),
            Event::ConfigChanged => hook("hooks/config-changed", "config-changed"),
            Event::Start => hook("hooks/start", "start"),
            Event::RelationChanged => {
                let mut vars = hook("hooks/db-relation-changed", "db-relation-changed");
                vars.extend([
                    ("JUJU_RELATION", "db"),
                    ("JUJU_RELATION_ID", "db:1"),
                    ("JUJU_REMOTE_APP", "mysql"),
                    ("JUJU_REMOTE_UNIT", "mysql/7"),
                ]);
                vars
            }
            Event::Action => vec![
                ("JUJU_DISPATCH_PATH", "actions/greet"),
                ("JUJU_ACTION_NAME", "greet"),
                ("JUJU_ACTION_UUID", "1"),
            ],
        }
    }
}

/// Kind of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A unit without local state.
    Charmhost,
    /// A unit whose charm has saved state before.
    WithState,
    /// Has state always: ops makes its file in the first dispatch.
    Python,
    /// The engine and the same compiled charm, with an empty host.
    Bare,
    /// The same calls to the agent.
    Native,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Charmhost => "charmhost",
            Kind::WithState => "charmhost, state",
            Kind::Python => "Python ops 3.9",
            Kind::Bare => "bare wasmtime",
            Kind::Native => "native Rust",
        }
    }

    /// Takes a hundred times as long, and leaves nothing of others in the
    /// caches of a CPU.
    pub fn is_slow(self) -> bool {
        self == Kind::Python
    }
}

/// A program that handles an event.
pub struct Program {
    pub kind: Kind,
    pub event: Event,
    /// The same in different files.
    pub copies: Vec<Run>,
    /// The programs and the compiled charm, in bytes; none where the program
    /// is an interpreter with its libraries.
    pub size: Option<u64>,
}

/// Command of a copy of a program.
#[derive(Debug, Clone)]
pub struct Run {
    pub command: Vec<String>,
    pub dir: PathBuf,
    pub vars: Vec<(String, String)>,
}

impl Run {
    /// The program, ready to be started; `prefix` is a command that starts it.
    pub fn command(&self, prefix: &[String]) -> anyhow::Result<Command> {
        let mut words = prefix.iter().chain(&self.command);
        let mut command = Command::new(words.next().context("no command")?);
        command
            .args(words)
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.vars.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Ok(command)
    }

    /// Runs it once, without a clock.
    pub fn once(&self) -> anyhow::Result<()> {
        let status = self.command(&[])?.status();
        let program = self.command.first().map_or("", String::as_str);
        let status = status.with_context(|| format!("cannot start {program}"))?;
        ensure!(status.success(), "{program} failed: {status}");
        Ok(())
    }
}

/// Makes all programs, `copies` of each, and runs every one once: they are in
/// the page cache then, and those that have state have it.
pub fn make(root: &Path, agent: &Agent, copies: usize) -> anyhow::Result<Vec<Program>> {
    let built = charmhost_tests::build("tests/guests/bench", "bench/charm")?;
    let maker = Maker {
        root,
        agent,
        built,
        copies,
    };
    let mut programs = Vec::new();
    for event in [
        Event::UpdateStatus,
        Event::ConfigChanged,
        Event::RelationChanged,
        Event::Action,
    ] {
        let charmhost = maker.charmhost(Kind::Charmhost, event)?;
        let python = maker.python(event)?;
        let calls = maker.same_calls(&charmhost, &python)?;
        if event == Event::RelationChanged {
            let of = |tool| calls.iter().filter(|call| call.tool == tool).count();
            // And one read of the databag that is written.
            let made = (of("relation-get"), of("relation-set"));
            ensure!(made == (51, 20), "{made:?} reads and writes");
        }
        programs.push(maker.native(event, &calls)?);
        programs.extend([charmhost, python]);
        if event == Event::UpdateStatus {
            programs.push(maker.charmhost(Kind::WithState, event)?);
            programs.push(maker.bare(event)?);
        }
    }
    for program in &programs {
        maker.run_once(program)?;
    }
    programs.sort_by_key(|program| (program.event, program.kind));
    Ok(programs)
}

struct Maker<'a> {
    root: &'a Path,
    agent: &'a Agent,
    /// The compiled charm.
    built: PathBuf,
    copies: usize,
}

impl Maker<'_> {
    fn charmhost(&self, kind: Kind, event: Event) -> anyhow::Result<Program> {
        let name = match kind {
            Kind::WithState => "with-state",
            _ => event.name(),
        };
        let copies = self.copies(event, |number| {
            let dir = self.dir(number, name)?;
            copy_charm(self.root, &self.built, &dir)?;
            Ok((vec![text(&dir.join("dispatch"))], dir))
        })?;
        let size = [self.built.join("dispatch"), self.built.join("charm.cwasm")];
        self.program(kind, event, copies, &size)
    }

    fn bare(&self, event: Event) -> anyhow::Result<Program> {
        let program = self.root.join("target/bench-programs/bare");
        let charm = self.built.join("charm.cwasm");
        let copies = self.copies(event, |number| {
            let dir = self.dir(number, "bare")?;
            let (bare, copied) = (dir.join("bare"), dir.join("charm.cwasm"));
            copy(&program, &bare)?;
            copy(&charm, &copied)?;
            Ok((vec![text(&bare), text(&copied)], dir))
        })?;
        self.program(Kind::Bare, event, copies, &[program, charm])
    }

    /// `calls` is what the program gets: see `tests/baselines/src/bin/native.rs`.
    fn native(&self, event: Event, calls: &[Request]) -> anyhow::Result<Program> {
        let program = self.root.join("target/bench-programs/native");
        let argument: String = calls.iter().map(as_argument).collect();
        let copies = self.copies(event, |number| {
            let dir = self.dir(number, &format!("native-{}", event.name()))?;
            let native = dir.join("native");
            copy(&program, &native)?;
            Ok((vec![text(&native), argument.clone()], dir))
        })?;
        self.program(Kind::Native, event, copies, &[program])
    }

    /// The interpreter and ops are copied, the standard library is not.
    fn python(&self, event: Event) -> anyhow::Result<Program> {
        let charm = self.root.join("tests/bench/python");
        let copies = self.copies(event, |number| {
            let interpreter = self.interpreter(number)?;
            let dir = self.dir(number, &format!("python-{}", event.name()))?;
            copy_tree(&charm, &dir)?;
            Ok((vec![text(&interpreter), "src/charm.py".to_owned()], dir))
        })?;
        self.program(Kind::Python, event, copies, &[])
    }

    /// A copy of the virtual environment of Python ops, made once.
    fn interpreter(&self, number: usize) -> anyhow::Result<PathBuf> {
        let name = format!("target/bench/{number}/python");
        let interpreter = self.root.join(&name).join("bin/python");
        if interpreter.exists() {
            return Ok(interpreter);
        }
        let source = self.root.join("target/ops-venv");
        let dir = self.dir(number, "python")?;
        copy_tree(&source, &dir)?;
        std::fs::remove_file(&interpreter)?;
        copy(&source.join("bin/python").canonicalize()?, &interpreter)?;
        Ok(interpreter)
    }

    /// A new, empty directory of a copy.
    fn dir(&self, number: usize, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.root.join(format!("target/bench/{number}/{name}"));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    fn copies(
        &self,
        event: Event,
        make: impl Fn(usize) -> anyhow::Result<(Vec<String>, PathBuf)>,
    ) -> anyhow::Result<Vec<Run>> {
        let copies = (0..self.copies).map(|number| {
            let (command, dir) = make(number)?;
            let vars = vars(self.agent, &dir, event);
            Ok(Run { command, dir, vars })
        });
        copies.collect()
    }

    fn program(
        &self,
        kind: Kind,
        event: Event,
        copies: Vec<Run>,
        files: &[PathBuf],
    ) -> anyhow::Result<Program> {
        let mut size = None;
        for file in files {
            *size.get_or_insert(0) += std::fs::metadata(file)?.len();
        }
        Ok(Program {
            kind,
            event,
            copies,
            size,
        })
    }

    /// The calls that charmhost makes, if Python ops makes the same; what is
    /// logged may differ.
    fn same_calls(&self, charmhost: &Program, python: &Program) -> anyhow::Result<Vec<Request>> {
        let record = |program: &Program| {
            let run = program.copies.first().context("no copies")?;
            self.agent.record(|| run.once())
        };
        // ops asks for some things only in the first dispatch of a unit.
        record(python)?;
        let (calls, of_python) = (record(charmhost)?, record(python)?);
        let tools = |calls: &[Request]| {
            let tools = calls.iter().map(|call| call.tool.clone());
            let mut tools: Vec<_> = tools.filter(|tool| tool != "juju-log").collect();
            tools.sort();
            tools
        };
        if tools(&calls) != tools(&of_python) {
            let (event, ours) = (charmhost.event.name(), tools(&calls));
            let theirs = tools(&of_python);
            bail!("{event} cannot be compared: charmhost calls {ours:?}, Python ops {theirs:?}");
        }
        Ok(calls)
    }

    fn run_once(&self, program: &Program) -> anyhow::Result<()> {
        let has_state = match program.kind {
            Kind::Charmhost => Some(false),
            Kind::WithState | Kind::Python => Some(true),
            Kind::Bare | Kind::Native => None,
        };
        for run in &program.copies {
            if has_state == Some(true) {
                let vars = vars(self.agent, &run.dir, Event::Start);
                let start = Run {
                    vars,
                    ..run.clone()
                };
                start.once()?;
            }
            run.once()?;
            let state = run.dir.join(FILE_NAME);
            if let Some(expected) = has_state {
                let there = state.exists();
                ensure!(there == expected, "{}: exists: {there}", state.display());
            }
        }
        Ok(())
    }
}

/// A copy of a charm for a unit, with its metadata.
pub fn copy_charm(root: &Path, built: &Path, dir: &Path) -> anyhow::Result<()> {
    for name in ["dispatch", "charm.cwasm"] {
        copy(&built.join(name), &dir.join(name))?;
    }
    for name in ["metadata.yaml", "actions.yaml", "config.yaml"] {
        copy(&root.join("tests/bench/python").join(name), &dir.join(name))?;
    }
    Ok(())
}

/// The environment that Juju gives.
pub fn vars(agent: &Agent, dir: &Path, event: Event) -> Vec<(String, String)> {
    let path = format!("{}:/usr/bin:/bin", agent.tools.display());
    let (socket, dir) = (text(&agent.socket), text(dir));
    let common = [
        ("JUJU_CHARM_DIR", dir.as_str()),
        ("JUJU_CONTEXT_ID", "bench/0-hook-0123456789abcdef"),
        ("JUJU_AGENT_SOCKET_ADDRESS", &socket),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
        ("JUJU_UNIT_NAME", "bench/0"),
        ("JUJU_MODEL_NAME", "model"),
        ("JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"),
        ("JUJU_VERSION", "3.6.28"),
        ("PATH", &path),
        ("LANG", "C.UTF-8"),
    ];
    let vars = common.into_iter().chain(event.vars());
    vars.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn as_argument(call: &Request) -> String {
    let mut words = vec![call.tool.as_str()];
    words.extend(call.args.iter().map(String::as_str));
    let stdin = call.stdin.as_deref().map(String::from_utf8_lossy);
    let stdin = stdin.map_or(String::new(), |stdin| format!("\x1d{stdin}"));
    format!("{}{stdin}\x1e", words.join("\x1f"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Times and links stay as they are, so that Python believes its bytecode.
fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("cp")
        .args(["-a", "--"])
        .arg(from.join("."))
        .arg(to)
        .status()
        .context("cannot run cp")?;
    ensure!(status.success(), "cannot copy {}", from.display());
    let _ = std::fs::remove_file(to.join(FILE_NAME));
    Ok(())
}
