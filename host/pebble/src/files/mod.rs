//! `/v1/files` (`pebble §10`).

mod directories;
mod list;
mod pull;
mod pull_many;
mod push;

use serde::{Deserialize, Serialize};

use crate::{Error, PathFailure, PathProblem};

pub use list::{FileInfo, FileKind};
pub use pull::Pull;
pub use pull_many::Pulled;
pub use push::Push;

/// The largest result for a file that is read or written, in bytes.
const MAX_RESULTS: usize = 256 * 1024;

/// How a file or directory is created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Its mode, for example 0o644; at most 0o777.
    pub permissions: Option<u32>,
    /// Its owner's number.
    pub user_id: Option<u32>,
    /// Its owner's name.
    pub user: Option<String>,
    /// Its group's number.
    pub group_id: Option<u32>,
    /// Its group's name.
    pub group: Option<String>,
    /// Whether missing parent directories are created too.
    pub make_parents: bool,
}

/// A file or directory to be created, in the form of requests.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NewPath<'a> {
    path: &'a str,
    /// Only for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    make_dirs: Option<bool>,
    /// Only for directories.
    #[serde(skip_serializing_if = "Option::is_none")]
    make_parents: Option<bool>,
    permissions: Option<String>,
    user_id: Option<u32>,
    user: Option<&'a str>,
    group_id: Option<u32>,
    group: Option<&'a str>,
}

impl FileOptions {
    fn new_path<'a>(&'a self, path: &'a str) -> Result<NewPath<'a>, Error> {
        let permissions = match self.permissions {
            Some(mode) if mode > 0o777 => {
                let detail = format!(
                    "cannot create {path} with the mode {mode:o}: Pebble accepts 000 to 777"
                );
                return Err(Error::Invalid(detail));
            }
            mode => mode.map(|mode| format!("{mode:03o}")),
        };
        Ok(NewPath {
            path,
            make_dirs: None,
            make_parents: None,
            permissions,
            user_id: self.user_id,
            user: self.user.as_deref(),
            group_id: self.group_id,
            group: self.group.as_deref(),
        })
    }
}

/// The result for one path of a request.
#[derive(Debug, Deserialize)]
struct PathResult {
    error: Option<PathError>,
}

#[derive(Debug, Deserialize)]
struct PathError {
    message: String,
    kind: Option<String>,
}

/// Results of a request, one for each path.
type PathResults = Option<Vec<PathResult>>;

impl PathError {
    fn failure(self) -> PathFailure {
        PathFailure {
            problem: PathProblem::of_kind(self.kind.as_deref()),
            message: self.message,
        }
    }
}

/// The error of the only path of a request, if it has one.
fn check_path(results: PathResults) -> Result<(), Error> {
    let mut results = results.unwrap_or_default().into_iter();
    match results.find_map(|result| result.error) {
        None => Ok(()),
        Some(error) => Err(Error::Path(error.failure())),
    }
}

/// Rejects a path that is not absolute.
fn absolute(verb: &str, path: &str) -> Result<(), Error> {
    match path.starts_with('/') {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "cannot {verb} {path:?}: the path must be absolute"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn options_are_written_as_pebble_reads_them() {
        let options = FileOptions {
            permissions: Some(0o40),
            user_id: Some(0),
            group: Some("g".to_owned()),
            ..FileOptions::default()
        };
        let new = NewPath {
            make_dirs: Some(true),
            ..options.new_path("/a").unwrap()
        };
        let text = serde_json::to_string(&new).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({"path": "/a", "make-dirs": true, "permissions": "040", "user-id": 0,
                "user": null, "group-id": null, "group": "g"})
        );
        let setuid = FileOptions {
            permissions: Some(0o4755),
            ..FileOptions::default()
        };
        assert!(matches!(setuid.new_path("/a"), Err(Error::Invalid(_))));
    }

    #[test]
    fn the_problem_of_a_path_is_its_kind() {
        for (kind, wanted) in [
            (r#""not-found""#, PathProblem::NotFound),
            (r#""permission-denied""#, PathProblem::PermissionDenied),
            (r#""generic-file-error""#, PathProblem::Generic),
            ("null", PathProblem::Generic),
        ] {
            let text = format!(r#"[{{"path":"/a","error":{{"message":"m","kind":{kind}}}}}]"#);
            let results: PathResults = serde_json::from_str(&text).unwrap();
            let error = check_path(results).unwrap_err();
            assert!(matches!(error, Error::Path(failure) if failure.problem == wanted));
        }
        assert_eq!(check_path(None), Ok(()));
    }
}
