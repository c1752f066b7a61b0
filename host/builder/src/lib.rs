//! Builds a charm project into what `dispatch` runs.
//!
//! The toolchain of the project's language builds a WebAssembly component. It is
//! checked against the WIT world of the host, compiled to machine code for the
//! baseline of one architecture, and written to a directory together with the
//! `dispatch` program: the files that a charmcraft part installs.

mod architecture;
mod dry_run;
mod rust;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use architecture::Architecture;

/// The compiled charm's name beside `dispatch`.
pub use charmhost_runtime::COMPILED_NAME;

/// Why a charm cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory is not a project in a known language.
    #[error(
        "cannot build {0}: it has no Cargo.toml. Only charms in Rust can be built so far; `charmhost new NAME` creates one, and `--component FILE` takes a component that another toolchain has built"
    )]
    UnknownLanguage(PathBuf),
    /// The directory does not exist.
    #[error("cannot build {0}: the directory does not exist")]
    NoDirectory(PathBuf),
    /// A tool is missing.
    #[error("cannot build {dir}: {missing}; {remedy}")]
    MissingTool {
        /// The project.
        dir: PathBuf,
        /// A sentence about what is missing.
        missing: String,
        /// What to do about it.
        remedy: String,
    },
    /// The toolchain failed and has printed its own messages.
    #[error("cannot build {dir}: {what} failed with {status}; its messages are above")]
    Toolchain {
        /// The project.
        dir: PathBuf,
        /// The program that failed.
        what: String,
        /// Its exit status.
        status: String,
    },
    /// The project built, but not into one charm.
    #[error("cannot build {dir}: {detail}")]
    NoComponent {
        /// The project.
        dir: PathBuf,
        /// What was found, and what to do.
        detail: String,
    },
    /// The component does not match the WIT world of a charm.
    #[error("cannot use {component}: {detail}")]
    World {
        /// The component.
        component: PathBuf,
        /// Which imports and exports do not match.
        detail: String,
    },
    /// The charm cannot be created, or its observers do not match its metadata.
    #[error("cannot build {dir}: the charm fails before its first event: {detail}")]
    Observers {
        /// The project.
        dir: PathBuf,
        /// What the charm logs.
        detail: String,
    },
    /// The component cannot be compiled.
    #[error("cannot compile {component} for {architecture}: {detail}")]
    Compile {
        /// The component.
        component: PathBuf,
        /// The architecture.
        architecture: Architecture,
        /// The message from the compiler.
        detail: String,
    },
    /// The `dispatch` program is missing or is for another machine.
    #[error("cannot find a dispatch program for {architecture}: {detail}")]
    NoDispatch {
        /// The architecture.
        architecture: Architecture,
        /// Which files were tried, and what to do.
        detail: String,
    },
    /// The output directory has other files.
    #[error(
        "cannot build into {output}: it contains {found:?}, which is not part of a built charm; use an empty directory"
    )]
    ForeignOutput {
        /// The output directory.
        output: PathBuf,
        /// A file in it.
        found: String,
    },
    /// `charmhost.toml` is invalid.
    #[error(transparent)]
    Settings(#[from] charmhost_sandbox::SettingsError),
    /// A file cannot be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried, for example `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: std::io::Error,
    },
}

/// What to build, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The project's directory.
    pub dir: PathBuf,
    /// The directory for the files of the charm, which is created if needed.
    pub output: PathBuf,
    /// The architecture of the units that will run the charm.
    pub architecture: Architecture,
    /// The `dispatch` program; none for one in `program_dir`.
    pub dispatch: Option<PathBuf>,
    /// The directory of the `charmhost` program.
    pub program_dir: PathBuf,
    /// Cargo's home directory, whose path is removed from components.
    pub cargo_home: Option<PathBuf>,
    /// The component, if another toolchain has built it already.
    pub component: Option<PathBuf>,
}

/// A step of a build, reported before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The language's toolchain builds a component.
    Component,
    /// The component is compiled for an architecture.
    Compile(Architecture),
    /// The files are written to the output directory.
    Stage,
}

/// The result of a build.
#[derive(Debug, Clone)]
pub struct Built {
    /// The size of the component, in bytes.
    pub component_bytes: u64,
    /// The size of the compiled charm, in bytes.
    pub compiled_bytes: u64,
    /// How long the compiler took, without the language's toolchain.
    pub compile_time: Duration,
    /// The files in the output directory.
    pub files: Vec<PathBuf>,
}

/// Builds a project.
pub fn build(options: &Options, progress: &mut dyn FnMut(Step)) -> Result<Built, Error> {
    let dir = absolute(&options.dir)?;
    let dispatch = stage::find_dispatch(options)?;
    stage::check_output(&options.output)?;
    charmhost_runtime::Settings::load(&dir)?;

    let component = match &options.component {
        Some(component) => component.clone(),
        None => {
            progress(Step::Component);
            component(&dir, options.cargo_home.as_deref())?
        }
    };
    let bytes = read(&component)?;

    progress(Step::Compile(options.architecture));
    let started = std::time::Instant::now();
    let compiled = compile(&component, &bytes, options.architecture)
        .map_err(|error| ask_for_main(error, options))?;
    let compile_time = started.elapsed();

    progress(Step::Stage);
    let files = stage::stage(&dir, &dispatch, &compiled, &options.output)?;
    dry_run::check(
        &dir,
        &bytes,
        &options.output.join(COMPILED_NAME),
        options.architecture,
    )
    .map_err(|detail| Error::Observers { dir, detail })?;
    Ok(Built {
        component_bytes: bytes.len() as u64,
        compiled_bytes: compiled.len() as u64,
        compile_time,
        files,
    })
}

fn absolute(dir: &Path) -> Result<PathBuf, Error> {
    match dir.canonicalize() {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(Error::NoDirectory(dir.to_path_buf())),
    }
}

fn component(dir: &Path, cargo_home: Option<&Path>) -> Result<PathBuf, Error> {
    if dir.join("Cargo.toml").is_file() {
        return rust::component(dir, cargo_home);
    }
    Err(Error::UnknownLanguage(dir.to_path_buf()))
}

/// Checks a component against the WIT world of a charm and compiles it.
fn compile(path: &Path, component: &[u8], architecture: Architecture) -> Result<Vec<u8>, Error> {
    let failed = |error: charmhost_runtime::CompileError| match error {
        charmhost_runtime::CompileError::World(world) => Error::World {
            component: path.to_path_buf(),
            detail: world.to_string(),
        },
        other => Error::Compile {
            component: path.to_path_buf(),
            architecture,
            detail: other.to_string(),
        },
    };
    charmhost_runtime::compile(component, architecture.triple()).map_err(failed)
}

/// Adds a hint to the error for a charm in Rust without exports, which most
/// likely lacks the macro.
fn ask_for_main(error: Error, options: &Options) -> Error {
    match error {
        Error::World { component, detail }
            if options.component.is_none() && detail.contains("does not export") =>
        {
            Error::World {
                component,
                detail: format!(
                    "{detail}; is `charmhost::main!(MyCharm);` missing in src/lib.rs, with the name of the charm's struct?"
                ),
            }
        }
        error => error,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })
}
