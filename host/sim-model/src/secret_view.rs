//! What one unit sees of a secret (juju §3.3).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

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
    /// The owner's name in the output of `secret-info-get`.
    pub fn name(&self) -> &str {
        match self {
            SecretOwner::App => "application",
            SecretOwner::Unit => "unit",
            SecretOwner::Remote(app) => app,
        }
    }
}

/// The values of a revision by key, each as base64: the form in which Juju
/// takes, stores and returns them. `Debug` prints the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(pub BTreeMap<String, String>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.0.keys().collect();
        write!(f, "Content({keys:?})")
    }
}

impl Content {
    /// The content with text as its values.
    pub fn text<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let encoded = |(key, value): (K, V)| (key.into(), BASE64.encode(value.into()));
        Content(pairs.into_iter().map(encoded).collect())
    }

    /// The decoded values. A value that is not base64 is returned as it is:
    /// the agent does not check it.
    pub fn values(&self) -> impl Iterator<Item = (&String, Vec<u8>)> {
        self.0.iter().map(|(key, value)| {
            let decoded = BASE64.decode(value);
            (key, decoded.unwrap_or_else(|_| value.clone().into_bytes()))
        })
    }

    /// The decoded values as text; what is not UTF-8 is replaced.
    pub fn plain(&self) -> BTreeMap<String, String> {
        let text = |(key, value): (&String, Vec<u8>)| {
            (key.clone(), String::from_utf8_lossy(&value).into_owned())
        };
        self.values().map(text).collect()
    }
}

/// Read access to a secret, in the scope of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The relation.
    pub relation: u32,
    /// The unit of the other side; none for all of its units.
    pub unit: Option<String>,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// 20 characters of base32, see [`secret_id`].
    pub id: String,
    /// Who owns it.
    pub owner: SecretOwner,
    /// The owner's label.
    pub label: String,
    /// The owner's description.
    pub description: String,
    /// The rotation policy, for example `daily`; none is `never`.
    pub rotate: Option<String>,
    /// When it expires: RFC 3339.
    pub expire: Option<String>,
    /// When it is due for rotation: RFC 3339.
    pub rotates: Option<String>,
    /// The content of each revision.
    pub revisions: BTreeMap<u32, Content>,
    /// The number that the newest revision has or had.
    pub latest: u32,
    /// The grants in relations.
    pub grants: Vec<Grant>,
    /// The revision that this unit reads.
    pub tracked: u32,
    /// The label that this unit gave it as a reader.
    pub consumer_label: Option<String>,
    /// Whether this unit tracks a revision; else it begins with the newest.
    pub is_consumed: bool,
    /// Whether this unit may read it.
    pub readable: bool,
}

impl SecretView {
    /// A secret with its first revision.
    pub fn new(id: &str, owner: SecretOwner, content: Content) -> Self {
        SecretView {
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
            is_consumed: true,
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

/// The id in a URI: `secret:ID`, `secret://MODEL/ID`, or the id alone.
///
/// An id is 12 bytes as 20 characters of base32 with `0`–`9` and `a`–`v`. The
/// last character holds one bit, so it is `0` or `g`; Juju takes no other.
pub fn secret_id(uri: &str) -> Option<&str> {
    let id = match uri.strip_prefix("secret:") {
        Some(rest) => rest.rsplit('/').next().unwrap_or(rest),
        None => uri,
    };
    let fits = |c: char| c.is_ascii_digit() || ('a'..='v').contains(&c);
    (id.len() == 20 && id.chars().all(fits) && id.ends_with(['0', 'g'])).then_some(id)
}

/// The id of the secret of a number: the same simulation has the same ids.
pub fn secret_id_of(number: u64) -> String {
    // The time at the front of an id of our days begins with a `d`.
    let bits = (0x68_u128 << 88) | u128::from(number);
    // 96 bits and four bits of padding are 20 digits of five bits.
    let digit = |position: u32| {
        let value = ((bits << 4) >> (5 * position)) & 31;
        char::from_digit(u32::try_from(value).unwrap_or_default(), 32).unwrap_or('0')
    };
    (0..20).rev().map(digit).collect()
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
        for uri in [
            "",
            "bad",
            "secret:bad",
            "secret:Z0000000000000000000",
            "secret:d0000000000000000001",
            "secret:d000000000000000000v",
        ] {
            assert_eq!(secret_id(uri), None, "{uri}");
        }
    }

    #[test]
    fn ids_are_valid_and_in_the_order_of_their_numbers() {
        let ids: Vec<String> = (1..=40).map(secret_id_of).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| secret_id(id) == Some(id.as_str())));
        let wanted = ["d000000000000000000g", "d0000000000000000010"];
        assert_eq!(ids[..2], wanted);
        assert_eq!(secret_id_of(u64::MAX), "d000007vvvvvvvvvvvvg");
    }

    #[test]
    fn values_that_are_not_base64_are_taken_as_they_are() {
        let content = Content([("key".to_owned(), "!!!".to_owned())].into());
        assert_eq!(content.plain()["key"], "!!!");
        assert_eq!(Content::text([("key", "zażółć")]).plain()["key"], "zażółć");
    }

    #[test]
    fn what_a_secret_holds_is_never_shown() {
        let secret = SecretView::new("x", SecretOwner::App, Content::text([("token", "hunter2")]));
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(format!("{secret:?}").contains("token"));
    }

    #[test]
    fn the_same_content_is_no_new_revision() {
        let content = || Content::text([("token", "a")]);
        let mut secret = SecretView::new("x", SecretOwner::App, content());
        secret.add_revision(content());
        assert_eq!(secret.latest, 1);
        secret.add_revision(Content::text([("token", "b")]));
        assert_eq!(secret.latest, 2);
    }
}
