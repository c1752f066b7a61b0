//! The state of a session that the imports of its guest act upon.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use charmhost_framework::{Effects, Framework};
use charmhost_hook_tools::{Policy, ToolError};
use charmhost_juju::{Environment, Level, Metadata, Model, Scope, StatusValue, Stderr};
use charmhost_pebble::Budget;
use charmhost_sandbox::{
    FilesView, HostMemory, HostMemoryExceeded, LateRoots, Limiter, Limits, NetworkView, Sandbox,
    SandboxView,
};
use charmhost_store::Transaction;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::containers::Containers;
use crate::failure::Reported;
use crate::streams::ConnectionBudget;

/// Memory that an entry of the host's lists takes beside its texts, in bytes.
pub(crate) const ENTRY: usize = 128;

/// The state of a session: the charm, its limits and its sandbox.
pub(crate) struct State {
    pub charm: CharmState,
    pub limiter: Limiter,
    pub table: ResourceTable,
    pub sandbox: Sandbox,
    /// Memory that the host holds for the guest.
    pub memory: HostMemory,
    /// The part of it that Pebble has sent over connections of the guest.
    pub connections: Arc<dyn Budget>,
    /// Sizes in bytes of snapshots to be saved, by path.
    snapshots: HashMap<String, usize>,
    /// Sizes in bytes of emitted events that are not settled, by delivery.
    pub emitted: HashMap<u32, usize>,
    /// Whether log lines were dropped because there were too many.
    drops_logs: bool,
}

/// The part of the state that knows neither WebAssembly nor WASI: the model, the
/// framework, the local state, and the handler that runs.
pub(crate) struct CharmState {
    pub environment: Environment,
    pub metadata: Arc<Metadata>,
    pub model: Model,
    pub stderr: Stderr,
    pub containers: Containers,
    /// Hook tools and flags that the guest may use.
    pub hook_tools: Policy,
    pub framework: Framework,
    /// The handlers of the deliveries that are not settled, by delivery.
    pub handlers: BTreeMap<u32, Handler>,
    /// The local state, locked until the session's outcome is dropped.
    pub local: Transaction,
    /// The guest's own report of why it is about to fail.
    pub crash: Option<Reported>,
    /// Whether the guest registers its observers and gets no delivery.
    pub without_deliveries: bool,
}

/// A handler that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handler {
    /// The object and its method, for example `Hello.on_start`.
    pub name: String,
    /// The event's name with underscores.
    pub event: String,
}

impl CharmState {
    /// The handler of a delivery; without a delivery, of the last one that is not
    /// settled, which is the innermost.
    pub fn handler(&self, delivery: Option<u32>) -> Option<&Handler> {
        match delivery {
            Some(id) => self.handlers.get(&id),
            None => self.handlers.values().next_back(),
        }
    }
}

impl State {
    pub fn new(charm: CharmState, limits: Limits, memory: HostMemory, sandbox: Sandbox) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles());
        let connections = ConnectionBudget::new(&memory, &limits);
        State {
            charm,
            connections: Arc::new(connections),
            limiter: Limiter::new(limits),
            table,
            sandbox,
            memory,
            snapshots: HashMap::new(),
            emitted: HashMap::new(),
            drops_logs: false,
        }
    }

    /// Logs the operations that were denied since the last call.
    pub fn log_denials(&mut self) {
        for line in self.sandbox.denials().take() {
            self.charm.model.log(Level::Warning, &line);
        }
    }

    /// Counts texts that the host holds for the guest until the session ends.
    pub fn hold(&self, texts: &[&str]) -> Result<(), HostMemoryExceeded> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        self.memory.hold(bytes.saturating_add(ENTRY))
    }

    /// Counts a snapshot to be saved, instead of the last one under the same
    /// path.
    pub fn hold_snapshot(&mut self, path: &str, size: usize) -> Result<(), HostMemoryExceeded> {
        let size = size.saturating_add(path.len()).saturating_add(ENTRY);
        let last = self.snapshots.get(path).copied().unwrap_or_default();
        self.memory.hold(size.saturating_sub(last))?;
        self.memory.release(last.saturating_sub(size));
        self.snapshots.insert(path.to_owned(), size);
        Ok(())
    }

    /// Logs a line for the guest, unless it has logged too much.
    pub fn log_for_guest(&mut self, level: Level, message: &str) {
        if self.drops_logs {
            return;
        }
        match self.hold(&[message]) {
            Ok(()) => {
                self.charm.model.log(level, message);
            }
            Err(error) => {
                self.drops_logs = true;
                let line = format!("Dropping further log lines of the charm: {error}.");
                self.charm.model.log(Level::Warning, &line);
            }
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.sandbox.wasi(&mut self.table)
    }
}

impl SandboxView for State {
    fn sandboxed_files(&mut self) -> FilesView<'_> {
        self.sandbox.files(&mut self.table, &mut self.charm)
    }

    fn sandboxed_network(&mut self) -> NetworkView<'_> {
        self.sandbox.network(&mut self.table)
    }
}

/// Juju knows where storage is. A charm without storage does not cause the call.
impl LateRoots for CharmState {
    fn locations(&mut self) -> Vec<PathBuf> {
        if self.metadata.storage.is_empty() {
            return Vec::new();
        }
        // Without Juju's answer the charm sees no storage.
        let locations = self.model.storage_locations().unwrap_or_default();
        locations.into_iter().map(PathBuf::from).collect()
    }
}

/// Effects of the framework on the model.
pub(crate) struct ModelEffects<'a>(pub &'a mut Model);

impl Effects for ModelEffects<'_> {
    type Error = ToolError;

    fn is_leader(&mut self) -> Result<bool, ToolError> {
        self.0.is_leader()
    }

    fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), ToolError> {
        self.0.set_status(scope, status)
    }

    fn debug(&mut self, message: &str) {
        self.0.log(Level::Debug, message);
    }

    fn info(&mut self, message: &str) {
        self.0.log(Level::Info, message);
    }

    fn warning(&mut self, message: &str) {
        self.0.log(Level::Warning, message);
    }
}
