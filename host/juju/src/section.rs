//! Reads maps of a document, and says where something is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A map in a document, and where it is. A key whose value is null counts as
/// absent.
pub(crate) struct Section<'a> {
    map: Option<&'a Map<String, Value>>,
    at: String,
}

impl<'a> Section<'a> {
    /// The document itself; an empty one is an empty map.
    pub fn root(value: &'a Value) -> Result<Self, String> {
        Section::of(value, String::new())
    }

    fn of(value: &'a Value, at: String) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Section { map: None, at }),
            Value::Object(map) => Ok(Section { map: Some(map), at }),
            _ if at.is_empty() => Err("the document is not a map".to_owned()),
            _ => Err(format!("{at} is not a map")),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// An error about a key: where it is, and what is wrong with it.
    pub fn wrong(&self, key: &str, what: &str) -> String {
        format!("{} {what}", self.path(key))
    }

    /// A value as it is.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.and_then(|map| map.get(key)).filter(|value| !value.is_null())
    }

    /// Text; numbers are taken as written.
    pub fn optional(&self, key: &str) -> Result<Option<String>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(key, "is not text")),
        }
    }

    /// Text, empty if absent.
    pub fn text(&self, key: &str) -> Result<String, String> {
        Ok(self.optional(key)?.unwrap_or_default())
    }

    /// Text that must be there.
    pub fn required(&self, key: &str) -> Result<String, String> {
        self.optional(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// True or false, if there.
    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, "is not true or false")),
        }
    }

    /// True or false, false if absent.
    pub fn flag(&self, key: &str) -> Result<bool, String> {
        Ok(self.optional_flag(key)?.unwrap_or_default())
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, String> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value.as_i64().map(Some).ok_or_else(|| self.wrong(key, "is not a whole number"))
    }

    fn elements(&self, key: &str) -> Result<&'a [Value], String> {
        match self.value(key) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.wrong(key, "is not a list")),
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let text = |value: &Value| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(key, "has an item that is not text"))
        };
        self.elements(key)?.iter().map(text).collect()
    }

    /// A list of maps.
    pub fn list(&self, key: &str) -> Result<Vec<Section<'a>>, String> {
        let items = self.elements(key)?.iter().enumerate();
        items.map(|(n, value)| Section::of(value, format!("{}[{n}]", self.path(key)))).collect()
    }

    /// A map below this one.
    pub fn child(&self, key: &str) -> Result<Option<Section<'a>>, String> {
        self.value(key).map(|value| Section::of(value, self.path(key))).transpose()
    }

    /// A map below this one, as it is.
    pub fn map(&self, key: &str) -> Result<Map<String, Value>, String> {
        let child = self.child(key)?;
        Ok(child.and_then(|child| child.map.cloned()).unwrap_or_default())
    }

    /// The keys of a map below this one.
    pub fn keys(&self, key: &str) -> Result<Vec<String>, String> {
        Ok(self.map(key)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The maps in this one, by name.
    pub fn all<T>(
        &self,
        make: impl Fn(&Section) -> Result<T, String>,
    ) -> Result<BTreeMap<String, T>, String> {
        let entries = self.map.into_iter().flatten();
        entries
            .map(|(name, value)| Ok((name.clone(), make(&Section::of(value, self.path(name))?)?)))
            .collect()
    }

    /// The maps in a map below this one, by name.
    pub fn entries<T>(
        &self,
        key: &str,
        make: impl Fn(&Section) -> Result<T, String>,
    ) -> Result<BTreeMap<String, T>, String> {
        self.child(key)?.map_or_else(|| Ok(BTreeMap::new()), |child| child.all(make))
    }
}
