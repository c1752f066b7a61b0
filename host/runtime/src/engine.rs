//! The configuration of every engine.
//!
//! wasmtime rejects compiled code unless the program that compiled it and the
//! program that runs it agree on every option. Its defaults follow the Cargo
//! features that it is built with, which differ between `charmhost` and
//! `dispatch`, so no option is left to its default.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, WasmBacktraceDetails,
    WasmFeatures,
};

/// The version in a compiled charm, which runs under exactly this host: of the
/// host, of its WIT, and of the engine.
pub const ARTIFACT_VERSION: &str = concat!(
    "charmhost ",
    env!("CARGO_PKG_VERSION"),
    ", WIT 0.2.0, wasmtime 48.0.8"
);

/// Stack that a guest may use, in bytes. An interpreter in a guest needs far
/// more than compiled code does; pages are allocated when they are touched.
const WASM_STACK: usize = 4 << 20;
/// Stack of guest and host functions together, in bytes.
const FIBER_STACK: usize = 6 << 20;

/// WebAssembly proposals that guests may use; all others are off. None of them
/// needs a Cargo feature that `dispatch` is built without.
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

/// Creates an engine that runs charms on this machine.
pub fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config()?)
}

/// Creates an engine that compiles charms for a target, for example
/// `x86_64-unknown-linux-gnu`: for the target's baseline, not for the features
/// of this machine's processor.
#[cfg(feature = "compiler")]
pub(crate) fn compiler(target: &str) -> wasmtime::Result<Engine> {
    let mut config = config()?;
    config.target(target)?;
    config.strategy(wasmtime::Strategy::Cranelift);
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config.parallel_compilation(true);
    Engine::new(&config)
}

/// Creates an engine that compiles fast, to check a component.
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
        // The limit of processor time; measured to cost nothing at start-up.
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .async_stack_zeroing(false)
        .concurrency_support(false)
        .shared_memory(false)
        .signals_based_traps(true)
        // One instance per process in a unit: nothing to pool, everything lazy.
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
