//! Files: listing, making directories, removing.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::parse;
use crate::transport::encoded;
use crate::{Client, Error, PathProblem};

/// How a file or directory is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Its mode, as 0o644.
    pub permissions: Option<u32>,
    /// Its owner's number.
    pub user_id: Option<u32>,
    /// Its owner's name.
    pub user: Option<String>,
    /// Its group's number.
    pub group_id: Option<u32>,
    /// Its group's name.
    pub group: Option<String>,
    /// Whether missing directories on the way are made too.
    pub make_parents: bool,
}

impl FileOptions {
    /// The fields that requests have for it.
    pub(crate) fn fields(&self, path: &str, parents: &str) -> Result<Value, Error> {
        let mut fields = Map::new();
        fields.insert("path".to_owned(), path.into());
        fields.insert(parents.to_owned(), self.make_parents.into());
        if let Some(mode) = self.permissions {
            if mode > 0o777 {
                let text =
                    format!("cannot make {path} with the mode {mode:o}: Pebble takes 000 to 777");
                return Err(Error::Invalid(text));
            }
            fields.insert("permissions".to_owned(), format!("{mode:03o}").into());
        }
        let ids = [("user-id", self.user_id), ("group-id", self.group_id)];
        for (key, id) in ids {
            fields.extend(id.map(|id| (key.to_owned(), id.into())));
        }
        for (key, name) in [("user", &self.user), ("group", &self.group)] {
            fields.extend(name.clone().map(|name| (key.to_owned(), name.into())));
        }
        Ok(Value::Object(fields))
    }
}

/// What a path is.
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
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Its size in bytes; only for regular files.
    pub size: Option<u64>,
    /// Its mode, in octal: `644`.
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

/// What became of one path of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct PathResult {
    error: Option<PathError>,
}

#[derive(Debug, Deserialize)]
struct PathError {
    message: String,
    kind: Option<String>,
}

/// The error of the only path of a request, if it has one.
pub(crate) fn check_path(result: Value) -> Result<(), Error> {
    let results: Vec<PathResult> = parse(result)?;
    match results.into_iter().find_map(|result| result.error) {
        None => Ok(()),
        Some(error) => Err(Error::Path {
            problem: PathProblem::of_kind(error.kind.as_deref()),
            message: error.message,
        }),
    }
}

impl Client {
    /// The files of a directory, sorted by name: those whose name matches the
    /// shell pattern, if there is one. With `itself`, what the path itself is.
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
        let answer = self.get(&query).await.map_err(as_path)?;
        parse(answer.result)
    }

    /// Makes a directory. With `make_parents` it may exist already.
    pub async fn make_dir(&self, path: &str, options: &FileOptions) -> Result<(), Error> {
        let dir = options.fields(path, "make-parents")?;
        let body = json!({"action": "make-dirs", "dirs": [dir]});
        check_path(self.post("/v1/files", &body).await?.result)
    }

    /// Removes a file or an empty directory; with `recursive` also a full one,
    /// which need not exist.
    pub async fn remove_path(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let body = json!({"action": "remove", "paths": [{"path": path, "recursive": recursive}]});
        check_path(self.post("/v1/files", &body).await?.result)
    }
}

/// Listing tells the kind of a path's problem as that of the request.
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
