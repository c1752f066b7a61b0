//! The unit: runs the charm for one event after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use charmhost_juju::Metadata;
use rustix::fs::Access;

use crate::Error;
use crate::changes::context;
use crate::containers::Containers;
use crate::deferred::deferred;
use crate::environment::{Places, environment};
use crate::event::{Event, Kind};
use crate::interrupt::Interrupt;
use crate::model::{Action, Hook, Level, Model, Status};
use crate::notices::Notices;
use crate::place::Place;
use crate::process::{self, Exit, Finished, Happening, Stream};
use crate::report::{ActionRecord, DispatchRecord, LogLine, Notice, Observer, Outcome, ToolCall};
use crate::server::Server;
use crate::veil::Veil;

/// How long connections that are still open after a hook are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes block storage has; they take no space until they are written.
const BLOCK_SIZE: u64 = 1 << 30;

/// The directories of a unit, as the agent finds them and as the charm does.
pub struct Dirs {
    /// Everything of the simulation.
    pub home: PathBuf,
    /// The same as the charm sees it.
    pub inside: PathBuf,
    /// The application.
    pub app: String,
    /// Where the charm finds storage instances that are not in their default
    /// place.
    pub locations: BTreeMap<String, String>,
}

impl Dirs {
    fn agent(&self) -> String {
        format!("agents/unit-{}-0", self.app)
    }

    /// The charm.
    pub fn charm(&self) -> PathBuf {
        self.home.join(self.agent()).join("charm")
    }

    /// The files of the charm's resources.
    pub fn resources(&self) -> PathBuf {
        self.home.join(self.agent()).join("resources")
    }

    /// The hook tools' programs.
    pub fn tools(&self) -> PathBuf {
        self.home.join(format!("tools/unit-{}-0", self.app))
    }

    /// The agent's socket. Not beside the charm: the path of a socket has 107
    /// bytes at most, and the name of an application can be long.
    pub fn socket(&self) -> PathBuf {
        self.home.join("agent.socket")
    }

    /// What holds a storage instance.
    pub fn storage_source(&self, id: &str) -> PathBuf {
        self.home.join("storage").join(id)
    }

    /// Makes a storage instance, a file for block storage and a directory for
    /// any other, and returns its location as the charm sees it.
    pub fn storage(&self, id: &str, kind: &str) -> Result<String, Error> {
        let source = self.storage_source(id);
        let parent = match kind {
            "block" => source.parent().unwrap_or(&source),
            _ => &source,
        };
        std::fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, error))?;
        if kind == "block" && !source.exists() {
            std::fs::File::create(&source)
                .and_then(|file| file.set_len(BLOCK_SIZE))
                .map_err(|error| Error::io("make", &source, error))?;
        }
        let location = self.locations.get(id).cloned();
        Ok(location.unwrap_or_else(|| self.seen(&source).display().to_string()))
    }

    /// A path of the agent's as the charm sees it.
    pub fn seen(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.home) {
            Ok(rest) => self.inside.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }
}

/// A unit between two events.
pub struct Unit {
    pub model: Model,
    pub metadata: Metadata,
    pub dirs: Dirs,
    /// Where the charm runs.
    pub place: Place,
    pub containers: Containers,
    /// How long a dispatch may take.
    pub limit: Option<Duration>,
    /// Whether hooks run although one has failed.
    pub keep_going: bool,
    /// How often a hook that failed is run again.
    pub retries: u32,
    /// How `dispatch` of this host is to call hook tools, if it is told.
    pub hook_tools: Option<&'static str>,
    pub veil: Veil,
    /// What ends the simulation early.
    pub interrupt: Interrupt,
    /// The actions that ran.
    pub actions: Vec<ActionRecord>,
}

/// What ran for an event.
enum Program {
    /// This file, which can be executed.
    File(PathBuf),
    /// This file, which cannot.
    NotExecutable(PathBuf),
    None,
}

