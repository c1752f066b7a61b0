//! The guest of a session: the charm's code with everything that it acts upon.

use charmhost_sandbox::{CpuTicker, limit_cpu};
use tokio::runtime::Runtime;
use wasmtime::Store;

use super::ending::{self, Ending};
use crate::artifact::CompiledCharm;
use crate::state::State;
use crate::wit::v1::bindings::CharmPre;

/// What a guest that has ended still holds.
pub(super) struct Guest {
    store: Store<State>,
    pre: CharmPre<State>,
    /// Dropped last: what the store holds is registered with it.
    runtime: Runtime,
}

/// Runs a charm's code to its end. Returns how it ended, and what is left of it.
pub(super) fn run(
    state: State,
    code: CompiledCharm,
    ticker: &mut dyn CpuTicker,
) -> Result<(Ending, Guest), Ending> {
    let stderr = state.charm.stderr.clone();
    let mut guest = Guest::new(state, code, ticker)
        .map_err(|error| ending::failed_unlogged(&stderr, &error))?;
    let Guest {
        store,
        pre,
        runtime,
    } = &mut guest;
    let ended = runtime.block_on(async {
        let charm = pre.instantiate_async(&mut *store).await?;
        let outcome = charm.charmhost_entry_entry().call_run(&mut *store).await?;
        Ok(outcome.into())
    });
    let ending = ending::finish(store.data_mut(), ended);
    Ok((ending, guest))
}

impl Guest {
    fn new(state: State, code: CompiledCharm, ticker: &mut dyn CpuTicker) -> Result<Self, String> {
        // The futures of host functions need timers and readiness of files.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start: {error}"))?;
        let pre = code.into_pre();
        let limits = state.limiter.limits().clone();
        let mut store = Store::new(pre.engine(), state);
        store.set_hostcall_fuel(limits.host_buffer());
        store.limiter(|state| &mut state.limiter);
        limit_cpu(&mut store, |state| &mut state.limiter);
        ticker.start(pre.engine(), &limits).map_err(|error| {
            format!("cannot start the thread that limits processor time: {error}")
        })?;
        Ok(Guest {
            store,
            pre,
            runtime,
        })
    }
}
