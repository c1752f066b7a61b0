//! What a running guest has on the host's side.

use std::ffi::OsString;

use charmhost_framework::{Effects, Framework};
use charmhost_juju::{
    Environment, Level, Metadata, Model, Relations, Scope, StatusValue, ToolError,
};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::containers::Containers;
use crate::denials::Denials;
use crate::files::Files;
use crate::kept::Local;
use crate::limits::Limiter;
use crate::sandbox;
use crate::settings::{Grants, Limits, Peer};
use crate::trap::CrashReport;

/// Everything that the functions a guest imports act upon.
pub(crate) struct State {
    pub charm: CharmState,
    pub limiter: Limiter,
    wasi: WasiCtx,
    pub table: ResourceTable,
    pub files: Files,
    /// Whether it may look up names on the network.
    pub may_look_up: bool,
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
    /// The local state; none once it is saved.
    pub local: Option<Local>,
    /// Why the guest says that it is about to fail.
    pub crash: Option<CrashReport>,
}

impl State {
    pub fn new(
        charm: CharmState,
        limits: Limits,
        grants: &Grants,
        vars: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let denials = Denials::default();
        let charm_dir = &charm.environment.charm_dir;
        let wasi = sandbox::context(charm_dir, grants, &denials, vars);
        let files = Files::new(charm_dir, grants, denials);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles());
        State {
            charm,
            limiter: Limiter::new(limits),
            wasi,
            table,
            files,
            may_look_up: grants.network.iter().any(Peer::has_names),
        }
    }

    /// Logs what was refused since the last time.
    pub fn tell_denials(&mut self) {
        for line in self.files.denials.take() {
            self.charm.model.log(Level::Warning, &line);
        }
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
