//! Bindings that wasmtime generates from the WIT.
//!
//! Nothing outside of this crate sees these types: the modules beside this one
//! translate between them and those of the domain.

#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: "../../wit/charm",
    world: "charmhost:charm/charm",
    imports: {
        "charmhost:pebble/pebble": async,
        "charmhost:pebble/pebble.[method]file-reader.subscribe": trappable,
        "charmhost:pebble/pebble.[method]file-writer.subscribe": trappable,
        "charmhost:pebble/pebble.[method]log-reader.subscribe": trappable,
        "charmhost:pebble/pebble.[method]notice-reader.subscribe": trappable,
        "charmhost:pebble/pebble.[method]process.subscribe": trappable,
        "charmhost:pebble-socket/pebble-socket": async,
        "charmhost:pebble-socket/pebble-socket.[method]connection.subscribe": trappable,
        "charmhost:readiness/readiness": async | trappable,
        "charmhost:unit/unit.reboot": trappable,
    },
    exports: { default: async },
    with: {
        "charmhost:pebble/pebble.file-reader": crate::streams::FileReader,
        "charmhost:pebble/pebble.file-writer": crate::streams::FileWriter,
        "charmhost:pebble/pebble.log-reader": crate::streams::LogReader,
        "charmhost:pebble/pebble.notice-reader": crate::streams::NoticeReader,
        "charmhost:pebble/pebble.process": crate::streams::Command,
        "charmhost:pebble-socket/pebble-socket.connection": crate::streams::Connection,
        "charmhost:readiness/readiness.pollable": charmhost_pebble::Readiness,
    },
});

pub(crate) use charmhost::actions::actions;
pub(crate) use charmhost::config::config;
pub(crate) use charmhost::context::context;
pub(crate) use charmhost::crash::crash;
pub(crate) use charmhost::errors::errors;
pub(crate) use charmhost::events::events;
pub(crate) use charmhost::framework::framework;
pub(crate) use charmhost::hook_tools::hook_tools;
pub(crate) use charmhost::log::log;
pub(crate) use charmhost::metadata::metadata;
pub(crate) use charmhost::model::model;
pub(crate) use charmhost::network_bindings::network_bindings;
pub(crate) use charmhost::pebble::pebble;
pub(crate) use charmhost::pebble_errors::pebble_errors;
pub(crate) use charmhost::pebble_socket::pebble_socket;
pub(crate) use charmhost::ports::ports;
pub(crate) use charmhost::readiness::readiness;
pub(crate) use charmhost::relations::relations;
pub(crate) use charmhost::resources::resources;
pub(crate) use charmhost::secrets::secrets;
pub(crate) use charmhost::status::status;
pub(crate) use charmhost::storage::storage;
pub(crate) use charmhost::store::store;
pub(crate) use charmhost::stored_state::stored_state;
pub(crate) use charmhost::unit::unit;
pub(crate) use exports::charmhost::entry::entry;