impl Unit {
    /// Runs the charm for an event, and again if it fails and that is wanted.
    /// Nothing if it was not run at all.
    pub fn run(
        &mut self,
        mut event: Event,
        observer: &mut dyn Observer,
    ) -> Result<Vec<DispatchRecord>, Error> {
        self.change(&mut event)?;
        if let (false, Some(failed)) = (event.is_action(), &self.model.failed_hook) {
            if !self.keep_going {
                let reason = format!("the unit is in error since {failed} failed");
                observer.event_left_out(&event.name(), &reason);
                return Ok(Vec::new());
            }
            self.model.failed_hook = None;
        }
        let program = find_program(&self.dirs.charm(), &event);
        self.before(&event);
        let mut records = Vec::new();
        if let Program::None = program {
            let reason = format!("the charm has no dispatch and no {}", event.dispatch_path());
            observer.event_left_out(&event.name(), &reason);
            self.skip(&event);
        } else {
            records.push(self.dispatch(&event, &program, observer)?);
        }
        let succeeded = |records: &[DispatchRecord]| {
            let last = records.last();
            last.is_none_or(|record| record.outcome == Outcome::Succeeded)
        };
        let mut left = if event.is_action() { 0 } else { self.retries };
        while !succeeded(&records) && left > 0 && self.interrupt.signal().is_none() {
            left -= 1;
            self.model.failed_hook = None;
            records.push(self.dispatch(&event, &program, observer)?);
        }
        let succeeded = succeeded(&records);
        self.after(&event, succeeded);
        if succeeded {
            self.settle(&event);
        }
        Ok(records)
    }

    /// The status that the agent sets itself, before the charm can.
    fn before(&mut self, event: &Event) {
        let message = match event.hook_name().as_str() {
            "install" if !self.model.status_was_set => "installing charm software",
            "stop" => "stopping charm software",
            "remove" => "cleaning up prior to charm deletion",
            _ => return,
        };
        self.model.unit_status = Status::new("maintenance", message);
    }

    fn after(&mut self, event: &Event, succeeded: bool) {
        match event.hook_name().as_str() {
            "start" if succeeded && !self.model.status_was_set => {
                self.model.unit_status = Status::new("unknown", "");
            }
            "remove" if succeeded => self.model.unit_status = Status::new("terminated", ""),
            _ => {}
        }
    }

    /// A hook without a program counts as run; an action does not.
    fn skip(&mut self, event: &Event) {
        if let Some(action) = self.action(event) {
            let unit = &self.model.unit;
            let error = format!("action not implemented on unit {unit:?}");
            self.actions.push(action.end(Some(error), None, b"", b""));
        }
    }

    fn action(&self, event: &Event) -> Option<Action> {
        match &event.kind {
            Kind::Action { name, params } => Some(Action {
                name: name.clone(),
                params: params.clone(),
                ..Action::default()
            }),
            _ => None,
        }
    }

    fn dispatch(
        &mut self,
        event: &Event,
        program: &Program,
        observer: &mut dyn Observer,
    ) -> Result<DispatchRecord, Error> {
        let context_id = context_id(&self.model.unit, event);
        let socket = self.dirs.socket();
        let environment = self.environment(event, &context_id);
        let notices = Notices::new().map_err(|error| Error::io("listen on", &socket, error))?;
        // The model is with the hook until the hook is over.
        let context = context(event, || self.action(event));
        let hook = Hook::new(std::mem::take(&mut self.model), context);
        let veil = self.veil.clone();
        let server = Server::open(&socket, &context_id, hook, notices.clone(), veil)?;

        observer.dispatch_starts(&event.name(), &environment);
        let mut recorder = Recorder::new(observer, notices);
        let finished = match program {
            Program::File(path) => {
                let dir = self.dirs.seen(&self.dirs.charm());
                let mut command = self.place.command_in(&dir, &self.dirs.seen(path));
                command.env_clear().envs(environment);
                recorder
                    .run(command, self.limit, &self.interrupt)
                    .map_err(|error| format!("cannot run {}: {error}", shown(path)))
            }
            Program::NotExecutable(path) => Err(format!(
                "cannot run {0}: permission denied; make it executable with chmod +x {0}",
                shown(path)
            )),
            Program::None => Err("there is nothing to run".to_owned()),
        };
        let outcome = self.end(event, &server, &finished, &mut recorder);
        recorder.drain();
        for name in server.close(PATIENCE) {
            recorder.log(Level::Warning, format!("{name} keeps a connection to the agent open; a real agent would hang here until it is closed"));
        }
        recorder.drain();
        if recorder
            .logs
            .iter()
            .any(|line| line.level >= Level::Warning)
        {
            for message in self.containers.missing_programs() {
                recorder.log(Level::Warning, message);
            }
        }
        let deferred = deferred(&self.dirs.charm(), &self.model.state);
        Ok(recorder.finish(event, finished.ok(), outcome, deferred))
    }

