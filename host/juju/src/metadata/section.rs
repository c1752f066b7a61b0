//! Reading a map of a metadata file, with errors that name the section.

use std::path::Path;

use serde_json::{Map, Value};

use super::{MetadataError, fail};

/// A map of a metadata file; one that is missing or null is empty.
#[derive(Clone)]
pub(super) struct Section<'a> {
    path: &'a Path,
    /// What the map describes, for errors; for example `the storage "data"`.
    subject: String,
    body: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    pub fn new(path: &'a Path, body: &'a Map<String, Value>) -> Self {
        Section {
            path,
            subject: "it".to_owned(),
            body: Some(body),
        }
    }

    /// Returns the map of a key.
    pub fn map(&self, key: &str) -> Result<Section<'a>, MetadataError> {
        self.nested(key.to_owned(), self.get(key))
    }

    /// Returns the members of the map of a key.
    pub fn members(
        &self,
        key: &str,
    ) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>, MetadataError> {
        Ok(self.map(key)?.body.into_iter().flatten())
    }

    /// Returns the map that a value is; `subject` is what it describes.
    pub fn nested(
        &self,
        subject: String,
        body: Option<&'a Value>,
    ) -> Result<Section<'a>, MetadataError> {
        let body = match body {
            None | Some(Value::Null) => None,
            Some(Value::Object(body)) => Some(body),
            Some(_) => return fail(self.path, format!("{subject} is not a map")),
        };
        Ok(Section {
            path: self.path,
            subject,
            body,
        })
    }

    /// Whether the map has no members.
    pub fn is_empty(&self) -> bool {
        self.body.is_none_or(Map::is_empty)
    }

    /// Returns the value of a key; none also if it is null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.body?.get(key).filter(|value| !value.is_null())
    }

    /// Returns a scalar as text.
    pub fn text(&self, key: &str) -> Result<Option<String>, MetadataError> {
        self.get(key)
            .map(|value| self.as_text(key, value))
            .transpose()
    }

    /// Returns a scalar as text; an empty string if there is none.
    pub fn text_or_empty(&self, key: &str) -> Result<String, MetadataError> {
        Ok(self.text(key)?.unwrap_or_default())
    }

    /// Returns a scalar that must be there.
    pub fn required(&self, key: &str) -> Result<String, MetadataError> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None => self.fail(format!("has no {key}")),
        }
    }

    /// Returns a list of scalars; a single one is a list of one.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, MetadataError> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let items = items.iter().map(|item| self.as_text(key, item));
                items.collect()
            }
            Some(single) => Ok(vec![self.as_text(key, single)?]),
        }
    }

    /// Returns a list; empty if there is none.
    pub fn list(&self, key: &str) -> Result<&'a [Value], MetadataError> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => self.fail(format!("has {key} that is not a list")),
        }
    }

    /// Returns a list of maps.
    pub fn maps(&self, key: &str) -> Result<Vec<Section<'a>>, MetadataError> {
        let items = self.list(key)?.iter();
        let nested = |item| self.nested(format!("{key} of {}", self.subject), Some(item));
        items.map(nested).collect()
    }

    /// Returns a boolean; `default` if there is none.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, MetadataError> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => self.fail(format!("has {key} that is neither true nor false")),
        }
    }

    /// Returns the map of a key as it is written.
    pub fn raw_map(&self, key: &str) -> Result<Value, MetadataError> {
        let body = self.map(key)?.body.cloned();
        Ok(Value::Object(body.unwrap_or_default()))
    }

    /// Fails with what is wrong with the map.
    pub fn fail<T>(&self, detail: impl AsRef<str>) -> Result<T, MetadataError> {
        fail(self.path, format!("{} {}", self.subject, detail.as_ref()))
    }

    fn as_text(&self, key: &str, value: &Value) -> Result<String, MetadataError> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => self.fail(format!("has {key} that is not text")),
        }
    }
}
