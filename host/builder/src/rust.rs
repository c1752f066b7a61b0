//! Rust charms: Cargo builds the component.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The target whose linker produces a component, without further tools.
const TARGET: &str = "wasm32-wasip2";

/// Builds the component of a Cargo package and returns its path.
pub fn component(dir: &Path, cargo_home: Option<&Path>) -> Result<PathBuf, Error> {
    check_toolchain(dir)?;
    let mut cargo = cargo();
    cargo
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .arg("--config")
        .arg(remap(dir, cargo_home))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().map_err(|_| missing_cargo(dir))?;
    let mut artifacts = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let manifest = dir.join("Cargo.toml");
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        artifacts.extend(lines.filter_map(|line| artifact(&line, &manifest)));
    }
    let status = child.wait().map_err(|source| Error::Io {
        action: "run cargo in",
        path: dir.to_path_buf(),
        source,
    })?;
    if !status.success() {
        return Err(Error::Toolchain {
            dir: dir.to_path_buf(),
            what: "cargo build".to_owned(),
            status: status.to_string(),
        });
    }
    single(dir, artifacts)
}

/// Cargo's setting that removes this machine's paths from the component. The
/// source lines that the host logs when a charm traps are then relative to the
/// workspace.
fn remap(dir: &Path, cargo_home: Option<&Path>) -> String {
    let mut flags = vec![format!(
        "--remap-path-prefix={}=.",
        workspace(dir).display()
    )];
    if let Some(home) = cargo_home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    let list: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
    format!("target.{TARGET}.rustflags=[{}]", list.join(", "))
}

/// The root of the workspace that a package belongs to, from which the compiler
/// is run.
fn workspace(dir: &Path) -> PathBuf {
    let mut cargo = cargo();
    cargo
        .args(["locate-project", "--workspace", "--message-format=plain"])
        .current_dir(dir);
    let output = cargo.output().ok().filter(|output| output.status.success());
    let manifest = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let root = manifest.and_then(|path| Some(Path::new(path.trim()).parent()?.to_path_buf()));
    root.unwrap_or_else(|| dir.to_path_buf())
}

fn cargo() -> Command {
    // The project decides about its toolchain, also when this program itself
    // runs under Cargo.
    let mut command = Command::new("cargo");
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

fn missing_cargo(dir: &Path) -> Error {
    Error::MissingTool {
        dir: dir.to_path_buf(),
        missing: "cargo is not on PATH".to_owned(),
        remedy: "install Rust with rustup".to_owned(),
    }
}

fn check_toolchain(dir: &Path) -> Result<(), Error> {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir);
    rustc.env_remove("RUSTUP_TOOLCHAIN");
    let output = rustc.output().map_err(|_| missing_cargo(dir))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && libraries.is_dir() {
        return Ok(());
    }
    Err(Error::MissingTool {
        dir: dir.to_path_buf(),
        missing: format!("the Rust target {TARGET} is not installed"),
        remedy: format!("run `rustup target add {TARGET}`"),
    })
}

/// The component that a line of Cargo's messages reports, if it belongs to the
/// package itself.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact"
        || Path::new(message.get("manifest_path")?.as_str()?) != manifest
    {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let names = files.iter().filter_map(|name| name.as_str());
    names
        .map(PathBuf::from)
        .find(|path| path.extension().is_some_and(|ext| ext == "wasm"))
}

fn single(dir: &Path, mut artifacts: Vec<PathBuf>) -> Result<PathBuf, Error> {
    let fail = |detail: &str| {
        Err(Error::NoComponent {
            dir: dir.to_path_buf(),
            detail: detail.to_owned(),
        })
    };
    match (artifacts.pop(), artifacts.is_empty()) {
        (Some(component), true) => Ok(component),
        (Some(_), false) => fail("Cargo built more than one component; a charm is one library"),
        (None, _) => fail(
            "Cargo built no component; a charm is a library with `crate-type = [\"cdylib\"]` in the [lib] section of Cargo.toml",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_components_of_the_package_itself_count() {
        let line = |reason: &str, manifest: &str, file: &str| {
            serde_json::json!({"reason": reason, "manifest_path": manifest, "filenames": [file]})
                .to_string()
        };
        let manifest = Path::new("/p/Cargo.toml");
        for (line, wanted) in [
            (
                line("compiler-artifact", "/p/Cargo.toml", "/t/p.wasm"),
                Some("/t/p.wasm"),
            ),
            (
                line("compiler-artifact", "/q/Cargo.toml", "/t/q.wasm"),
                None,
            ),
            (
                line("compiler-artifact", "/p/Cargo.toml", "/t/libp.rlib"),
                None,
            ),
            (line("build-finished", "/p/Cargo.toml", "/t/p.wasm"), None),
            ("not JSON".to_owned(), None),
        ] {
            assert_eq!(
                artifact(&line, manifest),
                wanted.map(PathBuf::from),
                "{line}"
            );
        }
    }

    #[test]
    fn a_package_builds_exactly_one_component() {
        let dir = Path::new("/p");
        let paths = |n: usize| vec![PathBuf::from("/t/p.wasm"); n];
        assert!(single(dir, paths(1)).is_ok());
        assert!(
            single(dir, paths(0))
                .unwrap_err()
                .to_string()
                .contains("cdylib")
        );
        assert!(
            single(dir, paths(2))
                .unwrap_err()
                .to_string()
                .contains("more than one")
        );
    }
}
