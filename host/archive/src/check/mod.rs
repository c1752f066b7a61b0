//! What Juju would refuse after the packing, refused before it.

mod actions;
mod config;
mod lxd;
mod metadata;
mod relations;
mod workload;

pub use actions::check as actions;
pub use config::check as config;
pub use lxd::check as lxd_profile;
pub use metadata::{check as metadata, check_name};

/// Whether only Juju may use a name for an endpoint, interface or action.
/// Charms whose own name begins with `juju-` are Juju's.
fn is_reserved(charm: &str, name: &str) -> bool {
    !charm.starts_with("juju-") && (name == "juju" || name.starts_with("juju-"))
}
