//! The agent of a unit: runs the charm for one event after the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use charmhost_juju::Metadata;
use charmhost_sim_model::{
    Action, ActionRecord, Actions, AgentPaths, Controller, Hook, HookContext, HookKind, Level,
    LogLine, UnitView, WorkloadEvent, environment,
};
use rustix::fs::Access;

use crate::containers::Containers;
use crate::deferred_events::deferred;
use crate::event::{Change, Event};
use crate::execution_target::{CharmHost, ExecutionTarget};
use crate::hook_tool_server::Server;
use crate::interrupt::Interrupt;
use crate::model_changes;
use crate::process::{self, Exit, Finished, ProcessEvent, Stream};
use crate::random::random_hex;
use crate::redactor::Redactor;
use crate::report::{DispatchRecord, Observer, Outcome};
use crate::scenario::build;
use crate::sim_event::{SimEvent, ToolCall};
use crate::sim_event_queue::SimEventQueue;
use crate::unit_dirs::UnitDirs;
use crate::work_dir::WorkDir;
use crate::{Error, HookTools, Options};

/// How long connections that are still open after a hook are waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How the dispatches of a simulation run.
pub struct DispatchSettings {
    /// How long a dispatch may take.
    pub limit: Option<Duration>,
    /// Whether hooks run although one has failed.
    pub keep_going: bool,
    /// How often a hook that failed is run again.
    pub retries: u32,
    /// The way in which `dispatch` of this host calls hook tools, if it is forced.
    pub hook_tools: Option<&'static str>,
    /// How values of secrets are reported.
    pub redactor: Redactor,
    /// What ends the simulation early.
    pub interrupt: Interrupt,
}

impl DispatchSettings {
    /// The settings that options ask for.
    pub fn new(options: &Options, interrupt: Interrupt) -> Self {
        DispatchSettings {
            limit: options.limit,
            keep_going: options.keep_going,
            retries: options.retries,
            hook_tools: options.hook_tools.map(|choice| match choice {
                HookTools::Rpc => "rpc",
                HookTools::Exec => "exec",
            }),
            redactor: match options.show_secrets {
                true => Redactor::disabled(),
                false => Redactor::new(),
            },
            interrupt,
        }
    }
}

/// What an agent works with beside its unit.
pub struct Surroundings<'a> {
    pub controller: &'a mut Controller,
    pub settings: &'a DispatchSettings,
    pub observer: &'a mut dyn Observer,
}

/// The agent of a unit.
pub struct UnitAgent {
    /// The unit.
    pub name: String,
    pub metadata: Metadata,
    pub dirs: UnitDirs,
    /// Where the charm runs: in namespaces, or on this machine.
    pub target: ExecutionTarget,
    pub containers: Containers,
    /// The actions that its charm defines.
    pub actions_of_charm: Actions,
    /// The actions that ran.
    pub actions: Vec<ActionRecord>,
    /// Its working directory.
    pub work_dir: WorkDir,
}

/// What ran for an event.
enum Program {
    /// This file, which can be executed.
    File(PathBuf),
    /// This file, which cannot.
    NotExecutable(PathBuf),
    None,
}