    fn environment(&self, event: &Event, context_id: &str) -> Vec<(String, String)> {
        let places = Places {
            charm: &self.dirs.seen(&self.dirs.charm()),
            tools: &self.dirs.seen(&self.dirs.tools()),
            socket: &self.dirs.seen(&self.dirs.socket()),
            hook_tools: self.hook_tools,
        };
        let action_id = self.actions.len() as u64 + 1;
        environment(&self.model, event, action_id, context_id, &places)
    }

    /// Applies what the hook changed, or not, and takes the model back.
    fn end(
        &mut self,
        event: &Event,
        server: &Server,
        finished: &Result<Finished, String>,
        recorder: &mut Recorder,
    ) -> Outcome {
        let mut outcome = match finished {
            Ok(finished) => outcome(finished.exit, self.limit),
            Err(reason) => Outcome::Failed(reason.clone()),
        };
        let Some(mut hook) = server.end_hook() else {
            return outcome;
        };
        if event.is_refused {
            hook.refuse("the scenario says so".to_owned());
        }
        let (model, action, accepted) = hook.end(outcome == Outcome::Succeeded);
        self.model = model;
        let refused = accepted.err();
        if let Some(reason) = &refused {
            recorder.log(
                Level::Error,
                format!("cannot apply the changes of {}: {reason}", event.name()),
            );
            outcome = Outcome::Failed("committing requested changes failed".to_owned());
        }
        if finished.as_ref().is_ok_and(|finished| finished.outlived) {
            recorder.log(
                Level::Warning,
                "a process that the charm started still runs; its output is not read any more"
                    .to_owned(),
            );
        }
        match (&outcome, action) {
            (outcome, Some(action)) => {
                let record = end_action(action, outcome, finished.as_ref().ok());
                self.actions.push(record);
            }
            (Outcome::Failed(reason), None) => {
                recorder.log(
                    Level::Error,
                    format!("hook {:?} failed: {reason}", event.name()),
                );
                self.model.failed_hook = Some(event.name());
            }
            (Outcome::Interrupted, None) => {
                recorder.log(Level::Warning, format!(
                    "hook {:?} was killed from outside; Juju would take this for its own shutdown and run the hook again",
                    event.name()
                ));
            }
            (Outcome::Succeeded, None) => {}
        }
        outcome
    }
}

fn end_action(action: Action, outcome: &Outcome, finished: Option<&Finished>) -> ActionRecord {
    let error = match outcome {
        Outcome::Succeeded => None,
        Outcome::Failed(reason) => Some(reason.clone()),
        Outcome::Interrupted => Some("signal: killed".to_owned()),
    };
    let Some(finished) = finished else {
        return action.end(error, None, b"", b"");
    };
    let code = match finished.exit {
        Exit::Code(code) => code,
        Exit::Signal(_) | Exit::TimedOut => -1,
    };
    action.end(error, Some(code), &finished.stdout, &finished.stderr)
}

