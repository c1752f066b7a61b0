//! The interfaces of a charm, a module for each major version of the WIT.

pub(crate) mod v1;
