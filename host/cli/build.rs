//! Embeds the Rust SDK and the WIT, so that `charmhost new` needs neither a
//! checkout nor a registry.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?)
        .join("../..")
        .canonicalize()?;
    let mut files = Vec::new();
    for (folder, prefix) in [("guest-sdk/rust", ""), ("wit/charm", "wit/")] {
        let folder = root.join(folder);
        for file in embedded(&folder)? {
            let name = file.strip_prefix(&folder)?.display().to_string();
            files.push((format!("{prefix}{name}"), file));
        }
    }
    files.sort();
    let mut source = String::from("pub const SDK: &[(&str, &str)] = &[\n");
    for (name, path) in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            source,
            "    ({name:?}, include_str!({:?})),",
            path.display().to_string()
        )?;
    }
    source.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("sdk.rs"), source)?;
    Ok(())
}

/// The files of an SDK that a charm is built from: no tests, nothing built.
fn embedded(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let skipped = ["target", "tests", "Cargo.lock", "wit"].contains(&name.as_str())
            || name.starts_with('.');
        if skipped {
            continue;
        }
        if path.is_dir() {
            files.extend(embedded(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}
