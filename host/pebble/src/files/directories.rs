//! Making directories, and removing files and directories (`pebble §10.4`).

use serde::Serialize;

use super::{FileOptions, NewPath, PathResults, check_path};
use crate::{Client, Error};

#[derive(Serialize)]
struct MakeDirs<'a> {
    action: &'static str,
    dirs: [NewPath<'a>; 1],
}

#[derive(Serialize)]
struct Remove<'a> {
    action: &'static str,
    paths: [Removed<'a>; 1],
}

#[derive(Serialize)]
struct Removed<'a> {
    path: &'a str,
    recursive: bool,
}

impl Client {
    /// Makes a directory. With `make_parents` it may exist already.
    pub async fn make_dir(&self, path: &str, options: &FileOptions) -> Result<(), Error> {
        let dir = NewPath {
            make_parents: Some(options.make_parents),
            ..options.new_path(path)?
        };
        let body = MakeDirs {
            action: "make-dirs",
            dirs: [dir],
        };
        check_path(self.post::<PathResults>("/v1/files", &body).await?.result)
    }

    /// Removes a file or an empty directory; with `recursive`, a directory with its
    /// contents, and a missing path is no error.
    pub async fn remove_path(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let body = Remove {
            action: "remove",
            paths: [Removed { path, recursive }],
        };
        check_path(self.post::<PathResults>("/v1/files", &body).await?.result)
    }
}
