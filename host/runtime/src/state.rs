//! What a running guest has on the host's side.

use std::path::Path;

use charmhost_framework::{Effects, Framework};
use charmhost_juju::{
    Environment, Level, Metadata, Model, Relations, Scope, StatusValue, ToolError,
};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::containers::Containers;
use crate::kept::Local;
use crate::limits::Limiter;
use crate::trap::CrashReport;

/// Everything that the functions a guest imports act upon.
pub(crate) struct State {
    pub charm: CharmState,
    pub limiter: Limiter,
    wasi: WasiCtx,
    pub table: ResourceTable,
}

/// The domain's part of the state: the model, the framework, and what is known
/// of the handler that runs.
pub(crate) struct CharmState {
    pub environment: Environment,
    pub metadata: Metadata,
    pub model: Model,
    pub relations: Relations,
    pub containers: Containers,
    pub framework: Framework,
    /// The handler that runs now, as `Hello.on_start`, and its event's name.
    pub handler: Option<(String, String)>,
    /// The local state; none in a restricted context, or once it is saved.
    pub local: Option<Local>,
    /// Why the guest says that it is about to fail.
    pub crash: Option<CrashReport>,
}

impl State {
    pub fn new(charm: CharmState, limiter: Limiter) -> wasmtime::Result<Self> {
        let wasi = sandbox(&charm.environment.charm_dir)?;
        Ok(State {
            charm,
            limiter,
            wasi,
            table: ResourceTable::new(),
        })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// No network, no environment, no arguments; the charm's directory to read,
/// and the streams that Juju listens to.
fn sandbox(charm_dir: &Path) -> wasmtime::Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdout()
        .inherit_stderr()
        .allow_blocking_current_thread(true)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Some(guest_path) = charm_dir.to_str() {
        wasi.preopened_dir(charm_dir, guest_path, FsPerms::ReadOnly)?;
    }
    Ok(wasi.build())
}

/// The model as the framework acts upon it.
pub(crate) struct ModelEffects<'a>(pub &'a mut Model);

impl Effects for ModelEffects<'_> {
    type Error = ToolError;

    fn is_leader(&mut self) -> Result<bool, ToolError> {
        self.0.is_leader()
    }

    fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), ToolError> {
        self.0.status_set(scope, status)
    }

    fn debug(&mut self, message: &str) {
        self.0.log(Level::Debug, message);
    }

    fn info(&mut self, message: &str) {
        self.0.log(Level::Info, message);
    }
}
