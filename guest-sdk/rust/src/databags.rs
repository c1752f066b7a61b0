//! Databags as types of the charm.

use serde::Serialize;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::{Error, Map, Value};

use crate::Databag;

/// Keys that Juju writes to the databags of units.
const KEYS_OF_JUJU: &[&str] = &["egress-subnets", "ingress-address", "private-address"];

/// A type whose values are loaded from a databag: each field is a key.
///
/// Values are JSON text, as with `Relation.load` of ops; those of [`Plain`] are text.
pub trait FromDatabag: Sized {
    #[doc(hidden)]
    fn from_databag(databag: &Databag) -> Result<Self, Error>;
}

/// A type whose values are saved to a databag; see [`FromDatabag`]. A field that is
/// `None` removes its key.
pub trait ToDatabag {
    #[doc(hidden)]
    fn to_databag(&self) -> Result<Vec<(String, Option<String>)>, Error>;
}

/// Reads and writes the fields of a databag as plain text instead of JSON. The
/// fields are texts, or types that serialise as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain<T>(pub T);

impl<T: DeserializeOwned> FromDatabag for T {
    fn from_databag(databag: &Databag) -> Result<Self, Error> {
        T::deserialize(Reader {
            databag,
            decode: json,
        })
    }
}

impl<T: DeserializeOwned> FromDatabag for Plain<T> {
    fn from_databag(databag: &Databag) -> Result<Self, Error> {
        let decode = |text: &str| Ok(Value::String(text.to_owned()));
        T::deserialize(Reader { databag, decode }).map(Plain)
    }
}

impl<T: Serialize> ToDatabag for T {
    fn to_databag(&self) -> Result<Vec<(String, Option<String>)>, Error> {
        encode(self, |value| Ok(value.to_string()))
    }
}

impl<T: Serialize> ToDatabag for Plain<T> {
    fn to_databag(&self) -> Result<Vec<(String, Option<String>)>, Error> {
        encode(&self.0, |value| match value {
            Value::String(text) => Ok(text),
            other => Err(Error::custom(format!("{other} is not text"))),
        })
    }
}

fn json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
}

/// Whether the charm on the other side has written nothing yet.
pub(crate) fn is_empty(databag: &Databag) -> bool {
    databag
        .keys()
        .all(|key| KEYS_OF_JUJU.contains(&key.as_str()))
}

fn encode(
    value: &impl Serialize,
    text: impl Fn(Value) -> Result<String, Error>,
) -> Result<Vec<(String, Option<String>)>, Error> {
    let Value::Object(fields) = serde_json::to_value(value)? else {
        return Err(Error::custom("it does not have named fields"));
    };
    let entry = |(key, value): (String, Value)| match value {
        Value::Null => Ok((key, None)),
        value => match text(value) {
            Ok(text) => Ok((key, Some(text))),
            Err(error) => Err(Error::custom(format!("key {key}: {error}"))),
        },
    };
    fields.into_iter().map(entry).collect()
}

/// Reads a struct from a databag.
struct Reader<'a, F> {
    databag: &'a Databag,
    decode: F,
}

impl<'a, F: Fn(&str) -> Result<Value, Error>> Reader<'a, F> {
    /// Decodes the keys that the type wants. Others may have any text, for example
    /// those of Juju.
    fn fields(&self, wanted: impl Fn(&str) -> bool) -> Result<Map<String, Value>, Error> {
        let entries = self.databag.iter().filter(|(key, _)| wanted(key));
        entries
            .map(|(key, text)| match (self.decode)(text) {
                Ok(value) => Ok((key.clone(), value)),
                Err(error) => Err(Error::custom(format!("key {key}: {error}"))),
            })
            .collect()
    }
}

impl<'de, F: Fn(&str) -> Result<Value, Error>> Deserializer<'de> for Reader<'_, F> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let fields = self.fields(|key| names.contains(&key))?;
        MapDeserializer::new(fields.into_iter()).deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let fields = self.fields(|key| !KEYS_OF_JUJU.contains(&key))?;
        MapDeserializer::new(fields.into_iter()).deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Provided {
        database: String,
        ports: Vec<u16>,
        read_only: Option<bool>,
    }

    fn databag(entries: &[(&str, &str)]) -> Databag {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        entries.iter().map(owned).collect()
    }

    #[test]
    fn fields_are_read_as_json_beside_keys_of_juju() {
        let bag = databag(&[
            ("database", "\"shop\""),
            ("ports", "[80, 81]"),
            ("ingress-address", "10.0.0.1"),
            ("of-another-charm", "not json"),
        ]);
        let wanted = Provided {
            database: "shop".into(),
            ports: vec![80, 81],
            read_only: None,
        };
        assert_eq!(Provided::from_databag(&bag).unwrap(), wanted);
        let map: BTreeMap<String, Value> =
            FromDatabag::from_databag(&databag(&[("private-address", "x"), ("n", "1")])).unwrap();
        assert_eq!(map, BTreeMap::from([("n".into(), 1.into())]));
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_key() {
        let bag = databag(&[("database", "shop"), ("ports", "[]")]);
        let error = Provided::from_databag(&bag).unwrap_err().to_string();
        assert!(error.starts_with("key database: "), "{error}");
    }

    #[test]
    fn fields_are_written_as_json_and_none_removes_the_key() {
        let provided = Provided {
            database: "shop".into(),
            ports: vec![80],
            read_only: None,
        };
        let wanted = [
            ("database".to_owned(), Some("\"shop\"".to_owned())),
            ("ports".to_owned(), Some("[80]".to_owned())),
            ("read-only".to_owned(), None),
        ];
        assert_eq!(provided.to_databag().unwrap(), wanted);
        assert!(7.to_databag().is_err());
    }

    #[test]
    fn plain_fields_are_text() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Plainly {
            host: String,
        }
        let bag = databag(&[("host", "10.0.0.1")]);
        let Plain(read) = Plain::<Plainly>::from_databag(&bag).unwrap();
        assert_eq!(read.host, "10.0.0.1");
        let written = Plain(read).to_databag().unwrap();
        assert_eq!(written, [("host".to_owned(), Some("10.0.0.1".to_owned()))]);
    }
}
