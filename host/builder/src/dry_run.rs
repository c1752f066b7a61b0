//! Dry run of a built charm: its observers are checked against its metadata.
//!
//! The charm's constructor runs as in every dispatch, up to the first delivery, but
//! without Juju: options have their defaults, other hook tools fail.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use charmhost_archive::{Content, Project};
use charmhost_hook_tools::{MemoryTransport, ToolError, ToolOutput, Transport};
use charmhost_juju::{Environment, Metadata, Stderr, SystemClock};
use charmhost_pebble::{Connect, Connecting};
use charmhost_runtime::{
    Charm, CompiledCharm, Definition, Ending, Host, PebbleConnector, Session, Settings, engine,
};
use charmhost_sandbox::{GuestOutput, SharedTicker};
use charmhost_store::MemoryBackend;
use serde_json::{Map, Value};

use crate::Architecture;

/// What the components import whose observers the host knows.
const FRAMEWORK: &[u8] = b"charmhost:framework/framework@";

/// Checks the observers of a compiled charm against the metadata of its project.
/// Returns what the charm logged if it could not be created.
///
/// A charm that cannot be checked passes: one for another architecture, one without
/// `charmcraft.yaml`, one that is its own framework, and one that needs more of Juju
/// than its configuration to be created.
pub fn check(
    dir: &Path,
    component: &[u8],
    compiled: &Path,
    architecture: Architecture,
) -> Result<(), String> {
    let is_framework = |window: &[u8]| window == FRAMEWORK;
    if architecture != Architecture::host() || !component.windows(FRAMEWORK.len()).any(is_framework)
    {
        return Ok(());
    }
    let Ok(project) = Project::load(dir) else {
        return Ok(());
    };
    // What prevents the run itself is found by the commands that run charms.
    run(&project, compiled, architecture).unwrap_or(Ok(()))
}

type DynError = Box<dyn std::error::Error>;

fn run(
    project: &Project,
    compiled: &Path,
    architecture: Architecture,
) -> Result<Result<(), String>, DynError> {
    let charm_dir = tempfile::tempdir()?;
    for entry in project.documents(architecture.name())?.entries() {
        if let Content::Bytes(bytes) = &entry.content {
            std::fs::write(charm_dir.path().join(&entry.name), bytes)?;
        }
    }
    let engine = engine()?;
    let code = CompiledCharm::load(&engine, compiled)?;
    let ticker = SharedTicker::new(&engine)?;
    let juju = Juju::new(project);
    let dir = charm_dir.path().to_path_buf();
    let variables = |name: &str| match name {
        "JUJU_CHARM_DIR" => Some(dir.clone().into_os_string()),
        _ => variable(name, project.name()),
    };
    let host = Host {
        hook_tools: juju.hook_tools(),
        store: Box::new(MemoryBackend::default()),
        pebble: Box::new(NoPebble),
        clock: Arc::new(SystemClock::default()),
        cpu_ticker: &mut &ticker,
        stderr: Stderr::new(io::sink()),
        guest_output: GuestOutput {
            stdout: Box::new(io::empty()),
            stderr: Box::new(io::empty()),
        },
        variables: Vec::new(),
        legacy_hooks: None,
        restriction: None,
    };
    let charm = Charm {
        environment: Environment::read(variables)?,
        definition: Ok(Definition {
            metadata: Arc::new(Metadata::load(charm_dir.path())?),
            settings: Settings {
                limits: Settings::load(project.dir())?.limits,
                ..Settings::default()
            },
        }),
        code: Box::new(|| Ok(code)),
        revision: Box::new(|| None),
    };
    let outcome = Session::new(host, charm).without_deliveries().run();
    Ok(juju.result(outcome.ending))
}

fn variable(name: &str, charm: &str) -> Option<OsString> {
    let value = match name {
        "JUJU_UNIT_NAME" => format!("{charm}/0"),
        "JUJU_DISPATCH_PATH" => "hooks/update-status".to_owned(),
        "JUJU_HOOK_NAME" => "update-status".to_owned(),
        "JUJU_MODEL_NAME" => "build".to_owned(),
        "JUJU_MODEL_UUID" => "00000000-0000-4000-8000-000000000000".to_owned(),
        "JUJU_VERSION" => "3.6.28".to_owned(),
        _ => return None,
    };
    Some(value.into())
}

/// What stands for Juju.
#[derive(Clone, Default)]
struct Juju {
    /// The defaults of the options.
    config: Map<String, Value>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Logged errors.
    errors: Vec<String>,
    /// Whether the charm asked for what only Juju knows.
    needs_juju: bool,
}

impl Juju {
    fn new(project: &Project) -> Self {
        let options = project.config().and_then(|config| config.get("options"));
        let options = options.and_then(Value::as_object).into_iter().flatten();
        let default = |(name, option): (&String, &Value)| {
            let default = option.get("default").filter(|value| !value.is_null())?;
            Some((name.clone(), default.clone()))
        };
        Juju {
            config: options.filter_map(default).collect(),
            seen: Arc::default(),
        }
    }

    fn hook_tools(&self) -> Box<dyn Transport> {
        let juju = self.clone();
        Box::new(MemoryTransport(
            move |tool: &str, args: &[String], _: Option<&[u8]>| juju.answer(tool, args),
        ))
    }

    fn answer(&self, tool: &str, args: &[String]) -> Result<ToolOutput, ToolError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = ToolOutput::default();
        match tool {
            "config-get" => {
                output.stdout = Value::Object(self.config.clone()).to_string().into_bytes();
            }
            "juju-log" => {
                if args.iter().any(|arg| arg == "ERROR") {
                    seen.errors.extend(args.last().cloned());
                }
            }
            _ => {
                seen.needs_juju = true;
                return Err(ToolError::Unreachable {
                    tool: tool.to_owned(),
                    text: format!("cannot run {tool}: there is no Juju while a charm is built"),
                });
            }
        }
        Ok(output)
    }

    /// Whether the charm was created, or why not.
    fn result(&self, ending: Ending) -> Result<(), String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match ending {
            Ending::Failed if !seen.needs_juju && !seen.errors.is_empty() => {
                Err(seen.errors.join("\n"))
            }
            _ => Ok(()),
        }
    }
}

/// No container runs.
struct NoPebble;

impl PebbleConnector for NoPebble {
    fn connector(&self, _: &str) -> Arc<dyn Connect> {
        Arc::new(NoPebble)
    }
}

impl Connect for NoPebble {
    fn connect(&self) -> Connecting {
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
    }

    fn address(&self) -> &Path {
        Path::new("no Pebble")
    }
}
