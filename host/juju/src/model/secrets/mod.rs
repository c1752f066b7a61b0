//! Secrets that this unit or its application owns, and those that were granted to
//! it (`secret-*`; ops §12). Changes are applied when the hook succeeds; Juju checks
//! some of them only then (juju §3.3).
//!
//! Cache (ops §9): tracked content is read once per dispatch for each way in
//! which a secret is named, until a refresh; ops caches it per object. That of a
//! secret that was added is known. Metadata is never cached, nor is other content.

mod content;
mod info;

use std::collections::BTreeMap;

use charmhost_hook_tools::{ToolError, secret_value};
use serde_json::Value;

use super::Model;
use super::time;
use crate::version::JujuVersion;
pub use content::SecretContent;
use content::check_content;
pub use info::{Rotation, SecretInfo, SecretMetadata};

/// The first version of Juju that adds a change of a secret to the earlier ones of
/// the hook; older ones replace them (ops §16.9).
const CHANGES_ADD_UP: JujuVersion = JujuVersion::release(3, 6, 0);

/// Which secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// By its URI, or by its ID alone.
    Id(String),
    /// By the label that this unit or its application gave it.
    Label(String),
    /// By its URI or ID; it gets a label.
    Labelled {
        /// The URI or ID.
        id: String,
        /// The label.
        label: String,
    },
}

/// Which revision of a secret is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentMode {
    /// The one that this unit tracks.
    Current,
    /// The latest, which this unit tracks from now on.
    Refresh,
    /// The latest.
    Peek,
}

/// The owner of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOwner {
    /// This unit's application.
    App,
    /// This unit.
    Unit,
}

/// The content of secrets that was read or added in this dispatch, and the URIs
/// of labels.
#[derive(Debug, Default)]
pub(super) struct SecretCache {
    contents: BTreeMap<SecretReference, SecretContent>,
    uris: BTreeMap<String, String>,
}

impl Model {
    /// Returns the content of a secret.
    pub fn secret_content(
        &mut self,
        secret: &SecretReference,
        mode: ContentMode,
    ) -> Result<SecretContent, ToolError> {
        let secret = self.canonical(secret);
        let key = cache_key(&secret);
        if mode == ContentMode::Current
            && let Some(content) = self.secrets.contents.get(&key)
        {
            return Ok(content.clone());
        }
        let content = self.read_content(&secret, mode)?;
        if let SecretReference::Labelled { label, .. } = &secret {
            self.secrets.forget_label(label);
        }
        match mode {
            ContentMode::Peek => return Ok(content),
            ContentMode::Current => {}
            // The same secret may be cached under other names.
            ContentMode::Refresh => self.secrets.contents.clear(),
        }
        self.secrets.contents.insert(key, content.clone());
        Ok(content)
    }

    /// Returns the metadata of a secret that this unit or its application owns.
    pub fn secret_info(&mut self, secret: &SecretReference) -> Result<SecretInfo, ToolError> {
        let secret = self.with_known_uri(&self.canonical(secret));
        let mut args = vec!["--format=json"];
        match &secret {
            SecretReference::Id(uri) | SecretReference::Labelled { id: uri, .. } => args.push(uri),
            SecretReference::Label(label) => args.extend(["--label", label]),
        }
        let printed = self.call_json("secret-info-get", &args)?;
        let mut info = SecretInfo::read(&printed)?;
        info.id = self.uri(&info.id);
        Ok(info)
    }

    /// Creates a secret and returns its URI.
    pub fn add_secret(
        &mut self,
        owner: SecretOwner,
        content: &[(String, String)],
        metadata: &SecretMetadata,
    ) -> Result<String, ToolError> {
        const TOOL: &str = "secret-add";
        check_content(TOOL, content)?;
        let mut args = metadata.arguments(TOOL)?;
        let owner = match owner {
            SecretOwner::App => "application",
            SecretOwner::Unit => "unit",
        };
        args.extend(["--owner".to_owned(), owner.to_owned()]);
        let printed = self.call_with_values(TOOL, args, values(content))?;
        let uri = String::from_utf8_lossy(&printed).trim().to_owned();
        if uri.is_empty() {
            return Err(ToolError::unexpected(TOOL, "its output is not a URI"));
        }
        let mut names = vec![SecretReference::Id(uri.clone())];
        names.extend(
            metadata
                .label
                .clone()
                .map(|label| SecretReference::Labelled {
                    id: uri.clone(),
                    label,
                }),
        );
        let cached = names.iter().map(|name| (cache_key(name), content.into()));
        self.secrets.contents.extend(cached);
        Ok(uri)
    }

