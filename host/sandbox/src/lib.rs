//! The sandbox of a guest.
//!
//! All of WASI is linked, and denied except for the charm's own files and what
//! its [`Grants`] allow within the operator's [`OperatorPolicy`]. [`Files`]
//! resolves paths, [`Network`] checks destinations, [`Limiter`], [`HostMemory`]
//! and [`DiskQuota`] enforce limits, [`DenialLog`] collects denied operations,
//! and [`kernel`] restricts the process itself. Nothing here knows of Juju.

mod cpu;
mod denials;
mod disk;
mod documents;
mod files;
mod grants;
pub mod kernel;
mod limiter;
mod limits;
mod memory;
mod network;
mod operator;
mod transport;
mod wasi;

pub use cpu::{CpuTicker, SharedTicker, TICK, limit_cpu, process_cpu_time};
pub use denials::DenialLog;
pub use disk::DiskQuota;
pub use documents::{SettingsError, parse, read};
pub use files::{FileContent, Files, FilesAccess, FilesView, LateRoots, ReadError, RootError};
pub use grants::{GrantPolicy, Grants};
pub use limiter::{Exceeded, Limiter};
pub use limits::{LimitPolicy, Limits};
pub use memory::{HostMemory, HostMemoryExceeded, Reservation};
pub use network::{Network, NetworkRule, NetworkView};
pub use operator::{OperatorPolicy, POLICY_FILE, POLICY_VARIABLE};
pub use transport::{HookToolPolicy, HookToolSettings, HookToolTransport};
pub use wasi::{GuestClocks, GuestHost, GuestOutput, Sandbox, SandboxView, StdoutStream, link};