fn outcome(exit: Exit, limit: Option<Duration>) -> Outcome {
    let limit = limit.unwrap_or_default().as_secs_f64();
    match exit {
        Exit::Code(0) => Outcome::Succeeded,
        Exit::Code(code) => Outcome::Failed(format!("exit status {code}")),
        // What an agent that stops sends to its hooks.
        Exit::Signal(9 | 15) => Outcome::Interrupted,
        Exit::Signal(signal) => Outcome::Failed(format!("killed by signal {signal}")),
        Exit::TimedOut => Outcome::Failed(format!("it ran longer than {limit} s and was killed")),
    }
}

/// What runs for an event: `dispatch` for all of them, else the event's own
/// program.
fn find_program(charm: &Path, event: &Event) -> Program {
    let candidates = [charm.join("dispatch"), charm.join(event.dispatch_path())];
    let Some(path) = candidates.into_iter().find(|path| path.exists()) else {
        return Program::None;
    };
    let executable = path.is_file() && rustix::fs::access(&path, Access::EXEC_OK).is_ok();
    match executable {
        true => Program::File(path),
        false => Program::NotExecutable(path),
    }
}

fn shown(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Names one run of one hook: `<unit>-<hook>-<32 hexadecimal digits>`.
fn context_id(unit: &str, event: &Event) -> String {
    let name = match &event.kind {
        Kind::Action { name, .. } => name.clone(),
        _ => event.hook_name(),
    };
    format!("{unit}-{name}-{}", random_hex())
}

/// 32 hexadecimal digits.
pub fn random_hex() -> String {
    let mut bytes = [0_u8; 16];
    // Should the machine have no random numbers, the id is only less new.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Collects what happens in a hook, and passes it on.
struct Recorder<'a> {
    observer: &'a mut dyn Observer,
    notices: Notices,
    calls: Vec<ToolCall>,
    logs: Vec<LogLine>,
}

impl<'a> Recorder<'a> {
    fn new(observer: &'a mut dyn Observer, notices: Notices) -> Self {
        Recorder {
            observer,
            notices,
            calls: Vec::new(),
            logs: Vec::new(),
        }
    }

    fn run(
        &mut self,
        command: Command,
        limit: Option<Duration>,
        interrupt: &Interrupt,
    ) -> std::io::Result<Finished> {
        let bell = self.notices.clone();
        process::run(command, limit, [&bell, interrupt], &mut |happening| {
            // What the charm called before it printed comes before it.
            self.drain();
            match happening {
                Happening::Bell => {}
                Happening::Slow => self.observer.dispatch_is_slow(),
                Happening::Line(Stream::Out, line) => self.log(Level::Debug, line),
                Happening::Line(Stream::Err, line) => self.log(Level::Warning, line),
            }
        })
    }

    fn drain(&mut self) {
        for notice in self.notices.take() {
            self.note(notice);
        }
    }

    fn log(&mut self, level: Level, message: String) {
        self.note(Notice::Log(LogLine { level, message }));
    }

    fn note(&mut self, notice: Notice) {
        self.observer.notice(&notice);
        match notice {
            Notice::Call(call) => self.calls.push(call),
            Notice::Log(line) => self.logs.push(line),
            Notice::UnitStatus(_) | Notice::AppStatus(_) | Notice::WorkloadVersion(_) => {}
        }
    }

    fn finish(
        self,
        event: &Event,
        finished: Option<Finished>,
        outcome: Outcome,
        deferred: Vec<String>,
    ) -> DispatchRecord {
        let exit_code = finished.as_ref().and_then(|finished| match finished.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) | Exit::TimedOut => None,
        });
        let duration = finished
            .map(|finished| finished.duration)
            .unwrap_or_default();
        let record = DispatchRecord {
            event: event.name(),
            exit_code,
            duration_ms: duration.as_secs_f64() * 1000.0,
            hook_tools: self.calls,
            logs: self.logs,
            deferred,
            outcome,
        };
        self.observer.dispatch_ends(&record);
        record
    }
}
