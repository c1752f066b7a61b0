//! The compiled charm, loaded from its file in a unit.

use std::hash::{DefaultHasher, Hasher};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

use crate::engine::ARTIFACT_VERSION;
use crate::state::State;
use crate::wit::v1::bindings::CharmPre;
use crate::world::{self, World, WorldError};

/// Why a compiled charm cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file does not exist.
    #[error(
        "cannot find the compiled charm {path}: the charm was packed without it, or was not built; run `charmhost build` or `charmhost pack`"
    )]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the compiled charm {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
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
    /// The file is truncated, damaged, or not a compiled charm.
    #[error(
        "cannot run {path}: it is damaged or not a compiled charm ({detail}); run `charmhost build` again and check that the file was copied whole"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error of wasmtime, or what the file is instead.
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
        /// The processor or system that it was compiled for.
        found: String,
    },
    /// It was compiled for another release of the host.
    #[error(
        "cannot run {path}: it was compiled by {found}, and this dispatch is {ARTIFACT_VERSION}; build both with the same charmhost and its SDK: run `charmhost pack` again, and refresh the charm (`juju refresh`)"
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// The release that compiled it.
        found: String,
    },
    /// It cannot be linked.
    #[error("cannot link {}: {detail}", path.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// The error of wasmtime.
        detail: String,
    },
    /// It is a component, but does not fit the world of a charm.
    #[error("cannot run {}: {mismatch}", path.display())]
    World {
        /// The file.
        path: PathBuf,
        /// How it does not fit; part of the message, so that it is not its
        /// source as well.
        mismatch: WorldError,
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

/// The code of a charm, linked with everything that it may import. Sessions of
/// the same charm share it: a clone is cheap.
#[derive(Clone)]
pub struct CompiledCharm(CharmPre<State>);

impl CompiledCharm {
    /// Maps a compiled charm into memory and links it.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        let component = load(engine, path)?;
        let linker = world::linker(engine, &component).map_err(|error| LoadError::Link {
            path: path.to_path_buf(),
            detail: format!("{error:#}"),
        })?;
        let pre = world::prepare(&linker, &component).map_err(|mismatch| LoadError::World {
            path: path.to_path_buf(),
            mismatch,
        })?;
        Ok(CompiledCharm(pre))
    }

    /// The world of a compiled charm: the smallest that has all of its imports.
    pub fn world(engine: &Engine, path: &Path) -> Result<World, LoadError> {
        let charm = CompiledCharm::load(engine, path)?;
        Ok(World::of(engine, charm.0.instance_pre().component()))
    }

    pub(crate) fn into_pre(self) -> CharmPre<State> {
        self.0
    }
}

/// Returns a text that identifies the content of a compiled charm; none if it
/// cannot be read.
pub fn revision(path: &Path) -> Option<String> {
    let mut file = std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(path).ok()?);
    let mut hasher = DefaultHasher::new();
    loop {
        let chunk = file.fill_buf().ok()?;
        if chunk.is_empty() {
            return Some(format!("{:016x}", hasher.finish()));
        }
        hasher.write(chunk);
        let length = chunk.len();
        file.consume(length);
    }
}

/// Maps a compiled component into memory.
fn load(engine: &Engine, path: &Path) -> Result<Component, LoadError> {
    // SAFETY: wasmtime requires that the file is the unchanged output of its
    // compiler, because the code in it runs with the rights of this process.
    // The file is beside this executable in the charm's directory, was created
    // there by the same agent with the same rights, and nothing a guest can do
    // makes it writable: whoever can change it can change the executable too.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map_err(|error| match check_kind(path) {
        Ok(()) => LoadError::from_wasmtime(path, &error),
        Err(explained) => explained,
    })
}

/// Rejects a file that is certainly not a compiled component.
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