impl UnitAgent {
    /// Runs the charm for an event, and again if it fails and that is wanted.
    /// Returns nothing if the charm was not run at all.
    pub fn run(
        &mut self,
        mut event: Event,
        around: &mut Surroundings,
    ) -> Result<Vec<DispatchRecord>, Error> {
        self.change(&mut event, around.controller)?;
        let failed = &mut around.controller.unit_mut(&self.name)?.agent.failed_hook;
        if let (false, Some(hook)) = (event.kind.is_action(), &failed) {
            if !around.settings.keep_going {
                let hook = hook.event_name();
                let reason = format!("the unit is in error since {hook} failed");
                around.observer.event_skipped(&event.name(), &reason);
                return Ok(Vec::new());
            }
            *failed = None;
        }
        let program = find_program(&self.dirs.charm(), &event.kind);
        around.controller.hook_starts(&self.name, &event.kind);
        let mut records = Vec::new();
        if let Program::None = program {
            let path = event.kind.dispatch_path();
            let reason = format!("the charm has no dispatch and no {path}");
            around.observer.event_skipped(&event.name(), &reason);
            self.skip(&event.kind);
        } else {
            records.push(self.dispatch(&event, &program, around)?);
        }
        let succeeded = |records: &[DispatchRecord]| {
            let last = records.last();
            last.is_none_or(|record| record.outcome == Outcome::Succeeded)
        };
        let mut left = match event.kind.is_action() {
            true => 0,
            false => around.settings.retries,
        };
        let settings = around.settings;
        let is_interrupted = || settings.interrupt.signal().is_some();
        while !succeeded(&records) && left > 0 && !is_interrupted() {
            left -= 1;
            around.controller.unit_mut(&self.name)?.agent.failed_hook = None;
            records.push(self.dispatch(&event, &program, around)?);
        }
        if succeeded(&records) {
            around.controller.hook_succeeded(&self.name, &event.kind);
        }
        Ok(records)
    }

    /// Removes everything that the unit has on this machine.
    pub fn remove(self) -> Result<(), Error> {
        drop(self.containers);
        drop(self.target);
        self.work_dir.remove()
    }

    /// A hook without a program counts as run; an action does not (juju §1.2).
    fn skip(&mut self, hook: &HookKind) {
        if let HookContext::Action(action) = hook.context() {
            let error = format!("action not implemented on unit {:?}", self.name);
            self.actions.push(action.end(Some(error), None, b"", b""));
        }
    }

