//! YAML 1.1 as Juju and charmcraft read it.
//!
//! Charm metadata is read by programs whose YAML is that of 2005: `yes`, `on`
//! and `0o17` mean there what they no longer mean elsewhere. [`parse`] resolves
//! plain scalars as Python's safe loader does; [`to_string`] writes every string
//! in double quotes, so that no reader can take it for anything else.

mod parse;
mod resolve;
mod write;

pub use parse::{Error, parse, parse_with_number_keys};
pub use write::{quote, quote_key, to_string};
