//! A project directory for one test.
#![allow(dead_code)]

use std::fs;

use charmhost_archive::{Error, Project};
use charmhost_error_chain::ErrorChain;
use tempfile::TempDir;

/// The smallest valid project, without `name`, `base` and `platforms`.
pub const PLAIN: &str = "type: charm\nsummary: A demo\ndescription: One.\n";

/// A project of these files.
pub fn project(files: &[(&str, &str)]) -> (TempDir, Result<Project, Error>) {
    let dir = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let project = Project::load(dir.path());
    (dir, project)
}

/// The error of a project of these files.
pub fn problems(files: &[(&str, &str)]) -> Vec<String> {
    match project(files).1 {
        Ok(_) => Vec::new(),
        Err(Error::Project(problems)) => problems,
        Err(other) => vec![other.chain().to_string()],
    }
}

/// The smallest valid project, with more keys.
pub fn with(more: &str) -> String {
    format!("{PLAIN}name: demo\nbase: ubuntu@24.04\nplatforms: {{amd64: }}\n{more}")
}
