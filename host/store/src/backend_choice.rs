//! The choice of a back end, by the charm's settings (ops §5.1).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Backend, ControllerBackend, SqliteBackend, WriteMode};

/// The section `[state]` of `charmhost.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StateSettings {
    /// Where local state is persisted.
    pub storage: BackendKind,
    /// When the changes of a dispatch become durable.
    pub mode: WriteMode,
}

/// Where local state is persisted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// The SQLite file in the charm's directory, as with ops by default.
    #[default]
    File,
    /// Juju's controller, through `state-set`; survives the loss of the pod.
    Juju,
}

impl BackendKind {
    /// Creates the back end for the charm in a directory. Nothing is opened yet.
    pub fn backend(self, charm_dir: &Path) -> Box<dyn Backend> {
        match self {
            BackendKind::File => Box::new(SqliteBackend::new(charm_dir)),
            BackendKind::Juju => Box::new(ControllerBackend::new(charm_dir)),
        }
    }
}
