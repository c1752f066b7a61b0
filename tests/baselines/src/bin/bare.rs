//! The minimum that wasmtime needs to call a compiled charm: load, link,
//! instantiate, call. Imports answer at once and nothing is delivered, so the
//! difference to a dispatch is the cost of the host.

use std::path::Path;

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/charm",
        world: "charmhost:charm/charm",
        exports: { default: async },
    });
}

use bindings::Charm;
use bindings::charmhost::{
    actions::actions, config::config, context::context, crash::crash, errors::errors,
    events::events, framework::framework, hook_tools::hook_tools, log::log, ports::ports,
    relations::relations, status::status, stored_state::stored_state, unit::unit,
};

/// The allocator of `dispatch`, so that it makes no difference.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

type Result<T> = std::result::Result<T, errors::Error>;

fn none<T>() -> Result<T> {
    Err(errors::Error::NotFound("this is a baseline".to_owned()))
}

impl errors::Host for State {}
impl events::Host for State {}

impl framework::Host for State {
    fn define(&mut self, _: framework::EventKey) -> Result<()> {
        Ok(())
    }
    fn observe(&mut self, _: framework::Observer) -> Result<()> {
        Ok(())
    }
    fn next(&mut self) -> Result<Option<framework::Delivery>> {
        Ok(None)
    }
    fn emit(&mut self, _: framework::EventKey, _: String) -> Result<Vec<framework::Delivery>> {
        Ok(Vec::new())
    }
    fn done(&mut self, _: u32, _: framework::Settlement) -> Result<()> {
        Ok(())
    }
    fn collect_status(&mut self, _: status::SettableStatus) -> Result<()> {
        Ok(())
    }
}

impl context::Host for State {
    fn get(&mut self) -> context::ContextInfo {
        let text = String::new;
        context::ContextInfo {
            unit_name: text(),
            app_name: text(),
            charm_name: text(),
            model_name: text(),
            model_uuid: text(),
            juju_version: text(),
            charm_dir: text(),
            dispatch_path: text(),
            hook_name: None,
            machine_id: None,
            availability_zone: None,
            principal_unit: None,
            debug: false,
        }
    }
}

impl hook_tools::Host for State {
    fn run(
        &mut self,
        _: String,
        _: Vec<String>,
        _: Option<Vec<u8>>,
    ) -> Result<hook_tools::ToolOutput> {
        none()
    }
    fn available(&mut self, _: String) -> bool {
        false
    }
}

impl unit::Host for State {
    fn is_leader(&mut self) -> Result<bool> {
        Ok(false)
    }
    fn set_workload_version(&mut self, _: String) -> Result<()> {
        Ok(())
    }
    fn reboot(&mut self, _: unit::RebootTime) -> Result<()> {
        Ok(())
    }
}

impl status::Host for State {
    fn get(&mut self, _: status::Scope) -> Result<status::StatusInfo> {
        none()
    }
    fn set(&mut self, _: status::Scope, _: status::SettableStatus) -> Result<()> {
        Ok(())
    }
}

impl config::Host for State {
    fn all(&mut self) -> Result<Vec<config::ConfigOption>> {
        Ok(Vec::new())
    }
    fn get(&mut self, _: String) -> Result<Option<config::ConfigValue>> {
        Ok(None)
    }
}

impl actions::Host for State {
    fn params(&mut self) -> Result<String> {
        none()
    }
    fn set_results(&mut self, _: String) -> Result<()> {
        Ok(())
    }
    fn log(&mut self, _: String) -> Result<()> {
        Ok(())
    }
    fn fail(&mut self, _: String) -> Result<()> {
        Ok(())
    }
}

impl ports::Host for State {
    fn open(&mut self, _: ports::Port, _: Vec<String>) -> Result<()> {
        Ok(())
    }
    fn close(&mut self, _: ports::Port, _: Vec<String>) -> Result<()> {
        Ok(())
    }
    fn opened(&mut self) -> Result<Vec<ports::Port>> {
        Ok(Vec::new())
    }
    fn opened_with_endpoints(&mut self) -> Result<Vec<ports::OpenedPort>> {
        Ok(Vec::new())
    }
    fn set(&mut self, _: Vec<ports::Port>) -> Result<()> {
        Ok(())
    }
}

impl relations::Host for State {
    fn list(&mut self, _: String) -> Result<Vec<relations::RelationInfo>> {
        none()
    }
    fn get(&mut self, _: String, _: u32) -> Result<relations::RelationInfo> {
        none()
    }
    fn read(
        &mut self,
        _: String,
        _: u32,
        _: relations::DatabagOwner,
    ) -> Result<Vec<relations::DatabagEntry>> {
        none()
    }
    fn write(
        &mut self,
        _: String,
        _: u32,
        _: relations::OwnDatabag,
        _: Vec<relations::DatabagChange>,
    ) -> Result<()> {
        none()
    }
    fn model_uuid(&mut self, _: String, _: u32) -> Result<String> {
        none()
    }
}

impl stored_state::Host for State {
    fn load(&mut self, _: String, _: String) -> Result<Option<String>> {
        Ok(None)
    }
    fn save(&mut self, _: String, _: String, _: String) -> Result<()> {
        Ok(())
    }
    fn remove(&mut self, _: String, _: String) -> Result<()> {
        Ok(())
    }
    fn names(&mut self, _: String) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String) {}
}

impl crash::Host for State {
    fn report(&mut self, _: crash::Failure) {}
}

fn main() -> wasmtime::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let engine = charmhost_runtime::engine()?;
    let component = load(&engine, Path::new(&path))?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    link(&mut linker)?;
    let state = State {
        wasi: WasiCtxBuilder::new().build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&engine, state);
    store.set_epoch_deadline(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let charm = Charm::instantiate_async(&mut store, &component, &linker).await?;
        charm.charmhost_entry_entry().call_run(&mut store).await
    })?;
    Ok(())
}

/// Imports of the benchmark's charm.
fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    actions::add_to_linker::<_, Own>(linker, |state| state)?;
    config::add_to_linker::<_, Own>(linker, |state| state)?;
    context::add_to_linker::<_, Own>(linker, |state| state)?;
    crash::add_to_linker::<_, Own>(linker, |state| state)?;
    errors::add_to_linker::<_, Own>(linker, |state| state)?;
    events::add_to_linker::<_, Own>(linker, |state| state)?;
    framework::add_to_linker::<_, Own>(linker, |state| state)?;
    hook_tools::add_to_linker::<_, Own>(linker, |state| state)?;
    log::add_to_linker::<_, Own>(linker, |state| state)?;
    ports::add_to_linker::<_, Own>(linker, |state| state)?;
    relations::add_to_linker::<_, Own>(linker, |state| state)?;
    status::add_to_linker::<_, Own>(linker, |state| state)?;
    stored_state::add_to_linker::<_, Own>(linker, |state| state)?;
    unit::add_to_linker::<_, Own>(linker, |state| state)
}

fn load(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `charmhost build` wrote the file.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize_file(engine, path)
    }
}
