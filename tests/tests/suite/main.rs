//! Black-box suites: they use the programs in `dist/` and the protocol of the
//! agent, and none of the crates that the programs are made of. `code_rules`
//! checks the source itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod archives;
mod authors;
mod build;
mod canary;
mod code_rules;
mod containers;
mod dispatch_errors;
mod escape;
mod events;
mod exit_codes;
mod fake_pebble;
mod faults;
mod file_roots;
mod grants;
mod hook_tools;
mod isolation;
mod isolation_users;
mod limits;
mod machine_interfaces;
mod metadata;
mod model_interfaces;
mod models;
mod mutants;
mod native;
#[allow(dead_code, reason = "the tests of the client use all of it")]
mod old_pebble;
mod ops_rules;
mod pebble;
mod raw;
mod readme;
mod real_agent;
mod relation_data;
mod robustness;
mod sandbox;
mod scenarios;
mod sdk;
mod sim;
mod simulated_secrets;
mod state;
mod state_limits;
mod streams;
mod support;
mod undeliverable;
mod wit;
mod workload;
