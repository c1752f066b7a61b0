//! The client against the real daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod changes;
mod checks;
mod daemon;
mod exec;
mod files;
mod identities;
mod logs;
mod notice_watch;
mod notices;
mod readiness;
mod services;
mod socket;
