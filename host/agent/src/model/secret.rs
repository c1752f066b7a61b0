//! Secrets: those of this application and unit, and those of others that it
//! may see.

use std::collections::BTreeMap;
use std::fmt;

/// Who owns a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    /// This application.
    App,
    /// This unit.
    Unit,
    /// Another application.
    Remote(String),
}

impl SecretOwner {
    /// The name under which `secret-info-get` tells it.
    pub fn name(&self) -> &str {
        match self {
            SecretOwner::App => "application",
            SecretOwner::Unit => "unit",
            SecretOwner::Remote(app) => app,
        }
    }
}

/// What a revision holds, by key. It never shows what that is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(pub BTreeMap<String, Vec<u8>>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.0.keys().collect();
        write!(f, "Content({keys:?})")
    }
}

impl Content {
    /// The content with text as its values.
    pub fn text<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let bytes = |(key, value): (K, V)| (key.into(), value.into().into_bytes());
        Content(pairs.into_iter().map(bytes).collect())
    }

    /// The values as text; what is not UTF-8 is replaced.
    pub fn plain(&self) -> BTreeMap<String, String> {
        let text = |(key, value): (&String, &Vec<u8>)| {
            (key.clone(), String::from_utf8_lossy(value).into_owned())
        };
        self.0.iter().map(text).collect()
    }
}

/// Whom a secret is shown to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The relation in whose scope it is.
    pub relation: u32,
    /// A unit of the other side, or all of it.
    pub unit: Option<String>,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// 20 characters.
    pub id: String,
    /// Who owns it.
    pub owner: SecretOwner,
    /// The owner's label.
    pub label: String,
    /// What the owner says of it.
    pub description: String,
    /// `daily`, `never`, …
    pub rotate: Option<String>,
    /// When it expires: RFC 3339.
    pub expire: Option<String>,
    /// When it is due for rotation: RFC 3339.
    pub rotates: Option<String>,
    /// What it held and holds.
    pub revisions: BTreeMap<u32, Content>,
    /// The number that the newest revision has or had.
    pub latest: u32,
    /// Whom it is shown to.
    pub grants: Vec<Grant>,
    /// The revision that this unit reads.
    pub tracked: u32,
    /// The label that this unit gave it as a reader.
    pub consumer_label: Option<String>,
    /// Whether this unit may read it.
    pub readable: bool,
}

impl Secret {
    /// A secret with its first revision.
    pub fn new(id: &str, owner: SecretOwner, content: Content) -> Self {
        Secret {
            id: id.to_owned(),
            owner,
            label: String::new(),
            description: String::new(),
            rotate: None,
            expire: None,
            rotates: None,
            revisions: BTreeMap::from([(1, content)]),
            latest: 1,
            grants: Vec::new(),
            tracked: 1,
            consumer_label: None,
            readable: true,
        }
    }

    /// Whether this application or unit owns it.
    pub fn is_own(&self) -> bool {
        !matches!(self.owner, SecretOwner::Remote(_))
    }

    /// Adds a revision, unless it holds what the newest one holds.
    pub fn add_revision(&mut self, content: Content) {
        if self.revisions.get(&self.latest) != Some(&content) {
            self.latest += 1;
            self.revisions.insert(self.latest, content);
        }
    }
}

/// The id of a URI: `secret:ID`, `secret://MODEL/ID`, or the id alone.
pub fn secret_id(uri: &str) -> Option<&str> {
    let id = match uri.strip_prefix("secret:") {
        Some(rest) => rest.rsplit('/').next().unwrap_or(rest),
        None => uri,
    };
    let fits = |c: char| c.is_ascii_digit() || ('a'..='v').contains(&c);
    (id.len() == 20 && id.chars().all(fits)).then_some(id)
}

/// The id of the secret of a number. The same simulation gives the same ids.
pub fn secret_id_of(number: u64) -> String {
    format!("d{number:019}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_every_form_of_a_uri() {
        let id = secret_id_of(7);
        for uri in [
            id.clone(),
            format!("secret:{id}"),
            format!("secret://c9b9f9d0-1b0e-4a3e-8d86-8d4ab0c6a2f1/{id}"),
        ] {
            assert_eq!(secret_id(&uri), Some(id.as_str()));
        }
        for uri in ["", "bad", "secret:bad", "secret:Z0000000000000000000"] {
            assert_eq!(secret_id(uri), None, "{uri}");
        }
    }

    #[test]
    fn what_a_secret_holds_is_never_shown() {
        let secret = Secret::new("x", SecretOwner::App, Content::text([("token", "hunter2")]));
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(format!("{secret:?}").contains("token"));
    }

    #[test]
    fn the_same_content_is_no_new_revision() {
        let content = || Content::text([("token", "a")]);
        let mut secret = Secret::new("x", SecretOwner::App, content());
        secret.add_revision(content());
        assert_eq!(secret.latest, 1);
        secret.add_revision(Content::text([("token", "b")]));
        assert_eq!(secret.latest, 2);
    }
}
