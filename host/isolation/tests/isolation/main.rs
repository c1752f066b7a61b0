//! Isolated roots on the kernel that runs the tests. As root, the tests run once
//! more as a user without privileges, and once on a machine with more mounts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod files;
mod network;
mod programs;
mod support;
mod users;