    fn dispatch(
        &mut self,
        event: &Event,
        program: &Program,
        around: &mut Surroundings,
    ) -> Result<DispatchRecord, Error> {
        let settings = around.settings;
        let view = around.controller.view(&self.name).unwrap_or_default();
        let context_id = context_id(&self.name, &event.kind);
        let socket = self.dirs.socket();
        let environment = self.environment(&view, &event.kind, &context_id, settings);
        let events =
            SimEventQueue::new().map_err(|error| Error::io("listen on", &socket, error))?;
        let host = Box::new(CharmHost(self.target.root()));
        let hook = Hook::new(view, event.kind.context()).with_host(host);
        let redactor = settings.redactor.clone();
        let server = Server::open(&socket, &context_id, hook, events.clone(), redactor)?;

        around.observer.dispatch_starts(&event.name(), &environment);
        let mut recorder = Recorder::new(around.observer, events);
        let finished = match program {
            Program::File(path) => {
                let dir = self.dirs.seen(&self.dirs.charm());
                let mut command = self.target.command_in(&dir, &self.dirs.seen(path));
                command.env_clear().envs(environment);
                recorder
                    .run(command, settings.limit, &settings.interrupt)
                    .map_err(|error| format!("cannot run {}: {error}", shown(path)))
            }
            Program::NotExecutable(path) => Err(format!(
                "cannot run {0}: permission denied; make it executable with chmod +x {0}",
                shown(path)
            )),
            Program::None => Err("there is nothing to run".to_owned()),
        };
        let outcome = self.end(
            event,
            &server,
            &finished,
            (&mut *around.controller, settings),
            &mut recorder,
        );
        recorder.drain();
        for name in server.close(TIMEOUT) {
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
        let state = &around.controller.unit_mut(&self.name)?.state;
        let deferred = deferred(&self.dirs.charm(), state);
        Ok(recorder.finish(event, finished.ok(), outcome, deferred))
    }

    fn environment(
        &self,
        view: &UnitView,
        hook: &HookKind,
        context_id: &str,
        settings: &DispatchSettings,
    ) -> Vec<(String, String)> {
        let paths = AgentPaths {
            charm: &self.dirs.seen(&self.dirs.charm()),
            tools: &self.dirs.seen(&self.dirs.tools()),
            socket: &self.dirs.seen(&self.dirs.socket()),
            hook_tools: settings.hook_tools,
        };
        let action_id = self.actions.len() as u64 + 1;
        environment(view, hook, action_id, context_id, &paths)
    }

    /// Ends the hook, and commits its changes if it succeeded (juju §4).
    fn end(
        &mut self,
        event: &Event,
        server: &Server,
        finished: &Result<Finished, String>,
        (controller, settings): (&mut Controller, &DispatchSettings),
        recorder: &mut Recorder,
    ) -> Outcome {
        let mut outcome = match finished {
            Ok(finished) => outcome(finished.exit, settings.limit),
            Err(reason) => Outcome::Failed(reason.clone()),
        };
        let Some(mut hook) = server.end_hook() else {
            return outcome;
        };
        if event.is_rejected {
            hook.reject("the scenario says so".to_owned());
        }
        let (view, action, accepted) = hook.end(outcome == Outcome::Succeeded);
        controller.commit(view);
        if let Err(reason) = accepted {
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
                if let Ok(unit) = controller.unit_mut(&self.name) {
                    unit.agent.failed_hook = Some(event.kind.clone());
                }
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

impl UnitAgent {
    /// Applies the changes that come before an event.
    fn change(&mut self, event: &mut Event, controller: &mut Controller) -> Result<(), Error> {
        for change in std::mem::take(&mut event.changes) {
            match change {
                Change::StartContainer { name } => self.containers.start(&name, &self.target)?,
                Change::RestartContainer { name } => {
                    self.containers.restart(&name, &self.target)?;
                }
                Change::NewPod => self.containers.stop_all(),
                Change::Notify {
                    container,
                    key,
                    data,
                } => {
                    self.containers.start(&container, &self.target)?;
                    let made = self.containers.notify(&container, &key, &data)?;
                    if let HookKind::Workload {
                        what: WorkloadEvent::CustomNotice { id, .. },
                        ..
                    } = &mut event.kind
                    {
                        *id = Some(made);
                    }
                }
                Change::Storage { id } => {
                    let storage = build::storage(&id, &self.metadata, &self.dirs)?;
                    let storages = &mut controller.unit_mut(&self.name)?.storages;
                    storages.entry(id).or_insert(storage);
                }
                change => model_changes::apply(controller, &self.name, change)?,
            }
        }
        Ok(())
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
fn find_program(charm: &Path, hook: &HookKind) -> Program {
    let candidates = [charm.join("dispatch"), charm.join(hook.dispatch_path())];
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
fn context_id(unit: &str, hook: &HookKind) -> String {
    let name = match hook {
        HookKind::Action { name, .. } => name.clone(),
        _ => hook.hook_name(),
    };
    format!("{unit}-{name}-{}", random_hex())
}

/// Collects what happens in a hook, and passes it on.
struct Recorder<'a> {
    observer: &'a mut dyn Observer,
    events: SimEventQueue,
    calls: Vec<ToolCall>,
    logs: Vec<LogLine>,
}

impl<'a> Recorder<'a> {
    fn new(observer: &'a mut dyn Observer, events: SimEventQueue) -> Self {
        Recorder {
            observer,
            events,
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
        let wakeup = self.events.clone();
        process::run(command, limit, [&wakeup, interrupt], &mut |event| {
            // What the charm called before it printed comes before it.
            self.drain();
            match event {
                ProcessEvent::Wakeup => {}
                ProcessEvent::Slow => self.observer.dispatch_is_slow(),
                ProcessEvent::Line(Stream::Out, line) => self.log(Level::Debug, line),
                ProcessEvent::Line(Stream::Err, line) => self.log(Level::Warning, line),
            }
        })
    }

    fn drain(&mut self) {
        for event in self.events.take() {
            self.note(event);
        }
    }

    fn log(&mut self, level: Level, message: String) {
        self.note(SimEvent::Log(LogLine { level, message }));
    }

    fn note(&mut self, event: SimEvent) {
        self.observer.sim_event(&event);
        match event {
            SimEvent::Call(call) => self.calls.push(call),
            SimEvent::Log(line) => self.logs.push(line),
            SimEvent::UnitStatus(_) | SimEvent::AppStatus(_) | SimEvent::WorkloadVersion(_) => {}
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
