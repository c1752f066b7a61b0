//! One dispatch, from the environment to the exit code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charmhost_error_chain::ErrorChain;
use charmhost_framework::Framework;
use charmhost_hook_tools::{AgentTransport, Policy};
use charmhost_juju::{
    Environment, EnvironmentError, Event, Level, Metadata, MetadataError, Model, Stderr,
};
use charmhost_sandbox::kernel::{Restriction, Rules};
use charmhost_sandbox::{
    DenialLog, DiskQuota, Exceeded, Files, HookToolTransport, HostMemory, OperatorPolicy,
    POLICY_VARIABLE, RootError, Sandbox, limit_cpu,
};
use charmhost_store::{Error as StateError, OpenOptions, Transaction};
use wasmtime::Store;

use crate::bindings::entry::Outcome;
use crate::containers::Containers;
use crate::legacy;
use crate::settings::Settings;
use crate::state::{CharmState, State};
use crate::trap::Failure;
use crate::{COMPILED_NAME, artifact, engine, world};

/// The exit code of a dispatch that failed on its own account.
const FAILED: u8 = 1;

/// Handles the event that the environment tells of.
///
/// `args` are the program's own, with its name first; `vars` looks up a
/// variable of the environment. Gives the exit code: 0 when the event was
/// handled or the charm does not know it, 1 when anything failed, else what
/// the charm or its legacy hook asked for.
///
/// `restrict` is called once everything native has run, before the guest does:
/// it makes the kernel keep this process from what the guest may not reach.
pub fn dispatch(
    args: &[String],
    vars: impl Fn(&str) -> Option<OsString>,
    restrict: impl FnOnce(&Rules) -> Restriction,
) -> u8 {
    let environment = match Environment::read(&vars) {
        Ok(environment) => environment,
        Err(error) => return complain(&error.chain()),
    };
    let stated = Settings::load(&environment.charm_dir).map_err(|error| error.chain().to_string());
    let policy = policy(&vars);
    let mut options = environment.hook_tools(&vars);
    if options.choice.is_empty() {
        options.choice = transport_choice(&stated, &policy).to_owned();
    }
    let transport = match AgentTransport::new(options, stderr()) {
        Ok(transport) => Box::new(transport),
        // Nothing is to be done, so nothing needs an agent.
        Err(_) if environment.is_reentrant() => return 0,
        Err(error) => return complain(&error.chain()),
    };
    let metadata = Metadata::load(&environment.charm_dir).map(Arc::new);
    let known = metadata.clone().unwrap_or_default();
    let mut model = Model::new(transport, &environment, known, stderr());
    if let Ok(policy) = &policy {
        model.set_timeout(policy.hook_tool_timeout());
    }
    if environment.is_reentrant() {
        let line = format!("Charm called itself via {}.", environment.dispatch_path);
        model.log(Level::Debug, &line);
        return 0;
    }
    if environment.debug {
        model.copy_log_to_stderr();
    }
    let up = format!("charmhost {} up and running.", env!("CARGO_PKG_VERSION"));
    model.log(Level::Debug, &up);
    match Prepared::new(metadata, stated, policy) {
        Ok(prepared) => {
            let may_run = prepared.settings.grants.legacy_hooks;
            if let Some(code) = legacy::run(&environment, &mut model, args, may_run) {
                return code;
            }
            match prepared.event(&environment, &mut model) {
                Ok(event) => prepared.run(event, environment, model, vars, restrict),
                Err(error) => fail(&mut model, &error),
            }
        }
        Err(error) => fail(&mut model, &error),
    }
}

fn fail(model: &mut Model, error: &dyn std::fmt::Display) -> u8 {
    model.log(Level::Error, &error.to_string());
    complain(error)
}

fn stderr() -> Stderr {
    Stderr::new(std::io::stderr())
}

fn print_error(line: &str) {
    stderr().write_line(line);
}

