//! The content of secrets, and the rules for what a charm sets (ops §12).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

/// The content of a secret, by key. It is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretContent(BTreeMap<String, String>);

impl SecretContent {
    /// Reads the output of `secret-get`.
    pub(super) fn read(printed: Value) -> Result<Self, ToolError> {
        // Without the output, which is secret.
        let unexpected =
            || ToolError::unexpected("secret-get", "its output is not a map of strings");
        let Value::Object(map) = printed else {
            return Err(unexpected());
        };
        let text = |(key, value)| match value {
            Value::String(text) => Some((key, text)),
            _ => None,
        };
        let content: Option<BTreeMap<_, _>> = map.into_iter().map(text).collect();
        content.map(SecretContent).ok_or_else(unexpected)
    }

    /// Returns each key with its value, sorted by key.
    pub fn into_entries(self) -> Vec<(String, String)> {
        self.0.into_iter().collect()
    }
}

impl From<&[(String, String)]> for SecretContent {
    fn from(entries: &[(String, String)]) -> Self {
        SecretContent(entries.iter().cloned().collect())
    }
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Checks content that a charm sets.
pub(super) fn check_content(tool: &str, content: &[(String, String)]) -> Result<(), ToolError> {
    if content.is_empty() {
        return Err(ToolError::invalid(
            tool,
            "the content of a secret cannot be empty",
        ));
    }
    let bad = content
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !is_key(key));
    let bad: Vec<String> = bad.map(|key| format!("{key:?}")).collect();
    if !bad.is_empty() {
        let text = format!(
            "these keys are not allowed: {}; a key consists of lower-case letters, digits and single hyphens, begins with a letter, and has at least three letters and digits",
            bad.join(", ")
        );
        return Err(ToolError::invalid(tool, text));
    }
    let mut seen = BTreeSet::new();
    match content.iter().find(|(key, _)| !seen.insert(key)) {
        Some((key, _)) => Err(ToolError::invalid(
            tool,
            format!("the key {key:?} is there twice"),
        )),
        None => Ok(()),
    }
}

fn is_key(key: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .split('-')
            .all(|part| !part.is_empty() && part.chars().all(is_inner))
        && key.chars().filter(|c| *c != '-').count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_as_by_ops() {
        for key in ["abc", "a1-b2", "a-b-c", "token", "a12"] {
            assert!(is_key(key), "{key}");
        }
        for key in [
            "", "ab", "a-b", "a--bc", "abc-", "-abc", "1abc", "Abc", "a_bc", "abc\n", "äbc",
        ] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn values_are_never_printed() {
        let content = SecretContent::from(&[("token".to_owned(), "s3cret".to_owned())][..]);
        assert_eq!(format!("{content:?}"), "{\"token\"}");
        let error = SecretContent::read(serde_json::json!({"token": ["s3cret"]})).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
