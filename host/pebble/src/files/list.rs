//! Listing files (`pebble §10.3`).

use std::time::Duration;

use serde::Deserialize;

use crate::http::{MAX_LIST, encoded};
use crate::{Client, Error, PathProblem};

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each variant is the kind of its name")]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Socket,
    NamedPipe,
    Device,
    #[serde(other)]
    Unknown,
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileInfo {
    /// Its absolute path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Its size in bytes; only for regular files.
    pub size: Option<u64>,
    /// Its mode in octal, for example `644`.
    pub permissions: String,
    /// When it was last modified: RFC 3339.
    pub last_modified: String,
    /// Its owner's number.
    pub user_id: Option<u32>,
    /// Its owner's name.
    pub user: Option<String>,
    /// Its group's number.
    pub group_id: Option<u32>,
    /// Its group's name.
    pub group: Option<String>,
}

impl Client {
    /// Returns the files of a directory, sorted by name; with a shell pattern, only
    /// those whose name matches. With `itself`, returns the path itself only.
    pub async fn list_files(
        &self,
        path: &str,
        pattern: Option<&str>,
        itself: bool,
    ) -> Result<Vec<FileInfo>, Error> {
        let mut query = format!("/v1/files?action=list&path={}", encoded(path));
        if let Some(pattern) = pattern {
            query.push_str(&format!("&pattern={}", encoded(pattern)));
        }
        if itself {
            query.push_str("&itself=true");
        }
        let answer = self.get_within(&query, Duration::ZERO, MAX_LIST).await;
        let files: Option<Vec<FileInfo>> = answer.map_err(as_path)?.result;
        Ok(files.unwrap_or_default())
    }
}

/// Unlike in other responses, the problem of the path is the kind of the whole
/// error.
fn as_path(error: Error) -> Error {
    match error {
        Error::Api {
            kind: Some(kind),
            message,
            ..
        } => Error::Path {
            problem: PathProblem::of_kind(Some(&kind)),
            message,
        },
        other => other,
    }
}
