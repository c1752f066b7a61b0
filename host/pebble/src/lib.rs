//! A client of Pebble, the service manager that runs in the workload containers
//! of Juju charms.
//!
//! A [`Client`] talks to the daemon behind one Unix socket, over one connection
//! that it keeps open. Files, and the input and output of commands, are streamed:
//! memory does not grow with their size. One current-thread Tokio runtime is
//! enough.
//!
//! # Time
//!
//! The *silence of the daemon* is always limited ([`Client::with_silence`], 5
//! seconds): a response that does not come, and a transfer of less than 1 KiB/s,
//! fail with [`Error::Silent`]; so does a daemon that makes no room for the next
//! 64 KiB of a file that is written. The *duration of the work* is not limited: a
//! command without a timeout may run for hours, as long as the daemon responds to
//! the question whether the command still runs. A limit of the caller fails with
//! [`Error::Timeout`].
//!
//! # Memory
//!
//! JSON responses, headers, trailers, messages and queues have a maximum size.
//! [`Process::CAPACITY`] and those of the other streams are the most bytes that one
//! handle buffers. What has no maximum counts against a [`Budget`] of the caller.
//!
//! # Waiting
//!
//! Each stream is driven by a task of the runtime, which goes on while the caller
//! waits for anything else. [`poll`] waits for several of them: a command can be fed
//! while it prints.
//!
//! ```no_run
//! # async fn example() -> Result<(), charmhost_pebble::Error> {
//! let pebble = charmhost_pebble::Client::new("/charm/containers/web/pebble.socket");
//! pebble.add_layer("web", "services: {web: {override: replace, command: serve}}", true).await?;
//! pebble.replan(None).await?;
//! # Ok(())
//! # }
//! ```

mod budget;
mod change;
mod changes;
mod checks;
mod client;
mod connect;
mod error;
mod exec;
mod files;
mod health;
mod http;
mod identities;
mod logs;
mod metrics;
mod multipart;
mod notice_watch;
mod notices;
mod pace;
mod plan;
mod queue;
mod readiness;
mod services;
mod signals;
mod socket;
mod system_info;
mod time;
mod version;
mod warnings;
mod websocket;
mod wire;

pub use budget::Budget;
pub use change::{Change, Progress, Task};
pub use changes::ChangeSelection;
pub use checks::{CheckInfo, CheckLevel, CheckRefresh, CheckStartup, CheckStatus};
pub use client::Client;
pub use connect::{ByteStream, Connect, Connecting, UnixSocket};
pub use error::{Error, PathFailure, PathProblem};
pub use exec::{Collected, Exec, Process, TerminalSize};
pub use files::{FileInfo, FileKind, FileOptions, Pull, Pulled, Push};
pub use identities::{Identity, IdentityAccess};
pub use logs::{LogEntry, Logs};
pub use notice_watch::NoticeWatch;
pub use notices::{Notice, NoticeFilter};
pub use readiness::{Readiness, poll};
pub use services::{ServiceInfo, ServiceStartup, ServiceStatus};
pub use socket::Connection;
pub use system_info::SystemInfo;
pub use time::Timestamp;
pub use warnings::Warning;

/// Size of the chunks that are sent and received, in bytes. The daemon's own
/// are no larger (`pebble §11.2`).
const CHUNK: usize = 64 * 1024;
/// The most bytes of one stream that wait to be sent, or to be read by the caller.
const QUEUE: usize = 4 * CHUNK;
