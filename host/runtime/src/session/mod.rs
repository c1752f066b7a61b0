//! One session: a charm handles one event (ops §2.1).
//!
//! A [`Session`] knows the machine and Juju by its [`Host`] only. It reads no
//! variables, prints nothing, never ends the process, and leaves nothing behind
//! when its [`Outcome`] is dropped: many sessions can run in one process, also
//! at the same time.

mod ending;
mod guest;
mod host;
mod legacy_hooks;
mod outcome;
mod report;
mod sandbox;

use std::collections::BTreeMap;
use std::sync::Arc;

use charmhost_error_chain::ErrorChain;
use charmhost_framework::{Event, Framework, Queue, Revision};
use charmhost_hook_tools::Policy;
use charmhost_juju::{Environment, Level, Metadata, Model, Stderr};
use charmhost_sandbox::{GuestHost, HostMemory};
use charmhost_store::{Backend, Error as StoreError, OpenOptions, Transaction};

use crate::artifact::CompiledCharm;
use crate::containers::Containers;
use crate::settings::Settings;
use crate::state::{CharmState, State};
pub use ending::Ending;
pub use host::{Host, LegacyHooks, ProcessRestriction};
pub use outcome::Outcome;

/// A charm with the event that it is to handle.
pub struct Charm<'a> {
    /// What Juju sets in the environment of a dispatch.
    pub environment: Environment,
    /// The charm's definition, or why it cannot be used, which the session logs.
    pub definition: Result<Definition, String>,
    /// Loads the charm's code. Called once, before anything changes, or never.
    pub code: Box<dyn FnOnce() -> Result<CompiledCharm, String> + 'a>,
    /// Determines a text that changes with the charm's code; called if an event
    /// has no handler in it.
    pub revision: Revision,
}

/// The files that define a charm.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// `metadata.yaml`, `config.yaml` and `actions.yaml`.
    pub metadata: Arc<Metadata>,
    /// `charmhost.toml`, narrowed to what the operator allows.
    pub settings: Settings,
}

/// One event of one charm.
pub struct Session<'a> {
    host: Host<'a>,
    charm: Charm<'a>,
    without_deliveries: bool,
}

impl<'a> Session<'a> {
    /// A session on a host. Nothing happens before it runs.
    pub fn new(host: Host<'a>, charm: Charm<'a>) -> Self {
        Session {
            host,
            charm,
            without_deliveries: false,
        }
    }

    /// Delivers nothing: the charm registers its observers, which shows whether they
    /// match its metadata, and completes.
    pub fn without_deliveries(self) -> Self {
        Session {
            without_deliveries: true,
            ..self
        }
    }

    /// Handles the event, and commits the charm's local state if that succeeds.
    /// A failure is logged, and printed to standard error.
    pub fn run(self) -> Outcome {
        self.handle().unwrap_or_else(Outcome::from)
    }

    fn handle(self) -> Result<Outcome, Ending> {
        let Session {
            host,
            charm,
            without_deliveries,
        } = self;
        let environment = charm.environment;
        let stderr = host.stderr;
        // Without metadata there is still a log.
        let metadata = match &charm.definition {
            Ok(definition) => Arc::clone(&definition.metadata),
            Err(_) => Arc::default(),
        };
        let clock = host.clock;
        let mut model = Model::new(
            host.hook_tools,
            &environment,
            metadata,
            Arc::clone(&clock),
            stderr.clone(),
        );
        let begun = begin(
            &environment,
            charm.definition,
            charm.code,
            host.legacy_hooks,
            host.store,
            &mut model,
        );
        let Begun {
            definition: Definition { metadata, settings },
            code,
            event,
            local,
            queue,
        } = begun.map_err(|stop| stop.report(&mut model, &stderr))?;
        let known = Arc::clone(&metadata);
        let event_names = Box::new(move |name: &str| known.has_event(name));
        let mut charm_state = CharmState {
            framework: Framework::new(
                Some(event),
                environment.is_restricted(),
                event_names,
                queue,
                Arc::clone(&clock),
            )
            .with_revision(charm.revision),
            local,
            containers: Containers::new(&metadata, host.pebble),
            hook_tools: Policy::new(settings.grants.hook_tools.iter().cloned()),
            environment,
            metadata,
            model,
            stderr,
            handlers: BTreeMap::new(),
            crash: None,
            without_deliveries,
        };
        let memory = HostMemory::new(settings.limits.host_memory());
        let variables = sandbox::variables(&charm_state.environment, &settings, &host.variables);
        let charm_dir = &charm_state.environment.charm_dir;
        let guest = GuestHost {
            clocks: sandbox::clocks(&clock),
            output: host.guest_output,
        };
        let metadata = &charm_state.metadata;
        let sandbox = sandbox::open(charm_dir, metadata, &settings, &memory, guest, &variables)
            .map_err(|error| ending::failed(&mut charm_state, &error))?;
        let mut state = State::new(charm_state, settings.limits, memory, sandbox);
        state.log_denials();
        if let Some(restriction) = host.restriction {
            sandbox::restrict_process(&mut state, restriction);
        }
        let (ending, guest) = guest::run(state, code, host.cpu_ticker)?;
        Ok(Outcome::of_guest(ending, guest))
    }
}

