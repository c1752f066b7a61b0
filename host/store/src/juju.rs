//! State that Juju stores, in the form in which ops stores it there (ops §5.5):
//! each value is a YAML document under its handle, and all notices are a list
//! under one key.
//!
//! This only makes and reads the texts; the caller runs `state-get`,
//! `state-set` and `state-delete`.

use serde_json::Value;

use crate::pickle::{self, Unreadable};
use crate::{Budget, Changes, Notice};

/// The key of the notices.
pub const NOTICES: &str = "#notices#";

/// Checks that a value can be read again once Juju stores it: the bounds of
/// YAML documents are not those of pickles.
pub fn check(value: &Value) -> Result<(), Unreadable> {
    self::value(&charmhost_yaml::to_string(value)).map(drop)
}

/// Reads what `state-get` printed for a handle.
pub fn value(text: &str) -> Result<Value, Unreadable> {
    charmhost_yaml::parse(text).map_err(|error| Unreadable::new(error.to_string()))
}

/// Reads what `state-get` printed for [`NOTICES`].
pub fn notices(text: &str) -> Result<Vec<Notice>, Unreadable> {
    let unreadable = || Unreadable::new("it is not a list of notices");
    let list = match value(text)? {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(unreadable()),
    };
    let notice = |item: &Value| {
        let parts = item.as_array()?;
        let [event_path, observer_path, method] = parts.as_slice() else {
            return None;
        };
        Some(Notice {
            event_path: event_path.as_str()?.to_owned(),
            observer_path: observer_path.as_str()?.to_owned(),
            method: method.as_str()?.to_owned(),
        })
    };
    let notices: Option<Vec<Notice>> = list.iter().map(notice).collect();
    notices.ok_or_else(unreadable)
}

/// The input for `state-set --file -`, and the keys to delete. `before` are the
/// notices without the changes; `limit` is for the bytes of one value.
pub fn write(
    changes: &Changes,
    before: Vec<Notice>,
    limit: usize,
) -> Result<(String, Vec<&str>), Unreadable> {
    let mut input = String::new();
    let mut deleted = Vec::new();
    for (handle, bytes) in changes.snapshots() {
        match bytes {
            Some(bytes) => {
                let value = pickle::decode(bytes, &mut Budget::new(limit))?;
                entry(&mut input, handle, &charmhost_yaml::to_string(&value));
            }
            None => deleted.push(handle),
        }
    }
    if changes.has_notices() {
        let tuple = |notice: &Notice| {
            let parts = [&notice.event_path, &notice.observer_path, &notice.method];
            let quoted = parts.map(|part| charmhost_yaml::quote(part));
            // ops looks for tuples, and a list is not equal to one.
            format!("- !!python/tuple [{}]\n", quoted.join(", "))
        };
        let list: String = changes.notices(before).iter().map(tuple).collect();
        match list.is_empty() {
            true => entry(&mut input, NOTICES, "[]\n"),
            false => entry(&mut input, NOTICES, &list),
        }
    }
    Ok((input, deleted))
}

/// A key with a document as a block of text.
fn entry(input: &mut String, key: &str, document: &str) {
    input.push_str(&format!("{} |\n", charmhost_yaml::quote_key(key)));
    for line in document.lines() {
        input.push_str(&format!("  {line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(method: &str) -> Notice {
        Notice {
            event_path: "Charm/on/start[1]".to_owned(),
            observer_path: "Charm".to_owned(),
            method: method.to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_a_map_of_documents_that_can_be_read_again() {
        let mut changes = Changes::default();
        let state = json!({"n": 1, "text": "a\nb: c", "list": [null, true]});
        changes.save("Charm/S[a]".to_owned(), pickle::write(&state));
        changes.delete("Charm/S[b]".to_owned());
        changes.add_notice(notice("on_start"));
        let (input, deleted) = write(&changes, vec![notice("before")], 1 << 20).unwrap();
        assert_eq!(deleted, ["Charm/S[b]"]);
        let map = charmhost_yaml::parse(&input).unwrap();
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap();
        assert_eq!(value(text("Charm/S[a]")).unwrap(), state);
        let read = notices(text(NOTICES)).unwrap();
        assert_eq!(read, ["before", "on_start"].map(notice));
    }

    /// Characters that go-yaml, with which Juju reads this, refuses or folds
    /// stand nowhere as they are.
    #[test]
    fn names_may_hold_every_character() {
        let name = "a \u{2028} \u{85}\u{7f}\u{9f}\u{fffe}\0\n\"\\".to_owned();
        let long = name.repeat(200);
        let mut changes = Changes::default();
        for handle in [&name, &long] {
            changes.save(handle.clone(), pickle::write(&json!({&name: &name})));
        }
        changes.add_notice(notice(&name));
        let (input, _) = write(&changes, Vec::new(), 1 << 20).unwrap();
        let plain = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(input.chars().all(plain), "{input:?}");
        let map = charmhost_yaml::parse(&input).unwrap();
        for handle in [&name, &long] {
            let text = map.get(handle).and_then(Value::as_str).unwrap();
            assert_eq!(value(text).unwrap(), json!({&name: &name}));
        }
        let listed = map.get(NOTICES).and_then(Value::as_str).unwrap();
        assert_eq!(notices(listed).unwrap(), [notice(&name)]);
    }

    #[test]
    fn what_ops_writes_can_be_read() {
        assert_eq!(value("{}\n").unwrap(), json!({}));
        assert_eq!(
            value("event_count: 6\n").unwrap(),
            json!({"event_count": 6})
        );
        let text = "- !!python/tuple [Charm/on/start[1], Charm, on_start]\n";
        assert!(notices(text).is_err(), "brackets need quotes in a flow");
        let text = "- !!python/tuple ['Charm/on/start[1]', Charm, on_start]\n";
        assert_eq!(notices(text).unwrap(), [notice("on_start")]);
        assert_eq!(notices("").unwrap(), []);
        assert!(notices("a: b").is_err());
    }
}
