//! Bindings generated from the WIT. They are not part of the public interface.

#[allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unused_imports
)]
#[rustfmt::skip]
mod generated;

/// Stands for every call to the host in a native program.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn no_host() -> ! {
    panic!(
        "cannot call the SDK in a native program, because there is no host to answer: test this part of the charm with `charmhost sim`, and natively only what does not call the SDK"
    )
}

pub(crate) use self::generated::charmhost::actions::actions;
pub(crate) use self::generated::charmhost::config::config;
pub(crate) use self::generated::charmhost::context::context;
pub(crate) use self::generated::charmhost::crash::crash;
pub(crate) use self::generated::charmhost::errors::errors;
pub(crate) use self::generated::charmhost::events::events;
pub(crate) use self::generated::charmhost::framework::framework;
pub(crate) use self::generated::charmhost::hook_tools::hook_tools;
pub(crate) use self::generated::charmhost::log::log;
pub(crate) use self::generated::charmhost::metadata::metadata;
pub(crate) use self::generated::charmhost::model::model;
pub(crate) use self::generated::charmhost::network_bindings::network_bindings;
pub(crate) use self::generated::charmhost::pebble::pebble;
pub(crate) use self::generated::charmhost::pebble_errors::pebble_errors;
pub(crate) use self::generated::charmhost::pebble_socket::pebble_socket;
pub(crate) use self::generated::charmhost::ports::ports;
pub(crate) use self::generated::charmhost::readiness::readiness;
pub(crate) use self::generated::charmhost::relations::relations;
pub(crate) use self::generated::charmhost::resources::resources;
pub(crate) use self::generated::charmhost::secrets::secrets;
pub(crate) use self::generated::charmhost::status::status;
pub(crate) use self::generated::charmhost::storage::storage;
pub(crate) use self::generated::charmhost::stored_state::stored_state;
pub(crate) use self::generated::charmhost::unit::unit;
pub use self::generated::exports::charmhost::entry::entry::{Guest, Outcome};
pub use self::generated::{export, exports};
