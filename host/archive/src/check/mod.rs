//! What Juju rejects in a charm, checked before packing (`archive §4`).

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

/// Whether a name of an endpoint, interface or action is reserved for Juju. Juju's
/// own charms, whose names begin with `juju-`, may use it.
fn is_reserved(charm: &str, name: &str) -> bool {
    !charm.starts_with("juju-") && (name == "juju" || name.starts_with("juju-"))
}
