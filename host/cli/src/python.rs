//! Charms in Python that run on an interpreter of this machine: their entry point
//! and the packages that they require.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::output;

/// Default entry point.
const ENTRY_POINT: &str = "src/charm.py";

/// The entry point of a Python project, as a path in the project.
pub fn entry_point(dir: &Path) -> Option<PathBuf> {
    let declared = declared_entry_point(dir).map(PathBuf::from);
    let path = declared.unwrap_or_else(|| PathBuf::from(ENTRY_POINT));
    dir.join(&path).is_file().then_some(path)
}

/// `charm-entrypoint` of a part of `charmcraft.yaml`.
fn declared_entry_point(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("charmcraft.yaml")).ok()?;
    let project = charmhost_yaml::parse(&text).ok()?;
    let parts = project.get("parts")?.as_object()?;
    let mut declared = parts
        .values()
        .filter_map(|part| part.get("charm-entrypoint")?.as_str());
    declared.next().map(str::to_owned)
}

/// Text of the `dispatch` of such a charm, like charmcraft's.
pub fn dispatch(program: &Path) -> String {
    format!(
        "#!/bin/sh\ncharm=$(dirname \"$(realpath \"$0\")\")\nexport PYTHONPATH=\"$charm/lib:$charm/src\"\nexec \"$charm/venv/bin/python\" \"$charm/{}\"\n",
        program.display()
    )
}

/// Returns a virtual environment with the packages that a project requires. It is
/// in the user's cache, and shared by all projects with the same requirements.
pub fn venv(dir: &Path) -> anyhow::Result<PathBuf> {
    let required = Packages::of(dir)?;
    let python = Command::new("python3").arg("--version").output();
    let version = match python {
        Ok(output) if output.status.success() => output.stdout,
        Ok(_) | Err(_) => bail!(
            "cannot run {}: it is a charm in Python, and there is no python3 on PATH; install Python 3.10 or later",
            dir.display()
        ),
    };
    let mut hasher = DefaultHasher::new();
    (&required, &version, dir_of_relative(&required, dir)).hash(&mut hasher);
    let cache = cache_dir()?;
    let venv = cache.join(format!("{:016x}", hasher.finish()));
    if venv.join("complete").is_file() {
        return Ok(venv);
    }
    output::print_error("Installing the Python packages that the charm needs (once; some seconds)");
    install(dir, &required, &venv)?;
    Ok(venv)
}

/// The project's directory, if its requirements name files relative to it, so that
/// they are not shared with other projects.
fn dir_of_relative<'a>(required: &Packages, dir: &'a Path) -> Option<&'a Path> {
    let names_files = |line: &String| line.starts_with(['-', '.', '/']) || line.contains("file:");
    required.lines.iter().any(names_files).then_some(dir)
}

fn cache_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .context("cannot choose a directory for Python packages: set HOME or XDG_CACHE_HOME")?;
    let dir = base.join("charmhost").join("python");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

fn install(dir: &Path, required: &Packages, venv: &Path) -> anyhow::Result<()> {
    if venv.exists() {
        std::fs::remove_dir_all(venv)
            .with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(venv);
    run(
        make,
        dir,
        "python3 -m venv failed; on Debian and Ubuntu `sudo apt-get install python3-venv` provides it",
    )?;
    if !required.lines.is_empty() {
        let list = venv.join("required.txt");
        std::fs::write(&list, required.lines.join("\n"))
            .with_context(|| format!("cannot write {}", list.display()))?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        pip.arg(match &required.file {
            Some(file) => file.as_os_str(),
            None => list.as_os_str(),
        });
        run(pip, dir, "pip could not install the required packages")?;
    }
    let complete = venv.join("complete");
    std::fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))
}

/// Runs a step of the installation in the project's directory.
fn run(mut command: Command, dir: &Path, failed: &str) -> anyhow::Result<()> {
    let name = command.get_program().to_owned();
    let output = command
        .current_dir(dir)
        .output()
        .with_context(|| format!("cannot run {}", Path::new(OsStr::new(&name)).display()))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = if stderr.trim().is_empty() {
        String::from_utf8_lossy(&output.stdout)
    } else {
        stderr
    };
    bail!(
        "cannot run {}: {failed}:\n{}",
        dir.display(),
        message.trim_end()
    )
}

/// The packages that a project requires.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Packages {
    /// The file that pip reads, if there is one.
    file: Option<PathBuf>,
    lines: Vec<String>,
}

impl Packages {
    /// Reads `requirements.txt`, otherwise `pyproject.toml`.
    fn of(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("requirements.txt");
        if path.is_file() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let lines = text.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            return Ok(Packages {
                lines: lines.map(str::to_owned).collect(),
                file: Some(PathBuf::from("requirements.txt")),
            });
        }
        let path = dir.join("pyproject.toml");
        let lines = match path.is_file() {
            true => dependencies(&path)?,
            false => Vec::new(),
        };
        Ok(Packages { file: None, lines })
    }
}

fn dependencies(path: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let document: toml::Table =
        toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let listed = document
        .get("project")
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    let names = listed.into_iter().flatten().filter_map(toml::Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn the_entry_point_is_the_one_in_charmcraft_yaml() {
        for (files, wanted) in [
            (vec![("src/charm.py", "")], Some("src/charm.py")),
            (
                vec![
                    (
                        "charmcraft.yaml",
                        "parts: {a: {plugin: charm, charm-entrypoint: src/main.py}}",
                    ),
                    ("src/main.py", ""),
                ],
                Some("src/main.py"),
            ),
            (vec![("charmcraft.yaml", "parts: {}")], None),
        ] {
            let dir = project(&files);
            assert_eq!(
                entry_point(dir.path()),
                wanted.map(PathBuf::from),
                "{files:?}"
            );
        }
    }

    #[test]
    fn packages_are_those_of_requirements_else_of_the_project() {
        let pyproject = "[project]\nname = 'x'\ndependencies = ['ops>=3', 'pyyaml']\n";
        for (files, wanted) in [
            (
                vec![
                    ("requirements.txt", "# why\nops==3.9.0\n\n"),
                    ("pyproject.toml", pyproject),
                ],
                vec!["ops==3.9.0"],
            ),
            (
                vec![("pyproject.toml", pyproject)],
                vec!["ops>=3", "pyyaml"],
            ),
            (vec![], vec![]),
        ] {
            let dir = project(&files);
            assert_eq!(Packages::of(dir.path()).unwrap().lines, wanted);
        }
    }
}
