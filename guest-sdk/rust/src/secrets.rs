//! Secrets.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};

use crate::bindings::secrets as wit;
use crate::error::ModelResult;
use crate::{
    App, Relation, Result, SecretChangedEvent, SecretExpiredEvent, SecretRemoveEvent,
    SecretRotateEvent, Unit, time,
};

/// The content of a secret.
pub type SecretContent = BTreeMap<String, String>;

/// A secret that this unit or its application owns, or that was granted to it.
///
/// It names the secret and reads nothing by itself. Changes take effect when the
/// hook succeeds; Juju checks some of them only then.
///
/// ```
/// # use charmhost::prelude::*;
/// # fn handler(relation: &Relation) -> Result<()> {
/// let metadata = SecretMetadata::new().label("admin").rotate(Rotation::Monthly);
/// let secret = app().add_secret([("password", "correct-horse")], metadata)?;
/// secret.grant(relation)?;
/// relation.set_app_data([("secret", secret.id().unwrap_or_default())])?;
/// # Ok(())
/// # }
/// ```
///
/// A field of the configuration can be a secret, for an option of this type:
///
/// ```
/// # use charmhost::prelude::*;
/// #[derive(serde::Deserialize)]
/// struct Config {
///     admin_password: Option<Secret>,
/// }
/// # fn handler() -> Result<()> {
/// let config: Config = config()?;
/// if let Some(secret) = config.admin_password {
///     let content = secret.content()?;
///     log::info!("the password has {} characters", content["password"].len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret(Name);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Id(String),
    Label(String),
    Labelled { id: String, label: String },
}

/// How often Juju sends `secret-rotate` to the owner of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Never.
    Never,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Yearly,
}

/// Metadata of a secret that is set. What is not set stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecretMetadata {
    label: Option<String>,
    description: Option<String>,
    expire: Option<SystemTime>,
    rotate: Option<Rotation>,
}

/// Metadata of a secret that this unit or its application owns.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SecretInfo {
    /// The URI.
    pub id: String,
    /// The owner's label.
    pub label: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The latest revision.
    pub revision: u32,
    /// When the latest revision expires.
    pub expires: Option<SystemTime>,
    /// How often it is to be rotated.
    pub rotation: Option<Rotation>,
    /// When it is due for rotation.
    pub rotates: Option<SystemTime>,
}

/// Returns the secrets that this unit or its application owns, sorted by URI. Those
/// of the application are listed only to the leader.
#[track_caller]
pub fn owned_secrets() -> Result<Vec<Secret>> {
    let ids = wit::ids().model()?;
    Ok(ids.into_iter().map(Secret::with_id).collect())
}

impl Secret {
    /// A secret by its URI, `secret:…`, for example of a databag. An id without the
    /// scheme is of this model.
    pub fn with_id(id: impl Into<String>) -> Self {
        Secret(Name::Id(id.into()))
    }

    /// A secret by the label that this unit or its application gave it.
    pub fn with_label(label: impl Into<String>) -> Self {
        Secret(Name::Label(label.into()))
    }

    /// A secret by its URI; reading it gives it a label.
    pub fn labelled(id: impl Into<String>, label: impl Into<String>) -> Self {
        Secret(Name::Labelled {
            id: id.into(),
            label: label.into(),
        })
    }

    /// The URI, unless the secret is named by its label alone; then it is in
    /// [`Secret::info`].
    pub fn id(&self) -> Option<&str> {
        match &self.0 {
            Name::Id(id) | Name::Labelled { id, .. } => Some(id),
            Name::Label(_) => None,
        }
    }

    /// The label by which the secret is named.
    pub fn label(&self) -> Option<&str> {
        match &self.0 {
            Name::Id(_) => None,
            Name::Label(label) | Name::Labelled { label, .. } => Some(label),
        }
    }

    /// Returns the content of the revision that this unit tracks. It is read once
    /// in a dispatch, until [`Secret::refresh`].
    #[track_caller]
    pub fn content(&self) -> Result<SecretContent> {
        self.read(wit::ContentMode::Current)
    }