/// A session whose guest is about to run.
struct Begun {
    definition: Definition,
    code: CompiledCharm,
    event: Event,
    local: Transaction,
    queue: Queue,
}

/// Why no guest runs.
enum Stop {
    Ended(Ending),
    Failed(String),
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Self {
        Stop::Ended(ending)
    }
}

impl Stop {
    fn report(self, model: &mut Model, stderr: &Stderr) -> Ending {
        match self {
            Stop::Ended(ending) => ending,
            Stop::Failed(error) => {
                model.log(Level::Error, &error);
                ending::failed_unlogged(stderr, &error)
            }
        }
    }
}

/// Loads the charm's code, runs a legacy hook, determines the event, and opens the local state
/// (ops §2.1, steps 4 to 8).
fn begin(
    environment: &Environment,
    definition: Result<Definition, String>,
    code: impl FnOnce() -> Result<CompiledCharm, String>,
    legacy_hooks: Option<&mut dyn LegacyHooks>,
    store: Box<dyn Backend>,
    model: &mut Model,
) -> Result<Begun, Stop> {
    if environment.is_reentrant() {
        let line = format!("Charm called itself via {}.", environment.dispatch_path);
        model.log(Level::Debug, &line);
        return Err(Ending::Reentered.into());
    }
    if environment.debug {
        model.copy_log_to_stderr();
    }
    let line = format!("charmhost {} up and running.", env!("CARGO_PKG_VERSION"));
    model.log(Level::Debug, &line);
    let definition = definition.map_err(Stop::Failed)?;
    let Definition { metadata, settings } = &definition;
    // Code that cannot run, for example of another release of the host, is
    // rejected before a hook or the state changes anything.
    let code = code().map_err(Stop::Failed)?;
    if let Some(hooks) = legacy_hooks {
        legacy_hooks::run(environment, model, hooks, &settings.grants)?;
    }
    // A legacy hook does not need the variables of the event: they are checked
    // after it (ops §2.1, steps 7 and 11).
    let event = environment
        .event(metadata)
        .map_err(|error| Stop::Failed(error.to_string()))?;
    // A charm that does not define the event is no failure (ops §2.2).
    let event = event.map(Event::Juju).unwrap_or_else(|| {
        let name = environment.event_name();
        let line = format!("Event {name} not defined for {}.", metadata.name);
        model.log(Level::Debug, &line);
        Event::Other {
            name,
            variables: environment.event_variables(),
        }
    });
    let options = OpenOptions {
        restricted: environment.is_restricted(),
        mode: settings.state.mode,
        limit: settings.limits.host_buffer(),
    };
    match Transaction::begin(store, options, metadata, model) {
        Ok((local, queue)) => Ok(Begun {
            definition,
            code,
            event,
            local,
            queue,
        }),
        Err(StoreError::Unavailable(reason)) => {
            let line = format!("Ignoring {}: {reason}.", environment.event_name());
            model.log(Level::Debug, &line);
            Err(Ending::Ignored.into())
        }
        Err(error) => Err(Stop::Failed(error.chain().to_string())),
    }
}
