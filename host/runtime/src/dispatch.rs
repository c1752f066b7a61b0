//! One dispatch, from the environment to the exit code.

use std::ffi::OsString;

use charmhost_framework::Framework;
use charmhost_juju::{Environment, Event, Level, Metadata, Model, Relations};
use wasmtime::Store;

use crate::bindings::entry::Outcome;
use crate::containers::Containers;
use crate::kept::Local;
use crate::legacy;
use crate::limits;
use crate::settings::{OPERATOR_VARIABLE, Operator, Settings, Storage};
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
pub fn dispatch(args: &[String], vars: impl Fn(&str) -> Option<OsString>) -> u8 {
    let environment = match Environment::read(&vars) {
        Ok(environment) => environment,
        Err(error) => return complain(&error),
    };
    let transport = match charmhost_juju::transport(&environment, &vars) {
        Ok(transport) => transport,
        // Nothing is to be done, so nothing needs an agent.
        Err(_) if environment.is_reentrant() => return 0,
        Err(error) => return complain(&error),
    };
    let mut model = Model::new(transport, &environment.charm_dir);
    if environment.is_reentrant() {
        let line = format!("Charm called itself via {}.", environment.dispatch_path);
        model.log(Level::Debug, &line);
        return 0;
    }
    if environment.debug {
        model.echo_logs();
    }
    let up = format!("charmhost {} up and running.", env!("CARGO_PKG_VERSION"));
    model.log(Level::Debug, &up);
    match Prepared::new(&environment, &mut model, &vars) {
        Ok(prepared) => {
            let may_run = prepared.settings.grants.legacy_hooks;
            if let Some(code) = legacy::run(&environment, &mut model, args, may_run) {
                return code;
            }
            prepared.run(environment, model, vars)
        }
        Err(error) => {
            model.log(Level::Error, &error);
            complain(&error)
        }
    }
}

fn complain(error: &dyn std::fmt::Display) -> u8 {
    eprintln!("ERROR {error}");
    FAILED
}

/// What can be read and checked before anything runs.
struct Prepared {
    metadata: Metadata,
    event: Option<Event>,
    settings: Settings,
}

impl Prepared {
    fn new(
        environment: &Environment,
        model: &mut Model,
        vars: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let metadata = Metadata::load(&environment.charm_dir).map_err(|error| text(&error))?;
        let event = environment.event(&metadata).map_err(|error| text(&error))?;
        if event.is_none() {
            let name = environment.event_name();
            let line = format!("Event {name} not defined for {}.", metadata.name);
            model.log(Level::Debug, &line);
        }
        let settings = settings(environment, vars)?;
        Ok(Prepared {
            metadata,
            event,
            settings,
        })
    }

    fn run(
        self,
        environment: Environment,
        mut model: Model,
        vars: impl Fn(&str) -> Option<OsString>,
    ) -> u8 {
        let restricted = environment.is_restricted();
        let names = self.metadata.event_names();
        let defines = Box::new(move |name: &str| names.contains(name));
        let settings = &self.settings.state;
        if restricted && settings.storage == Storage::Juju {
            let name = environment.event_name();
            let line = format!("Ignoring {name}: Juju keeps no state in its context.");
            model.log(Level::Debug, &line);
            return 0;
        }
        let (local, queue) = match Local::open(&environment, settings, &self.metadata, &mut model) {
            Ok(opened) => opened,
            Err(error) => {
                model.log(Level::Error, &error.to_string());
                return complain(&error);
            }
        };
        let charm = CharmState {
            framework: Framework::new(self.event, restricted, defines, queue),
            local: Some(local),
            relations: Relations::new(&environment, &self.metadata),
            containers: Containers::of(&self.metadata),
            environment,
            metadata: self.metadata,
            model,
            handler: None,
            crash: None,
        };
        let Settings { limits, grants, .. } = self.settings;
        let host_buffer = limits.host_buffer();
        let state = State::new(charm, limits, &grants, vars);
        Run { state, host_buffer }.run()
    }
}

/// What the charm wants, as far as the operator lets it.
fn settings(
    environment: &Environment,
    vars: impl Fn(&str) -> Option<OsString>,
) -> Result<Settings, String> {
    let charm_dir = &environment.charm_dir;
    let wanted = Settings::load(charm_dir).map_err(|error| error.to_string())?;
    let file = vars(OPERATOR_VARIABLE).filter(|file| !file.is_empty());
    let operator = Operator::load(file.map(Into::into)).map_err(|error| error.to_string())?;
    let settings = operator.narrow(&wanted);
    match settings.grants.writes_charm(charm_dir) {
        Some(path) => Err(format!(
            "cannot grant the charm to write {}: its own code is there, or below; name the directories that it needs",
            path.display()
        )),
        None => Ok(settings),
    }
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
                let component = artifact::load(&engine, &path).map_err(|e| e.to_string())?;
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
        if let Err(error) = limits::limit_cpu(&mut store, &engine, |state| &mut state.limiter) {
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
    state.tell_denials();
    state.files.clean();
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
                        eprintln!("{}", exit.message);
                    }
                    exit.code
                }
            }
        }
        Err(error) => {
            state.limiter.explain(&error);
            let failure = match crash {
                Some(report) => Failure::reported(report),
                None => Failure::trapped(&error, state.limiter.exceeded()),
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
    let local = charm.local.take();
    let saved = local.map(|local| local.write(charm.framework.queue(), &mut charm.model));
    match saved {
        None | Some(Ok(())) => 0,
        Some(Err(error)) => {
            charm.model.log(Level::Error, &error.to_string());
            complain(&error)
        }
    }
}

/// Logs a failure in one line; in an action, the operator who runs it is told
/// too.
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
    charm.model.log(Level::Error, &line);
    if charm.environment.action_name.is_some() {
        eprintln!("Uncaught {kind} in charm code: {message}");
        eprintln!("Use `juju debug-log` to see where.");
    }
}
