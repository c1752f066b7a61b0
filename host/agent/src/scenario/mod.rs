//! Scenarios: a model, events and expectations, in a file.

pub mod build;
mod expect;
mod file;

pub use expect::{Facts, Unmet, check};
pub use file::{
    Bag, ContainerSpec, Expect, RelationRef, RelationSpec, Scenario, StepSpec, Text, read,
};