fn complain(error: &dyn std::fmt::Display) -> u8 {
    print_error(&format!("ERROR {error}"));
    FAILED
}

/// What can be read and checked before anything runs.
struct Prepared {
    metadata: Arc<Metadata>,
    settings: Settings,
}

impl Prepared {
    fn new(
        metadata: Result<Arc<Metadata>, MetadataError>,
        stated: Result<Settings, String>,
        policy: Result<OperatorPolicy, String>,
    ) -> Result<Self, String> {
        let metadata = metadata.map_err(|error| error.chain().to_string())?;
        let settings = stated?.narrowed(&policy?);
        Ok(Prepared { metadata, settings })
    }

    /// The event, with its arguments. Legacy hooks run before it is made (ops
    /// §2.1, steps 7 and 11): a variable that it needs is none of theirs.
    fn event(
        &self,
        environment: &Environment,
        model: &mut Model,
    ) -> Result<Option<Event>, EnvironmentError> {
        let event = environment.event(&self.metadata)?;
        if event.is_none() {
            let name = environment.event_name();
            let line = format!("Event {name} not defined for {}.", self.metadata.name);
            model.log(Level::Debug, &line);
        }
        Ok(event)
    }

    fn run(
        self,
        event: Option<Event>,
        environment: Environment,
        mut model: Model,
        vars: impl Fn(&str) -> Option<OsString>,
        restrict: impl FnOnce(&Rules) -> Restriction,
    ) -> u8 {
        let restricted = environment.is_restricted();
        let metadata = Arc::clone(&self.metadata);
        let defines = Box::new(move |name: &str| metadata.has_event(name));
        let host_buffer = self.settings.limits.host_buffer();
        let backend = self.settings.state.storage.backend(&environment.charm_dir);
        let options = OpenOptions {
            restricted,
            mode: self.settings.state.mode,
            limit: host_buffer,
        };
        let begun = Transaction::begin(backend, options, &self.metadata, &mut model);
        let (local, queue) = match begun {
            Ok(begun) => begun,
            Err(StateError::Unavailable(reason)) => {
                let line = format!("Ignoring {}: {reason}.", environment.event_name());
                model.log(Level::Debug, &line);
                return 0;
            }
            Err(error) => {
                let error = error.chain().to_string();
                model.log(Level::Error, &error);
                return complain(&error);
            }
        };
        let mut charm = CharmState {
            framework: Framework::new(event, restricted, defines, queue),
            local,
            containers: Containers::of(&self.metadata),
            hook_tools: Policy::new(self.settings.grants.hook_tools.iter().cloned()),
            environment,
            metadata: self.metadata,
            model,
            handler: None,
            crash: None,
        };
        let memory = HostMemory::new(self.settings.limits.host_memory());
        let sandbox = match sandbox(&charm.environment.charm_dir, &self.settings, &memory, vars) {
            Ok(sandbox) => sandbox,
            Err(error) => {
                charm.model.log(Level::Error, &error);
                return complain(&error);
            }
        };
        let Settings { limits, .. } = self.settings;
        let mut state = State::new(charm, limits, memory, sandbox);
        state.log_denials();
        restrict_process(&mut state, restrict);
        Run { state, host_buffer }.run()
    }
}

/// How hook tools are called, as far as the files that say so can be read: why
/// one cannot is logged later, which needs hook tools.
fn transport_choice(
    stated: &Result<Settings, String>,
    policy: &Result<OperatorPolicy, String>,
) -> &'static str {
    let stated = stated.as_ref().map(|settings| settings.hook_tools);
    let mut settings = stated.unwrap_or_default();
    if let Ok(policy) = policy {
        settings = policy.hook_tools(settings);
    }
    match settings.transport {
        HookToolTransport::Auto => "",
        HookToolTransport::Rpc => "rpc",
        HookToolTransport::Exec => "exec",
    }
}

