//! The one place where an engine is configured.
//!
//! Whoever compiles a charm and whoever runs it must agree on every option, or
//! the compiled code is refused. wasmtime's defaults follow the Cargo features
//! it is built with, which differ between the tool and `dispatch`, so nothing
//! is left to a default.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, WasmBacktraceDetails,
    WasmFeatures,
};

/// What a compiled charm is stamped with: it runs under exactly this host.
pub const ARTIFACT_VERSION: &str =
    concat!("charmhost ", env!("CARGO_PKG_VERSION"), ", wasmtime 48.0.8");

/// How much stack a guest may use, in bytes. An interpreter in a guest needs
/// far more than compiled code does; pages are taken only when touched.
const WASM_STACK: usize = 4 << 20;
/// The stack on which guest and host functions run, in bytes.
const FIBER_STACK: usize = 6 << 20;

/// Every proposal that guests may use; all others are off. None of them needs
/// a Cargo feature that `dispatch` is built without.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::COMPONENT_MODEL);

/// An engine that runs charms on this machine.
pub fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config()?)
}

/// An engine that compiles charms for a target, as `x86_64-unknown-linux-gnu`:
/// for the target's baseline, never for what this machine's processor has.
#[cfg(feature = "compiler")]
pub(crate) fn compiler(target: &str) -> wasmtime::Result<Engine> {
    let mut config = config()?;
    config.target(target)?;
    config.strategy(wasmtime::Strategy::Cranelift);
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config.parallel_compilation(true);
    Engine::new(&config)
}

/// An engine that compiles in a hurry, to look at what a component is.
#[cfg(feature = "compiler")]
pub(crate) fn checker() -> wasmtime::Result<Engine> {
    let mut config = config()?;
    config.strategy(wasmtime::Strategy::Cranelift);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config)
}

fn config() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        .module_version(ModuleVersionStrategy::Custom(ARTIFACT_VERSION.to_owned()))?
        // Source lines in the report of a trap.
        .generate_address_map(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(64))
        .native_unwind_info(false)
        .debug_info(false)
        // The processor-time limit; seen to cost nothing at start-up.
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .async_stack_zeroing(false)
        .concurrency_support(false)
        .shared_memory(false)
        .signals_based_traps(true)
        // One instance a process: nothing to pool, everything lazy.
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .memory_init_cow(true)
        .table_lazy_init(true)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_reservation_for_growth(2 << 30)
        .memory_may_move(true)
        .guard_before_linear_memory(true)
        .memory_guaranteed_dense_image_size(16 << 20)
        .force_memory_init_memfd(false)
        .relaxed_simd_deterministic(false);
    Ok(config)
}
