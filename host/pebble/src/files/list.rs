//! Listing files (`pebble §10.3`).

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::absolute;
use crate::client::with_query;
use crate::http::MAX_LIST;
use crate::wire::optional_word;
use crate::{Client, Error, PathFailure, PathProblem, Timestamp};

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
    /// Its mode, for example 0o644.
    #[serde(deserialize_with = "octal")]
    pub permissions: u32,
    /// When it was last modified.
    pub last_modified: Timestamp,
    /// Its owner's number.
    pub user_id: Option<u32>,
    /// Its owner's name.
    #[serde(default, deserialize_with = "optional_word")]
    pub user: Option<String>,
    /// Its group's number.
    pub group_id: Option<u32>,
    /// Its group's name.
    #[serde(default, deserialize_with = "optional_word")]
    pub group: Option<String>,
}

impl Client {
    /// Returns the entries of a directory, sorted by name; with a shell pattern, only
    /// those whose name matches. The only entry of a file is itself.
    pub async fn list_files(
        &self,
        path: &str,
        pattern: Option<&str>,
    ) -> Result<Vec<FileInfo>, Error> {
        absolute("list", path)?;
        let pattern = pattern.map(|pattern| ("pattern", pattern));
        self.list(path, pattern).await
    }

    /// Returns what a path is. A symbolic link is followed.
    pub async fn stat(&self, path: &str) -> Result<FileInfo, Error> {
        absolute("find out about", path)?;
        let found = self.list(path, Some(("itself", "true"))).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::Protocol(format!("the list of {path} itself has no entry")))
    }

    async fn list(
        &self,
        path: &str,
        option: Option<(&'static str, &str)>,
    ) -> Result<Vec<FileInfo>, Error> {
        let query = [("action", "list"), ("path", path)];
        let query = with_query("/v1/files", query.into_iter().chain(option));
        let answer = self.get_within(&query, Duration::ZERO, MAX_LIST).await;
        let files: Option<Vec<FileInfo>> = answer.map_err(as_path)?.result;
        Ok(files.unwrap_or_default())
    }
}

fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let digits = String::deserialize(deserializer)?;
    u32::from_str_radix(&digits, 8).map_err(de::Error::custom)
}

/// Unlike in other responses, the problem of the path is the kind of the whole
/// error.
fn as_path(error: Error) -> Error {
    match error {
        Error::Api {
            kind: Some(kind),
            message,
            ..
        } => Error::Path(PathFailure {
            problem: PathProblem::of_kind(Some(&kind)),
            message,
        }),
        other => other,
    }
}
