//! YAML 1.1 as Juju and charmcraft read it.
//!
//! Juju and charmcraft read charm metadata as YAML 1.1, where `yes` and `on` are
//! booleans and `017` is octal (`archive §4`). [`parse`] resolves plain scalars as
//! Python's safe loader does; [`to_string`] writes every string in double quotes, so
//! that no reader can take it for anything else.

mod parse;
mod resolve;
mod write;

pub use parse::{Error, parse, parse_with_number_keys};
pub use write::{quote, quote_key, to_string};
