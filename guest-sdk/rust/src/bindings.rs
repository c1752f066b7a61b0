//! What is generated from the WIT. Nothing of it is for charms to see.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

wit_bindgen::generate!({
    path: "wit",
    world: "charmhost:charm/charm",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "charmhost::__private",
});

pub(crate) use self::charmhost::actions::actions;
pub(crate) use self::charmhost::config::config;
pub(crate) use self::charmhost::context::context;
pub(crate) use self::charmhost::errors::errors;
pub(crate) use self::charmhost::events::events;
pub(crate) use self::charmhost::framework::framework;
pub(crate) use self::charmhost::hook_tools::hook_tools;
pub(crate) use self::charmhost::log::log;
pub(crate) use self::charmhost::pebble::pebble;
pub(crate) use self::charmhost::ports::ports;
pub(crate) use self::charmhost::relations::relations;
pub(crate) use self::charmhost::status::status;
pub(crate) use self::charmhost::stored_state::stored_state;
pub(crate) use self::charmhost::unit::unit;
pub use self::exports::charmhost::entry::entry::{Guest, Outcome};
