//! Charm projects: checks and documents that several commands need.

use std::fs;
use std::path::Path;

use anyhow::Context;
use charmhost_archive::{Content, Error, Project};

/// Rejects a directory that is no charm project, with the same message in every
/// command.
pub fn require(dir: &Path) -> Result<(), Error> {
    match dir.join("charmcraft.yaml").is_file() {
        true => Ok(()),
        false => Err(Error::NoProject(dir.to_path_buf())),
    }
}

/// Writes `metadata.yaml`, `config.yaml` and `actions.yaml` of a project into a
/// directory. This needs no build.
pub fn write_documents(dir: &Path, to: &Path) -> anyhow::Result<()> {
    if !dir.join("charmcraft.yaml").is_file() {
        return copy_documents(dir, to);
    }
    let project = Project::load(dir)?;
    let architecture = project.architectures().into_iter().next();
    let architecture = architecture.context("charmcraft.yaml has no platforms")?;
    for entry in project.documents(&architecture)?.entries() {
        if let Content::Bytes(bytes) = &entry.content {
            let path = to.join(&entry.name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Copies the documents of a project that has no `charmcraft.yaml`.
fn copy_documents(dir: &Path, to: &Path) -> anyhow::Result<()> {
    if !dir.join("metadata.yaml").is_file() {
        require(dir)?;
    }
    for name in ["metadata.yaml", "config.yaml", "actions.yaml"] {
        let path = dir.join(name);
        if path.is_file() {
            fs::copy(&path, to.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
