//! Arguments of the subcommands of `confine`.

use std::ffi::OsStr;

use charmhost_isolation::wire::{Config, Step};

use crate::report::{Context, Result};

/// How the first process inside is allowed to mount.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is root of the machine, and enters a user namespace last.
    Root,
    /// It is in a user namespace from the start.
    User,
}

impl Role {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::User => "user",
        }
    }

    /// The role of a name on the command line.
    pub fn from_name(name: &OsStr) -> Self {
        match name == Role::Root.name() {
            true => Role::Root,
            false => Role::User,
        }
    }
}

/// Parses the configuration.
pub fn parse_config(config: &OsStr) -> Result<Config> {
    let parsed = serde_json::from_slice(config.as_encoded_bytes());
    parsed.at(Step::Other, format!("cannot parse {}", config.display()))
}
