//! Loading a compiled charm in a unit.

use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

use crate::engine::ARTIFACT_VERSION;

/// Why a compiled charm cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error(
        "cannot find the compiled charm {path}: the charm was packed without it, or was not built; run `charmhost build` or `charmhost pack`"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the compiled charm {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A WebAssembly file that was never compiled.
    #[error(
        "cannot run {path}: it is WebAssembly that was not compiled for this host; run `charmhost build` and use the charm.cwasm that it writes"
    )]
    NotCompiled {
        /// The file.
        path: PathBuf,
    },
    /// The file is cut short, damaged, or something else altogether.
    #[error(
        "cannot run {path}: it is damaged or not a compiled charm ({detail}); run `charmhost build` again and check that the file was copied whole"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// It was compiled for another processor or system.
    #[error(
        "cannot run {path}: it was compiled for {found}, and this host runs on {}; deploy the charm for this architecture, or run `charmhost build --target {0}`",
        std::env::consts::ARCH
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it was compiled for.
        found: String,
    },
    /// It was compiled for another release of the host.
    #[error(
        "cannot run {path}: it was compiled by {found}, and this dispatch is {ARTIFACT_VERSION}; build both with the same charmhost: run `charmhost build` or `charmhost pack` again"
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// What it was compiled by.
        found: String,
    },
}

impl LoadError {
    fn from_wasmtime(path: &Path, error: &wasmtime::Error) -> Self {
        let text = format!("{error:#}");
        let path = path.to_path_buf();
        let quoted = || {
            let mut parts = text.split('\'');
            parts.nth(1).unwrap_or("something else").to_owned()
        };
        if text.contains("incompatible version") {
            LoadError::Stale {
                path,
                found: quoted(),
            }
        } else if text.contains("compiled for architecture")
            || text.contains("compiled for operating system")
        {
            LoadError::Foreign {
                path,
                found: quoted(),
            }
        } else if text.contains("compilation settings") || text.contains("was compiled") {
            LoadError::Stale {
                path,
                found: format!("an engine with other settings ({text})"),
            }
        } else {
            LoadError::Damaged { path, detail: text }
        }
    }
}

/// Maps a compiled charm into memory.
pub fn load(engine: &Engine, path: &Path) -> Result<Component, LoadError> {
    // SAFETY: wasmtime requires that the file is the unchanged output of its
    // compiler, because the code in it runs with the rights of this process.
    // The file lies beside this executable in the charm's directory, was put
    // there by the same agent with the same rights, and nothing a guest can do
    // makes it writable: whoever can change it can change the executable too.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map_err(|error| match check_kind(path) {
        Ok(()) => LoadError::from_wasmtime(path, &error),
        Err(explained) => explained,
    })
}

/// Tells what is certainly no compiled component, and why.
fn check_kind(path: &Path) -> Result<(), LoadError> {
    use std::io::Read;
    let unreadable = |source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::NotFound {
            LoadError::Missing {
                path: path.to_path_buf(),
            }
        } else {
            LoadError::Unreadable {
                path: path.to_path_buf(),
                source,
            }
        }
    };
    let mut magic = Vec::with_capacity(4);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(4).read_to_end(&mut magic).map_err(unreadable)?;
    if magic == b"\0asm" {
        return Err(LoadError::NotCompiled {
            path: path.to_path_buf(),
        });
    }
    let damaged = |detail: &str| LoadError::Damaged {
        path: path.to_path_buf(),
        detail: detail.to_owned(),
    };
    match Engine::detect_precompiled_file(path) {
        Ok(Some(Precompiled::Component)) => Ok(()),
        Ok(Some(Precompiled::Module)) => Err(damaged("it holds a module, not a component")),
        Ok(None) => Err(damaged("it has no header of compiled code")),
        Err(error) => Err(damaged(&format!("{error:#}"))),
    }
}