    /// Creates a revision of a secret with new content.
    pub fn set_secret_content(
        &mut self,
        secret: &SecretReference,
        content: &[(String, String)],
    ) -> Result<(), ToolError> {
        check_content("secret-set", content)?;
        let uri = self.resolve(secret)?;
        let metadata = match self.changes_add_up() {
            true => SecretMetadata::default(),
            false => self.with_unchanged(&uri, SecretMetadata::default())?,
        };
        self.set_secret(&uri, &metadata, content)
    }

    /// Sets metadata of a secret. What is none stays.
    pub fn set_secret_info(
        &mut self,
        secret: &SecretReference,
        metadata: &SecretMetadata,
    ) -> Result<(), ToolError> {
        if *metadata == SecretMetadata::default() {
            let text =
                "nothing is to be set: give a label, a description, an expiry time or a rotation";
            return Err(ToolError::invalid("secret-set", text));
        }
        metadata.arguments("secret-set")?;
        let uri = self.resolve(secret)?;
        if self.changes_add_up() {
            self.set_secret(&uri, metadata, &[])?;
        } else {
            let reference = SecretReference::Id(uri.clone());
            let content = self.read_content(&reference, ContentMode::Peek)?;
            let metadata = self.with_unchanged(&uri, metadata.clone())?;
            self.set_secret(&uri, &metadata, &content.into_entries())?;
        }
        if metadata.label.is_some() {
            self.secrets.forget_labels();
        }
        Ok(())
    }

    /// Grants a secret to the remote application of a relation, or to one of its
    /// units.
    pub fn grant_secret(
        &mut self,
        secret: &SecretReference,
        relation: u32,
        unit: Option<&str>,
    ) -> Result<(), ToolError> {
        self.change_access("secret-grant", secret, relation, unit)
    }

    /// Revokes a grant.
    pub fn revoke_secret(
        &mut self,
        secret: &SecretReference,
        relation: u32,
        unit: Option<&str>,
    ) -> Result<(), ToolError> {
        self.change_access("secret-revoke", secret, relation, unit)
    }

    /// Removes a revision of a secret, or the secret.
    pub fn remove_secret(
        &mut self,
        secret: &SecretReference,
        revision: Option<u32>,
    ) -> Result<(), ToolError> {
        // Juju removes the whole secret for a revision that does not exist.
        if revision == Some(0) {
            let text = "there is no revision 0; the first is 1";
            return Err(ToolError::invalid("secret-remove", text));
        }
        let uri = self.resolve(secret)?;
        let revision = revision.map(|revision| revision.to_string());
        let mut args = vec![uri.as_str()];
        if let Some(revision) = &revision {
            args.extend(["--revision", revision]);
        }
        self.call("secret-remove", &args).map(drop)
    }

    /// Returns the URIs of the secrets that this unit or its application owns,
    /// sorted.
    pub fn secret_ids(&mut self) -> Result<Vec<String>, ToolError> {
        const TOOL: &str = "secret-ids";
        let unexpected = || ToolError::unexpected(TOOL, "its output is not a list of IDs");
        let listed = match self.call_json(TOOL, &["--format=json"])? {
            Value::Null => Vec::new(),
            Value::Array(listed) => listed,
            _ => return Err(unexpected()),
        };
        let uri = |id: &Value| Some(self.uri(id.as_str()?));
        let uris: Option<Vec<String>> = listed.iter().map(uri).collect();
        let mut uris = uris.ok_or_else(unexpected)?;
        uris.sort();
        Ok(uris)
    }

    /// Returns the URI of an ID, or the URI that is given (ops §12).
    fn uri(&self, id: &str) -> String {
        let id = id.trim();
        match self.unit.model_uuid.as_str() {
            _ if id.starts_with("secret:") => id.to_owned(),
            "" => format!("secret:{id}"),
            model => format!("secret://{model}/{id}"),
        }
    }

    fn canonical(&self, secret: &SecretReference) -> SecretReference {
        match secret {
            SecretReference::Id(id) => SecretReference::Id(self.uri(id)),
            SecretReference::Label(label) => SecretReference::Label(label.clone()),
            SecretReference::Labelled { id, label } => SecretReference::Labelled {
                id: self.uri(id),
                label: label.clone(),
            },
        }
    }

    /// Adds the URI to a label that was looked up: calls then pass both, as those
    /// of ops.
    fn with_known_uri(&self, secret: &SecretReference) -> SecretReference {
        if let SecretReference::Label(label) = secret
            && let Some(uri) = self.secrets.uris.get(label)
        {
            return SecretReference::Labelled {
                id: uri.clone(),
                label: label.clone(),
            };
        }
        secret.clone()
    }

