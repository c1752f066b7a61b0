//! Errors of projects and archives.

use std::io;
use std::path::PathBuf;

/// Why a charm cannot be packed or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// A directory without `charmcraft.yaml`.
    #[error("cannot find charmcraft.yaml in {}: run this in a charm project, or make one with `charmhost new`", .0.display())]
    NoProject(PathBuf),
    /// A document that is not YAML, or that different readers of YAML would read
    /// differently.
    #[error("cannot read {file}")]
    Yaml {
        /// The file, relative to the project.
        file: String,
        /// Where and why.
        source: charmhost_yaml::Error,
    },
    /// Juju or charmcraft would reject the project: at least one problem, each a
    /// sentence.
    #[error("cannot use this charm project:\n- {}", .0.join("\n- "))]
    Project(Vec<String>),
    /// A charm name that Juju does not accept.
    #[error("{0}")]
    Name(String),
    /// The project has no platform for an architecture.
    #[error(
        "cannot pack for {architecture}: charmcraft.yaml has no such platform, only {known}; add `{architecture}:` under `platforms`"
    )]
    Architecture {
        /// The requested architecture.
        architecture: String,
        /// The architectures of the project, separated by commas.
        known: String,
    },
    /// A file that cannot be a member of the archive.
    #[error("cannot pack {name:?}: {reason}")]
    Member {
        /// The name in the archive.
        name: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// An archive that is damaged, or that Juju cannot run.
    #[error("cannot use the charm {}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
}

impl Error {
    /// For `map_err` after a system call.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }
}
