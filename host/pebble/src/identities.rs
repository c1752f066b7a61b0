//! `/v1/identities` (`pebble §16`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::client::named;
use crate::version::Needed;
use crate::wire::words;
use crate::{Client, Error};

const IDENTITIES: Needed = Needed::Since(15);

words! {
    /// What an identity may do.
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

/// Who may use the API, and how it is recognised.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it may do.
    pub access: IdentityAccess,
    /// A user of the container, by id.
    pub local_user_id: Option<u32>,
    /// A password, as a sha512-crypt hash; masked by the daemon.
    pub basic_password: Option<String>,
    /// A certificate, PEM; masked by the daemon.
    pub certificate: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access", &self.access)
            .field("local_user_id", &self.local_user_id)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct WireIdentity {
    access: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Local>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic: Option<Basic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert: Option<Cert>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Local {
    user_id: u32,
}

#[derive(Serialize, Deserialize)]
struct Basic {
    password: String,
}

#[derive(Serialize, Deserialize)]
struct Cert {
    pem: String,
}

impl From<WireIdentity> for Identity {
    fn from(wire: WireIdentity) -> Self {
        Identity {
            access: wire.access.into(),
            local_user_id: wire.local.map(|local| local.user_id),
            basic_password: wire.basic.map(|basic| basic.password),
            certificate: wire.cert.map(|cert| cert.pem),
        }
    }
}

impl From<Identity> for WireIdentity {
    fn from(identity: Identity) -> Self {
        WireIdentity {
            access: identity.access.as_str().to_owned(),
            local: identity.local_user_id.map(|user_id| Local { user_id }),
            basic: identity.basic_password.map(|password| Basic { password }),
            cert: identity.certificate.map(|pem| Cert { pem }),
        }
    }
}

#[derive(Serialize)]
struct Act {
    action: &'static str,
    identities: BTreeMap<String, Option<WireIdentity>>,
}

impl Client {
    /// Returns the identities by name.
    pub async fn identities(&self) -> Result<BTreeMap<String, Identity>, Error> {
        let answer = self.get("/v1/identities").await;
        let answer = self.explain(IDENTITIES, "list identities", answer).await?;
        let identities: Option<BTreeMap<String, WireIdentity>> = answer.result;
        let identities = identities.unwrap_or_default().into_iter();
        Ok(identities
            .map(|(name, identity)| (name, identity.into()))
            .collect())
    }

    /// Adds identities, or replaces those of the same name: all of them or none.
    pub async fn replace_identities(
        &self,
        identities: impl IntoIterator<Item = (String, Identity)>,
    ) -> Result<(), Error> {
        let identities = identities.into_iter();
        let identities = identities.map(|(name, identity)| (name, Some(identity.into())));
        self.change_identities("replace", identities.collect())
            .await
    }

    /// Removes identities: all of them or none.
    pub async fn remove_identities(&self, names: &[String]) -> Result<(), Error> {
        named("remove identities", names)?;
        let identities = names.iter().map(|name| (name.clone(), None));
        self.change_identities("remove", identities.collect()).await
    }

    async fn change_identities(
        &self,
        action: &'static str,
        identities: BTreeMap<String, Option<WireIdentity>>,
    ) -> Result<(), Error> {
        let body = Act { action, identities };
        let answer = self.post::<IgnoredAny>("/v1/identities", &body).await;
        let verb = format!("{action} identities");
        self.explain(IDENTITIES, &verb, answer).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn identities_are_written_as_pebble_reads_them() {
        let identity = Identity {
            access: IdentityAccess::Metrics,
            local_user_id: Some(0),
            basic_password: Some("$6$salt$hash".to_owned()),
            certificate: None,
        };
        let shown = format!("{identity:?}");
        assert!(!shown.contains("hash"), "{shown}");
        let identities = [
            ("a".to_owned(), Some(identity.into())),
            ("b".to_owned(), None),
        ];
        let body = Act {
            action: "replace",
            identities: identities.into(),
        };
        let value: Value = serde_json::to_value(&body).unwrap();
        assert_eq!(
            value,
            json!({"action": "replace", "identities": {
                "a": {"access": "metrics", "local": {"user-id": 0}, "basic": {"password": "$6$salt$hash"}},
                "b": null,
            }})
        );
    }
}
