//! The `.charm` archive: metadata from `charmcraft.yaml`, packing and reading.
//!
//! [`Project`] reads a charm project and derives the documents that Juju reads;
//! [`pack`] writes them with the rest of the charm as a reproducible archive;
//! [`Archive`] reads one. Everything that Juju or charmcraft would reject later is
//! an error here, all problems at once.
//!
//! `archive §4` is a section of the reference on `.charm` archives.

mod archive;
mod charmcraft;
mod check;
mod entry;
mod error;
mod pack;
mod platforms;
mod problems;
mod project;
mod shipped;
mod url;

pub use archive::Archive;
pub use check::check_name;
pub use entry::{Content, Entry, Mode};
pub use error::Error;
pub use pack::{pack, write};
pub use platforms::Platform;
pub use project::{Documents, Project};
