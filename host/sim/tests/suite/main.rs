//! Charms written in shell, taken through events. What they call over the
//! agent's socket is called here, while they run, by an observer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod endings;
mod lifecycles;
mod socket;
mod support;