/// What the operator allows charms.
fn policy(vars: impl Fn(&str) -> Option<OsString>) -> Result<OperatorPolicy, String> {
    let file = vars(POLICY_VARIABLE).filter(|file| !file.is_empty());
    OperatorPolicy::load(file.map(Into::into)).map_err(|error| error.chain().to_string())
}

/// The sandbox of a charm, with all of its roots opened.
fn sandbox(
    charm_dir: &Path,
    settings: &Settings,
    memory: &HostMemory,
    vars: impl Fn(&str) -> Option<OsString>,
) -> Result<Sandbox, String> {
    let denials = DenialLog::default();
    let quota = DiskQuota::new(settings.limits.disk(), denials.clone());
    let files = Files::new(charm_dir, quota, memory.clone(), denials.clone());
    let mut files = files.map_err(|error| format!("cannot open the charm's directory: {error}"))?;
    if let Some(parent) = charm_dir.parent() {
        // There is none before the first resource was fetched.
        let _ = files.add_readable(&parent.join("resources"));
    }
    let add = |kind: &str, path: &PathBuf, added: Result<(), RootError>| match added {
        Ok(()) => Ok(()),
        // The charm finds nothing there, as the machine has nothing there.
        Err(error) if error.is_missing() => Ok(()),
        // Others than the packer can bring these about, and must not be able
        // to stop the charm.
        Err(error @ (RootError::Link { .. } | RootError::Open { .. } | RootError::Kind(_))) => {
            let reason = error.chain();
            denials.note(&format!("Cannot grant {kind} = [{path:?}]: {reason}."));
            Ok(())
        }
        Err(error) => {
            let reason = error.chain();
            Err(format!("cannot grant {kind} = [{path:?}]: {reason}"))
        }
    };
    let grants = &settings.grants;
    for path in &grants.read {
        add("read", path, files.add_readable(path))?;
    }
    for path in &grants.write {
        add("write", path, files.add_writable(path))?;
    }
    Ok(Sandbox::new(charm_dir, files, grants, vars))
}

/// Where Juju puts storage whose place the charm does not name.
const STORAGE: &str = "/var/lib/juju/storage";

/// Makes the kernel restrict this process to what the guest may reach and the
/// host needs for it.
fn restrict_process(state: &mut State, restrict: impl FnOnce(&Rules) -> Restriction) {
    let charm = &mut state.charm;
    if let Err(error) = charm.model.prepare_restriction() {
        let line = format!(
            "The kernel does not restrict this dispatch: no other process can run hook tools: {error}."
        );
        charm.model.log(Level::Debug, &line);
        return;
    }
    let storage: Vec<PathBuf> = match charm.metadata.storage.is_empty() {
        true => Vec::new(),
        false => {
            let named = charm.metadata.storage_locations();
            named.into_iter().chain([STORAGE.into()]).collect()
        }
    };
    let mut rules = state.sandbox.rules();
    rules
        .writable_paths
        .extend(storage.iter().map(PathBuf::as_path));
    if let Restriction::Absent(reason) = restrict(&rules) {
        let line = format!("The kernel does not restrict this dispatch: {reason}.");
        charm.model.log(Level::Debug, &line);
    }
}

/// Ends the process: the host itself works on for a guest that has used up its
/// processor time, and cannot be stopped otherwise. Nothing was saved yet.
fn overrun(exceeded: &Exceeded) {
    complain(exceeded);
    std::process::exit(FAILED.into());
}

/// A charm about to run.
struct Run {
    state: State,
    /// What one call of the guest can make the host hold, in bytes.
    host_buffer: usize,
}

