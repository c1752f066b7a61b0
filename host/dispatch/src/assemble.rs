//! The host of a session under a Juju agent: its socket or hook tools, the
//! charm's directory, the sockets of the containers, the kernel.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charmhost_error_chain::ErrorChain;
use charmhost_hook_tools::{AgentTransport, Stderr, Transport, TransportError};
use charmhost_juju::{Environment, Metadata, SystemClock};
use charmhost_pebble::{Connect, UnixSocket};
use charmhost_runtime::{
    COMPILED_NAME, Charm, CompiledCharm, Definition, Host, PebbleConnector, ProcessRestriction,
    Session, Settings, revision,
};
use charmhost_sandbox::kernel::restrict;
use charmhost_sandbox::{GuestOutput, HookToolTransport, OperatorPolicy, POLICY_VARIABLE};

use crate::FAILED;
use crate::cpu_ticker::ProcessTicker;
use crate::legacy_hooks::ChildProcesses;

/// The directory with a directory for each container, which holds the socket of
/// its Pebble (pebble §1).
const CONTAINERS: &str = "/charm/containers";
/// The directory for storage whose location the charm does not name.
const STORAGE: &str = "/var/lib/juju/storage";

/// Handles the event of this process's environment. Returns the exit code
/// (ops §2.2).
pub fn dispatch(args: Vec<String>) -> u8 {
    let stderr = Stderr::new(std::io::stderr());
    let environment = match Environment::read(variable) {
        Ok(environment) => environment,
        Err(error) => return failed(&stderr, &error),
    };
    let charm_dir = environment.charm_dir.clone();
    let settings = Settings::load(&charm_dir).map_err(|error| error.chain().to_string());
    let policy = policy();
    let hook_tools = match hook_tools(&environment, &settings, &policy, &stderr) {
        Ok(hook_tools) => hook_tools,
        // There is nothing to do, so nothing needs an agent.
        Err(_) if environment.is_reentrant() => return 0,
        Err(error) => return failed(&stderr, &error),
    };
    let mut cpu_ticker = ProcessTicker {
        stderr: stderr.clone(),
    };
    let mut legacy_hooks = ChildProcesses {
        args,
        charm_dir: charm_dir.clone(),
    };
    let definition = definition(&charm_dir, settings, policy);
    let state = definition
        .as_ref()
        .map(|definition| definition.settings.state);
    let host = Host {
        hook_tools,
        // Without a definition the store is not opened.
        store: state.unwrap_or_default().storage.backend(&charm_dir),
        pebble: Box::new(ContainerSockets),
        clock: Arc::new(SystemClock::default()),
        cpu_ticker: &mut cpu_ticker,
        stderr,
        guest_output: GuestOutput {
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
        },
        variables: std::env::vars_os().collect(),
        legacy_hooks: Some(&mut legacy_hooks),
        restriction: Some(ProcessRestriction {
            restrict: &mut restrict,
            storage_dir: STORAGE.into(),
        }),
    };
    let compiled = charm_dir.join(COMPILED_NAME);
    let revised = compiled.clone();
    let charm = Charm {
        environment,
        definition,
        code: Box::new(move || code(&compiled)),
        revision: Box::new(move || revision(&revised)),
    };
    let outcome = Session::new(host, charm).run();
    let code = outcome.exit_code();
    // The process ends here: the system takes everything back in one go, the
    // agent's connection included.
    std::mem::forget(outcome);
    code
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn failed(stderr: &Stderr, error: &dyn std::error::Error) -> u8 {
    stderr.write_line(&format!("ERROR {}", error.chain()));
    FAILED
}

/// The operator's policy.
fn policy() -> Result<OperatorPolicy, String> {
    let file = variable(POLICY_VARIABLE).filter(|file| !file.is_empty());
    OperatorPolicy::load(file.map(Into::into)).map_err(|error| error.chain().to_string())
}

/// The agent's hook tools. Settings and policy count as far as they can be read:
/// why they cannot is logged later, with these hook tools.
fn hook_tools(
    environment: &Environment,
    settings: &Result<Settings, String>,
    policy: &Result<OperatorPolicy, String>,
    stderr: &Stderr,
) -> Result<Box<dyn Transport>, TransportError> {
    let mut options = environment.hook_tools(variable);
    if options.choice.is_empty() {
        let stated = settings.as_ref().map(|settings| settings.hook_tools);
        let mut settings = stated.unwrap_or_default();
        if let Ok(policy) = policy {
            settings = policy.hook_tools(settings);
        }
        options.choice = match settings.transport {
            HookToolTransport::Auto => String::new(),
            HookToolTransport::Rpc => "rpc".to_owned(),
            HookToolTransport::Exec => "exec".to_owned(),
        };
    }
    let mut transport = AgentTransport::new(options, stderr.clone())?;
    if let Ok(policy) = policy {
        transport.set_timeout(policy.hook_tool_timeout());
    }
    Ok(Box::new(transport))
}

/// The charm's definition, within the operator's policy.
fn definition(
    charm_dir: &Path,
    settings: Result<Settings, String>,
    policy: Result<OperatorPolicy, String>,
) -> Result<Definition, String> {
    let metadata = Metadata::load(charm_dir).map_err(|error| error.chain().to_string())?;
    let settings = settings?.narrowed(&policy?);
    Ok(Definition {
        metadata: metadata.into(),
        settings,
    })
}

/// The charm's code, on an engine of its own.
fn code(path: &Path) -> Result<CompiledCharm, String> {
    let engine = charmhost_runtime::engine()
        .map_err(|error| format!("cannot start the WebAssembly engine: {error:#}"))?;
    CompiledCharm::load(&engine, path).map_err(|error| error.chain().to_string())
}

/// The Pebbles behind the sockets that Juju mounts into the charm's container.
struct ContainerSockets;

impl PebbleConnector for ContainerSockets {
    fn connector(&self, container: &str) -> Arc<dyn Connect> {
        let socket: PathBuf = [CONTAINERS, container, "pebble.socket"].iter().collect();
        Arc::new(UnixSocket::new(socket))
    }
}
