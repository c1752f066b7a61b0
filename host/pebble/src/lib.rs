//! A client of Pebble, the service manager that runs in the workload containers
//! of Juju charms.
//!
//! A [`Client`] talks to the daemon behind one Unix socket, over one kept
//! connection. Files are streamed in both directions, and so is what commands
//! read and write: memory does not grow with their size. Every call has a
//! deadline. All of it runs on one current-thread Tokio runtime.
//!
//! ```no_run
//! # async fn example() -> Result<(), charmhost_pebble::Error> {
//! let pebble = charmhost_pebble::Client::new("/charm/containers/web/pebble.socket");
//! pebble.add_layer("web", "services: {web: {override: replace, command: serve}}", true).await?;
//! pebble.replan().await?;
//! # Ok(())
//! # }
//! ```

mod change;
mod client;
mod error;
mod exec;
mod files;
mod multipart;
mod pull;
mod push;
mod transport;
mod types;

pub use client::Client;
pub use error::{Error, PathProblem};
pub use exec::{Collected, Exec, Process};
pub use files::{FileInfo, FileKind, FileOptions};
pub use pull::Pull;
pub use push::Push;
pub use types::{Change, CheckInfo, ServiceInfo, SystemInfo, Task};
