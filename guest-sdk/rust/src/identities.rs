//! Identities of workload containers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bindings::pebble as wit;
use crate::container::names;
use crate::error::ModelResult;
use crate::layer::words;
use crate::{Container, Result};

words! {
    /// What an [`Identity`] may do.
    IdentityAccess {
        /// Everything.
        Admin = "admin",
        /// Read everything but files and the plan.
        Read = "read",
        /// Read metrics.
        Metrics = "metrics",
        /// Read what is open to all.
        Untrusted = "untrusted",
    }
}

/// Who may use the API of a container's Pebble, and how it is recognised.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub access: IdentityAccess,
    /// A user of the container, by id.
    pub local_user_id: Option<u32>,
    /// A password, as a sha512-crypt hash. Pebble returns `*****`.
    pub basic_password: Option<String>,
    /// A certificate, PEM. Pebble returns `*****`.
    pub certificate: Option<String>,
}

impl Identity {
    fn new(name: impl Into<String>, access: IdentityAccess) -> Self {
        Identity {
            name: name.into(),
            access,
            local_user_id: None,
            basic_password: None,
            certificate: None,
        }
    }

    /// Creates an identity for a user of the container.
    pub fn local(name: impl Into<String>, access: IdentityAccess, user_id: u32) -> Self {
        Identity {
            local_user_id: Some(user_id),
            ..Identity::new(name, access)
        }
    }

    /// Creates an identity with a password, by its sha512-crypt hash.
    pub fn basic(name: impl Into<String>, access: IdentityAccess, hash: impl Into<String>) -> Self {
        Identity {
            basic_password: Some(hash.into()),
            ..Identity::new(name, access)
        }
    }

    /// Creates an identity with a certificate, PEM.
    pub fn certificate(
        name: impl Into<String>,
        access: IdentityAccess,
        pem: impl Into<String>,
    ) -> Self {
        Identity {
            certificate: Some(pem.into()),
            ..Identity::new(name, access)
        }
    }
}

/// Does not print the hash of the password.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("access", &self.access)
            .field("local_user_id", &self.local_user_id)
            .finish_non_exhaustive()
    }
}

impl Container {
    /// Returns the identities, sorted by name.
    #[track_caller]
    pub fn identities(&self) -> Result<Vec<Identity>> {
        let identities = wit::identities(self.name()).model()?;
        Ok(identities.into_iter().map(from_wit).collect())
    }

    /// Adds identities, or replaces those of the same name: all of them or none.
    #[track_caller]
    pub fn replace_identities(&self, identities: impl IntoIterator<Item = Identity>) -> Result<()> {
        let identities: Vec<_> = identities.into_iter().map(to_wit).collect();
        wit::replace_identities(self.name(), &identities).model()
    }

    /// Removes identities: all of them or none.
    #[track_caller]
    pub fn remove_identities<N: Into<String>>(
        &self,
        identities: impl IntoIterator<Item = N>,
    ) -> Result<()> {
        wit::remove_identities(self.name(), &names(identities)).model()
    }
}

fn from_wit(identity: wit::Identity) -> Identity {
    Identity {
        name: identity.name,
        access: match identity.access {
            wit::IdentityAccess::Admin => IdentityAccess::Admin,
            wit::IdentityAccess::Read => IdentityAccess::Read,
            wit::IdentityAccess::Metrics => IdentityAccess::Metrics,
            wit::IdentityAccess::Untrusted => IdentityAccess::Untrusted,
            wit::IdentityAccess::Other(word) => IdentityAccess::Other(word),
        },
        local_user_id: identity.local_user_id,
        basic_password: identity.basic_password,
        certificate: identity.certificate,
    }
}

fn to_wit(identity: Identity) -> wit::Identity {
    wit::Identity {
        name: identity.name,
        access: match identity.access {
            IdentityAccess::Admin => wit::IdentityAccess::Admin,
            IdentityAccess::Read => wit::IdentityAccess::Read,
            IdentityAccess::Metrics => wit::IdentityAccess::Metrics,
            IdentityAccess::Untrusted => wit::IdentityAccess::Untrusted,
            IdentityAccess::Other(word) => wit::IdentityAccess::Other(word),
        },
        local_user_id: identity.local_user_id,
        basic_password: identity.basic_password,
        certificate: identity.certificate,
    }
}
