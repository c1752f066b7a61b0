//! Scenarios: a model, events and expectations, in a file.

pub mod build;
pub mod expect;
pub mod file;
pub mod model_expect;
pub mod model_file;
