//! Operations on files, as data: the guest `files` performs them through WASI,
//! the random file test performs the same ones natively.

use serde::{Deserialize, Serialize};

/// How many handles may be open at once; handle 0 is `/` and stays open.
pub const HANDLES: usize = 6;
/// How many bytes of a file are compared.
pub const READ_MAX: usize = 1 << 16;
/// Times that a step sets lie before this one, in seconds since 1970; times
/// that the kernel sets lie after it.
pub const PAST: u64 = 1_000_000_000;

/// A path, resolved from an open directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The number of the directory's handle.
    #[serde(default)]
    pub handle: usize,
    pub path: String,
}

impl At {
    /// A path in `/`.
    pub fn root(path: impl Into<String>) -> Self {
        let path = path.into();
        At { handle: 0, path }
    }
}

/// How `Step::Open` opens a path; see `open-at` of `wasi:filesystem`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct How {
    pub follow: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub read: bool,
    pub write: bool,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// Opens a path as a handle with this number, closing what has it.
    Open {
        handle: usize,
        at: At,
        how: How,
    },
    Close {
        handle: usize,
    },
    Read {
        handle: usize,
        offset: u64,
        length: u64,
    },
    Write {
        handle: usize,
        offset: u64,
        text: String,
    },
    Append {
        handle: usize,
        text: String,
    },
    SetSize {
        handle: usize,
        size: u64,
    },
    /// Sets the time of modification, in seconds since 1970.
    SetTime {
        handle: usize,
        time: u64,
    },
    Stat {
        handle: usize,
    },
    List {
        handle: usize,
    },
    /// Whether two handles are of one file.
    IsSame {
        handle: usize,
        other: usize,
    },
    StatAt {
        at: At,
        follow: bool,
    },
    SetTimeAt {
        at: At,
        follow: bool,
        time: u64,
    },
    MakeDirectory {
        at: At,
    },
    RemoveDirectory {
        at: At,
    },
    Unlink {
        at: At,
    },
    Rename {
        from: At,
        to: At,
    },
    Link {
        from: At,
        to: At,
    },
    Symlink {
        target: String,
        at: At,
    },
    ReadLink {
        at: At,
    },
    /// Whether two paths are of one file, by their metadata hashes.
    HasSameHash {
        at: At,
        other: At,
    },
    /// Opens, reads and closes a file.
    ReadFile {
        at: At,
    },
    /// Creates or truncates, writes and closes a file.
    WriteFile {
        at: At,
        text: String,
    },
    /// Opens, lists and closes a directory.
    ListAt {
        at: At,
    },
    /// Returns the status of a path that is one part so many times.
    StatRepeated {
        part: String,
        times: usize,
    },
}

impl Step {
    /// The name, for example `write-file`.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Open { .. } => "open",
            Step::Close { .. } => "close",
            Step::Read { .. } => "read",
            Step::Write { .. } => "write",
            Step::Append { .. } => "append",
            Step::SetSize { .. } => "set-size",
            Step::SetTime { .. } => "set-time",
            Step::Stat { .. } => "stat",
            Step::List { .. } => "list",
            Step::IsSame { .. } => "is-same",
            Step::StatAt { .. } => "stat-at",
            Step::SetTimeAt { .. } => "set-time-at",
            Step::MakeDirectory { .. } => "make-directory",
            Step::RemoveDirectory { .. } => "remove-directory",
            Step::Unlink { .. } => "unlink",
            Step::Rename { .. } => "rename",
            Step::Link { .. } => "link",
            Step::Symlink { .. } => "symlink",
            Step::ReadLink { .. } => "read-link",
            Step::HasSameHash { .. } => "has-same-hash",
            Step::ReadFile { .. } => "read-file",
            Step::WriteFile { .. } => "write-file",
            Step::ListAt { .. } => "list-at",
            Step::StatRepeated { .. } => "stat-repeated",
        }
    }
}

/// The result of a step: text that both sides render alike, or the name of an
/// error code of WASI, for example `no-entry`.
pub type Outcome = Result<String, String>;

/// What `stat` returns of a file.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Directory,
    Link,
    File,
    Other,
}

/// Renders a status. The time is shown if a step has set it.
pub fn status(kind: Kind, size: u64, links: u64, modified: u64) -> String {
    let time = match modified < PAST {
        true => format!(", modified at {modified}"),
        false => String::new(),
    };
    match kind {
        Kind::Directory => "directory".to_owned(),
        Kind::Link => format!("link of {size} bytes{time}"),
        Kind::File => format!("file of {size} bytes, {links} links{time}"),
        Kind::Other => "other".to_owned(),
    }
}

/// Renders a name in a listing.
pub fn listed(name: &str, kind: Kind) -> String {
    let sign = match kind {
        Kind::Directory => "/",
        Kind::Link => "@",
        Kind::File => "",
        Kind::Other => "?",
    };
    format!("{name}{sign}")
}

/// Renders contents: the beginning, and a checksum of all.
pub fn contents(bytes: &[u8]) -> String {
    let hash = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash);
    let start = &bytes[..bytes.len().min(60)];
    let start = String::from_utf8_lossy(start);
    format!("{} bytes {sum:x} {start:?}", bytes.len())
}
