//! Listing files (`pebble §10.3`).

use std::time::Duration;

use serde::Deserialize;

use crate::http::{MAX_LIST, encoded};
use crate::{Client, Error, PathProblem, Timestamp};

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
    /// When it was last modified.
    pub last_modified: Timestamp,
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
    /// those whose name matches.
    pub async fn list_files(
        &self,
        path: &str,
        pattern: Option<&str>,
    ) -> Result<Vec<FileInfo>, Error> {
        let pattern = pattern.map(|pattern| format!("&pattern={}", encoded(pattern)));
        self.list(path, &pattern.unwrap_or_default()).await
    }

    /// Returns what a path is. A symbolic link is followed.
    pub async fn stat(&self, path: &str) -> Result<FileInfo, Error> {
        let found = self.list(path, "&itself=true").await?.into_iter().next();
        found.ok_or_else(|| Error::Protocol(format!("it does not say what {path} is")))
    }

    async fn list(&self, path: &str, options: &str) -> Result<Vec<FileInfo>, Error> {
        let query = format!("/v1/files?action=list&path={}{options}", encoded(path));
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
