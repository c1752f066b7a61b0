//! YAML as a real agent writes and reads it: that of go-yaml 2, a port of
//! libyaml with YAML 1.1's types (juju-hook-tools §3.1).

mod emit;
mod order;
mod plain;
mod quoted;
mod read;

pub use emit::to_string;
pub use order::key_order;
pub use read::string_map;