    /// Returns the content of the latest revision, which this unit tracks from now
    /// on.
    #[track_caller]
    pub fn refresh(&self) -> Result<SecretContent> {
        self.read(wit::ContentMode::Refresh)
    }

    /// Returns the content of the latest revision. This unit tracks the same
    /// revision as before.
    #[track_caller]
    pub fn peek(&self) -> Result<SecretContent> {
        self.read(wit::ContentMode::Peek)
    }

    #[track_caller]
    fn read(&self, mode: wit::ContentMode) -> Result<SecretContent> {
        let content = wit::get_content(&self.reference(), mode).model()?;
        Ok(content.into_iter().collect())
    }

    /// Returns its metadata. Only the owner may read it.
    #[track_caller]
    pub fn info(&self) -> Result<SecretInfo> {
        let info = wit::get_info(&self.reference()).model()?;
        Ok(SecretInfo {
            id: info.id,
            label: info.label,
            description: info.description,
            revision: info.revision,
            expires: info.expires.map(time::from_seconds),
            rotation: info.rotation.map(rotation_from_wit),
            rotates: info.rotates.map(time::from_seconds),
        })
    }

    /// Creates a revision with this content. See [`App::add_secret`] for the keys.
    #[track_caller]
    pub fn set_content<K, V>(&self, content: impl IntoIterator<Item = (K, V)>) -> Result<()>
    where
        K: Into<String>,
        V: Into<String>,
    {
        wit::set_content(&self.reference(), &entries(content)).model()
    }

    /// Sets metadata.
    #[track_caller]
    pub fn set_info(&self, metadata: SecretMetadata) -> Result<()> {
        wit::set_info(&self.reference(), &metadata.into_wit()).model()
    }

    /// Grants it to the remote application of a relation.
    #[track_caller]
    pub fn grant(&self, relation: &Relation) -> Result<()> {
        wit::grant(&self.reference(), relation.id(), None).model()
    }

    /// Grants it to one remote unit of a relation.
    #[track_caller]
    pub fn grant_unit(&self, relation: &Relation, unit: &str) -> Result<()> {
        wit::grant(&self.reference(), relation.id(), Some(unit)).model()
    }

    /// Revokes a grant to the remote application of a relation.
    #[track_caller]
    pub fn revoke(&self, relation: &Relation) -> Result<()> {
        wit::revoke(&self.reference(), relation.id(), None).model()
    }

    /// Revokes a grant to one remote unit of a relation.
    #[track_caller]
    pub fn revoke_unit(&self, relation: &Relation, unit: &str) -> Result<()> {
        wit::revoke(&self.reference(), relation.id(), Some(unit)).model()
    }

    /// Removes one revision.
    #[track_caller]
    pub fn remove_revision(&self, revision: u32) -> Result<()> {
        wit::remove(&self.reference(), Some(revision)).model()
    }

    /// Removes it with all of its revisions.
    #[track_caller]
    pub fn remove(&self) -> Result<()> {
        wit::remove(&self.reference(), None).model()
    }

    fn reference(&self) -> wit::SecretReference {
        match &self.0 {
            Name::Id(id) => wit::SecretReference::Id(id.clone()),
            Name::Label(label) => wit::SecretReference::Label(label.clone()),
            Name::Labelled { id, label } => wit::SecretReference::Labelled(wit::LabelledSecret {
                id: id.clone(),
                label: label.clone(),
            }),
        }
    }

    fn named(id: &str, label: Option<&str>) -> Self {
        match label {
            Some(label) => Secret::labelled(id, label),
            None => Secret::with_id(id),
        }
    }
}

/// From the URI, as in the configuration.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret::with_id)
    }
}

impl SecretMetadata {
    /// Metadata of which nothing is set.
    pub fn new() -> Self {
        SecretMetadata::default()
    }