impl Run {
    fn run(mut self) -> u8 {
        let path = self.state.charm.environment.charm_dir.join(COMPILED_NAME);
        let loaded = engine::engine()
            .map_err(|error| format!("cannot start the WebAssembly engine: {error:#}"))
            .and_then(|engine| {
                let component = artifact::load(&engine, &path);
                let component = component.map_err(|error| error.chain().to_string())?;
                let linker = world::linker(&engine, &component)
                    .map_err(|error| format!("cannot link {}: {error:#}", path.display()))?;
                let pre = world::prepare(&linker, &component)
                    .map_err(|error| format!("cannot run {}: {error}", path.display()))?;
                Ok((engine, pre))
            });
        let (engine, pre) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                self.state.charm.model.log(Level::Error, &error);
                return complain(&error);
            }
        };
        // The futures of host functions need timers and readiness of files.
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return complain(&format!("cannot start: {error}")),
        };
        let mut store = Store::new(&engine, self.state);
        store.set_hostcall_fuel(self.host_buffer);
        store.limiter(|state| &mut state.limiter);
        let limited = limit_cpu(&mut store, &engine, |state| &mut state.limiter, overrun);
        if let Err(error) = limited {
            return complain(&format!(
                "cannot start the thread that limits processor time: {error}"
            ));
        }
        let outcome = runtime.block_on(async {
            let charm = pre.instantiate_async(&mut store).await?;
            charm.charmhost_entry_entry().call_run(&mut store).await
        });
        let code = finish(store.data_mut(), outcome);
        // The process ends here, and the system takes everything back in one
        // go, the agent's connection included.
        std::mem::forget((store, runtime, pre, engine));
        code
    }
}

/// Turns how the guest ended into an exit code, and tells what went wrong.
fn finish(state: &mut State, outcome: wasmtime::Result<Outcome>) -> u8 {
    let crash = state.charm.crash.take();
    state.log_denials();
    state.sandbox.clean();
    match outcome {
        Ok(outcome) => {
            if let Some(report) = crash {
                tell(&mut state.charm, &Failure::reported(report));
            }
            match outcome {
                Outcome::Completed => save(&mut state.charm),
                Outcome::Aborted => 0,
                Outcome::Exited(exit) => {
                    if !exit.message.is_empty() {
                        print_error(&exit.message);
                    }
                    exit.code
                }
            }
        }
        Err(error) => {
            let failure = match crash {
                Some(report) => Failure::reported(report),
                None => Failure::trapped(&error, &state.limiter),
            };
            tell(&mut state.charm, &failure);
            FAILED
        }
    }
}

/// Keeps what was deferred: the last thing that a dispatch does.
fn save(charm: &mut CharmState) -> u8 {
    let left = charm.framework.close();
    if left > 0 {
        let line = format!(
            "The charm ended before it had handled everything: {left} deliveries come again in the next dispatch."
        );
        charm.model.log(Level::Warning, &line);
    }
    let queue = charm.framework.queue();
    match charm.local.commit(queue, &mut charm.model) {
        Ok(()) => 0,
        Err(error) => {
            let error = error.chain().to_string();
            charm.model.log(Level::Error, &error);
            complain(&error)
        }
    }
}

/// Logs a failure in one line, which standard error gets instead if the log
/// cannot be written; in an action, the operator who runs it reads it too.
fn tell(charm: &mut CharmState, failure: &Failure) {
    let Failure {
        kind,
        message,
        place,
        traceback,
    } = failure;
    let place = place
        .as_ref()
        .map(|place| format!(" at {place}"))
        .unwrap_or_default();
    let (handler, event) = match &charm.handler {
        Some((handler, event)) => (handler.clone(), event.clone()),
        None => ("none".to_owned(), charm.environment.event_name()),
    };
    let mut line = format!(
        "Uncaught {kind} in charm code: {message}{place} (charm {}, event {event}, handler {handler})",
        charm.metadata.name
    );
    if !traceback.is_empty() {
        line.push('\n');
        line.push_str(traceback);
    }
    if !charm.model.log(Level::Error, &line) {
        complain(&line);
    }
    if charm.environment.action_name.is_some() {
        print_error(&format!("Uncaught {kind} in charm code: {message}"));
        print_error("Use `juju debug-log` to see where.");
    }
    charm.model.log_crash(kind, message);
}
