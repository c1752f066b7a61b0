//! The Rust SDK that this program carries.

use std::path::Path;

use anyhow::Context;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Directory of the SDK in a project.
pub const DIR: &str = ".charmhost/sdk";

/// The manifest of the SDK.
const MANIFEST: &str = "Cargo.toml";

/// Writes the SDK to a project, in place of another one.
pub fn install(project: &Path) -> anyhow::Result<()> {
    let dir = project.join(DIR);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", dir.display()));
        }
        _ => {}
    }
    SDK.iter()
        .try_for_each(|(path, text)| write(&dir.join(path), text))
}

/// Writes a file and the directories above it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let attempt = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

/// The manifest of this SDK.
pub fn manifest() -> &'static str {
    let manifest = SDK.iter().find(|(path, _)| *path == MANIFEST);
    manifest.map_or("", |(_, text)| text)
}

/// The version in the manifest of an SDK.
pub fn version(manifest: &str) -> &str {
    let line = manifest.lines().find(|line| line.starts_with("version = "));
    let version = line.and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_complete() {
        for wanted in [
            "Cargo.toml",
            "src/lib.rs",
            "wit/charm.wit",
            "wit/deps/status/status.wit",
        ] {
            assert!(
                SDK.iter().any(|(path, _)| path == &wanted),
                "{wanted} is missing"
            );
        }
    }

    #[test]
    fn the_version_is_that_of_the_package() {
        assert_eq!(
            version("[package]\nname = \"x\"\nversion = \"1.2.3\"\n[dependencies]\nlog = \"0.4\""),
            "1.2.3"
        );
        assert_ne!(version(manifest()), "unknown");
    }
}