    /// Returns the URI of a secret, which all changes need. A label is looked up
    /// once (ops §12).
    fn resolve(&mut self, secret: &SecretReference) -> Result<String, ToolError> {
        let label = match self.canonical(secret) {
            SecretReference::Id(uri) | SecretReference::Labelled { id: uri, .. } => return Ok(uri),
            SecretReference::Label(label) => label,
        };
        if let Some(uri) = self.secrets.uris.get(&label) {
            return Ok(uri.clone());
        }
        let uri = self.secret_info(secret)?.id;
        self.secrets.uris.insert(label, uri.clone());
        Ok(uri)
    }

    fn read_content(
        &mut self,
        secret: &SecretReference,
        mode: ContentMode,
    ) -> Result<SecretContent, ToolError> {
        let secret = self.with_known_uri(secret);
        let mut args = vec!["--format=json"];
        match &secret {
            SecretReference::Id(uri) => args.push(uri),
            SecretReference::Label(label) => args.extend(["--label", label]),
            SecretReference::Labelled { id, label } => args.extend([id, "--label", label]),
        }
        match mode {
            ContentMode::Current => {}
            ContentMode::Refresh => args.push("--refresh"),
            ContentMode::Peek => args.push("--peek"),
        }
        SecretContent::read(self.call_json("secret-get", &args)?)
    }

    fn changes_add_up(&self) -> bool {
        self.unit.juju_version >= CHANGES_ADD_UP
    }

    /// Fills metadata that is none with what the secret has.
    fn with_unchanged(
        &mut self,
        uri: &str,
        metadata: SecretMetadata,
    ) -> Result<SecretMetadata, ToolError> {
        if metadata.is_complete() {
            return Ok(metadata);
        }
        let info = self.secret_info(&SecretReference::Id(uri.to_owned()))?;
        Ok(SecretMetadata {
            // ops sends back an empty label too.
            label: metadata.label.or(Some(info.label.unwrap_or_default())),
            description: metadata.description.or(info.description),
            expire: metadata.expire.or(info.expires),
            rotate: metadata.rotate.or(info.rotation),
        })
    }

    fn set_secret(
        &mut self,
        uri: &str,
        metadata: &SecretMetadata,
        content: &[(String, String)],
    ) -> Result<(), ToolError> {
        const TOOL: &str = "secret-set";
        let mut args = metadata.arguments(TOOL)?;
        // Juju ignores the owner of a secret that exists (ops §7).
        let owner = ["--owner", "application", uri];
        args.extend(owner.map(str::to_owned));
        self.call_with_values(TOOL, args, values(content)).map(drop)
    }

    fn change_access(
        &mut self,
        tool: &str,
        secret: &SecretReference,
        relation: u32,
        unit: Option<&str>,
    ) -> Result<(), ToolError> {
        let uri = self.resolve(secret)?;
        let relation = relation.to_string();
        let mut args = vec!["--relation", &relation];
        if let Some(unit) = unit {
            args.extend(["--unit", unit]);
        }
        args.push(&uri);
        self.call(tool, &args).map(drop)
    }
}

impl SecretCache {
    /// Forgets what a label named.
    fn forget_label(&mut self, label: &str) {
        self.uris.remove(label);
        let label = SecretReference::Label(label.to_owned());
        self.contents.remove(&label);
    }

    /// Forgets what every label named.
    fn forget_labels(&mut self) {
        self.uris.clear();
        let is_by_id = |secret: &SecretReference| matches!(secret, SecretReference::Id(_));
        self.contents.retain(|secret, _| is_by_id(secret));
    }
}

/// The key of a canonical reference: URIs of the same secret may be in the long or
/// the short form.
fn cache_key(secret: &SecretReference) -> SecretReference {
    let id = |uri: &str| {
        let last = uri.rsplit('/').next().unwrap_or(uri);
        last.strip_prefix("secret:").unwrap_or(last).to_owned()
    };
    match secret {
        SecretReference::Id(uri) => SecretReference::Id(id(uri)),
        SecretReference::Label(label) => SecretReference::Label(label.clone()),
        SecretReference::Labelled { id: uri, label } => SecretReference::Labelled {
            id: id(uri),
            label: label.clone(),
        },
    }
}

fn values(content: &[(String, String)]) -> Vec<String> {
    let value = |(key, value): &(String, String)| secret_value(key, value);
    content.iter().map(value).collect()
}