    /// Sets the owner's label. No two secrets of an owner have the same one.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the description.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets when the latest revision expires: Juju then sends `secret-expired`.
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.expire = Some(time);
        self
    }

    /// Sets how long from now the latest revision expires.
    pub fn expires_in(self, duration: Duration) -> Self {
        self.expires_at(SystemTime::now() + duration)
    }

    /// Sets how often Juju sends `secret-rotate`.
    pub fn rotate(mut self, rotation: Rotation) -> Self {
        self.rotate = Some(rotation);
        self
    }

    fn into_wit(self) -> wit::SecretMetadata {
        wit::SecretMetadata {
            label: self.label,
            description: self.description,
            expire: self.expire.map(time::to_seconds),
            rotate: self.rotate.map(rotation_to_wit),
        }
    }
}

impl App {
    /// Creates a secret of the application, which all of its units can read. Only
    /// the leader may.
    ///
    /// Keys consist of lower-case letters, digits and single hyphens, begin with a
    /// letter, and have at least three characters that are not hyphens.
    #[track_caller]
    pub fn add_secret<K, V>(
        self,
        content: impl IntoIterator<Item = (K, V)>,
        metadata: SecretMetadata,
    ) -> Result<Secret>
    where
        K: Into<String>,
        V: Into<String>,
    {
        add(wit::SecretOwner::App, entries(content), metadata)
    }
}

impl Unit {
    /// Creates a secret of this unit. See [`App::add_secret`] for the keys.
    #[track_caller]
    pub fn add_secret<K, V>(
        self,
        content: impl IntoIterator<Item = (K, V)>,
        metadata: SecretMetadata,
    ) -> Result<Secret>
    where
        K: Into<String>,
        V: Into<String>,
    {
        add(wit::SecretOwner::Unit, entries(content), metadata)
    }
}

macro_rules! secret_events {
    ($($event:ident)*) => {
        $(impl $event {
            /// The secret of the event.
            pub fn secret(&self) -> Secret {
                Secret::named(&self.id, self.label.as_deref())
            }
        })*
    };
}

secret_events! {
    SecretChangedEvent SecretRotateEvent SecretRemoveEvent SecretExpiredEvent
}

macro_rules! secret_revision_events {
    ($($event:ident)*) => {
        $(impl $event {
            /// Removes the revision of the event.
            #[track_caller]
            pub fn remove_revision(&self) -> Result<()> {
                self.secret().remove_revision(self.revision)
            }
        })*
    };
}

secret_revision_events! {
    SecretRemoveEvent SecretExpiredEvent
}

#[track_caller]
fn add(
    owner: wit::SecretOwner,
    content: Vec<(String, String)>,
    metadata: SecretMetadata,
) -> Result<Secret> {
    let label = metadata.label.clone();
    let id = wit::add(owner, &content, &metadata.into_wit()).model()?;
    Ok(Secret::named(&id, label.as_deref()))
}

fn entries<K, V>(content: impl IntoIterator<Item = (K, V)>) -> Vec<(String, String)>
where
    K: Into<String>,
    V: Into<String>,
{
    let entry = |(key, value): (K, V)| (key.into(), value.into());
    content.into_iter().map(entry).collect()
}

fn rotation_to_wit(rotation: Rotation) -> wit::Rotation {
    match rotation {
        Rotation::Never => wit::Rotation::Never,
        Rotation::Hourly => wit::Rotation::Hourly,
        Rotation::Daily => wit::Rotation::Daily,
        Rotation::Weekly => wit::Rotation::Weekly,
        Rotation::Monthly => wit::Rotation::Monthly,
        Rotation::Quarterly => wit::Rotation::Quarterly,
        Rotation::Yearly => wit::Rotation::Yearly,
    }
}

fn rotation_from_wit(rotation: wit::Rotation) -> Rotation {
    match rotation {
        wit::Rotation::Never => Rotation::Never,
        wit::Rotation::Hourly => Rotation::Hourly,
        wit::Rotation::Daily => Rotation::Daily,
        wit::Rotation::Weekly => Rotation::Weekly,
        wit::Rotation::Monthly => Rotation::Monthly,
        wit::Rotation::Quarterly => Rotation::Quarterly,
        wit::Rotation::Yearly => Rotation::Yearly,
    }
}
