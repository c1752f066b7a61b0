//! Functions that test programs share. The black-box suites are in `tests/suite`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The project's root.
pub fn root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Ok(root.canonicalize()?)
}

/// Builds a charm project with the programs that ship into `target/NAME`, and
/// returns that directory. The caller adds metadata.
pub fn build(project: &str, name: &str) -> anyhow::Result<PathBuf> {
    let root = root()?;
    let dir = root.join("target").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    let output = Command::new(root.join("dist/charmhost"))
        .arg("build")
        .arg(root.join(project))
        .arg("--output")
        .arg(&dir)
        .output()
        .context("cannot run dist/charmhost; run `make dist`")?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("cannot build {project}: {stderr}");
    }
    Ok(dir)
}
