//! Projects whose charm is not a component, for example Python on `ops`, or shell.
//! They are laid out as charmcraft would pack them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{project, python};

/// Directories that are never part of a charm.
const EXCLUDED: [&str; 6] = [
    "venv",
    "build",
    "dist",
    "node_modules",
    "target",
    "__pycache__",
];

/// How a native project is run.
pub enum Kind {
    /// By the Python program at this path in the project, with the packages that
    /// the project requires.
    Python(PathBuf),
    /// By `dispatch`, or by the programs in `hooks/` and `actions/`.
    Programs,
}

/// The kind of a project that is not compiled, if it is one.
pub fn kind(dir: &Path) -> Option<Kind> {
    if dir.join("Cargo.toml").is_file() {
        return None;
    }
    if dir.join("dispatch").is_file() || dir.join("hooks").is_dir() {
        return Some(Kind::Programs);
    }
    python::entry_point(dir).map(Kind::Python)
}

/// Lays a project out in `charm` like an unpacked archive.
pub fn stage(dir: &Path, kind: &Kind, charm: &Path) -> anyhow::Result<()> {
    copy(dir, charm)?;
    project::write_documents(dir, charm)?;
    if let Kind::Python(program) = kind {
        let venv = python::venv(dir)?;
        let link = charm.join("venv");
        std::os::unix::fs::symlink(&venv, &link)
            .with_context(|| format!("cannot make {}", link.display()))?;
        let dispatch = charm.join("dispatch");
        write(&dispatch, python::dispatch(program).as_bytes())?;
        make_executable(&dispatch)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn make_executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

/// Copies a project without hidden files and build output.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || EXCLUDED.contains(&text.as_ref()) || text.ends_with(".charm") {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        let kind = entry.file_type()?;
        let copied = if kind.is_dir() {
            copy(&source, &target)?;
            continue;
        } else if kind.is_symlink() {
            fs::read_link(&source).and_then(|link| std::os::unix::fs::symlink(link, &target))
        } else {
            fs::copy(&source, &target).map(drop)
        };
        copied.with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(())
}

/// Rejects a directory that is neither a charm nor a project of a known kind.
pub fn reject(dir: &Path) -> anyhow::Result<()> {
    bail!(
        "cannot run {}: it has charmcraft.yaml, but no Cargo.toml (a charm in Rust), no src/charm.py (a charm in Python), and no dispatch or hooks/ (a charm of programs)",
        dir.display()
    )
}
