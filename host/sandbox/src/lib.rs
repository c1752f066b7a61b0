//! What a guest may reach of the machine.
//!
//! A guest gets all of WASI, and nothing of it leads out of its sandbox, except
//! what the charm's [`Grants`] allow as far as the operator's [`OperatorPolicy`]
//! does: [`Files`] resolves paths, [`Network`] checks destinations,
//! [`Limiter`], [`HostMemory`] and [`DiskQuota`] count, [`DenialLog`] collects
//! what was denied, and [`kernel`] restricts the process itself. Nothing here
//! knows of Juju.

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

pub use denials::DenialLog;
pub use disk::DiskQuota;
pub use documents::{SettingsError, parse, read};
pub use files::{Files, FilesAccess, FilesView, LateRoots, RootError};
pub use grants::{GrantPolicy, Grants};
pub use limiter::{Exceeded, Limiter, limit_cpu};
pub use limits::{LimitPolicy, Limits};
pub use memory::{HostMemory, HostMemoryExceeded, Reservation};
pub use network::{Network, NetworkRule, NetworkView};
pub use operator::{OperatorPolicy, POLICY_FILE, POLICY_VARIABLE};
pub use transport::{HookToolPolicy, HookToolSettings, HookToolTransport};
pub use wasi::{Sandbox, SandboxView, link};
