//! The YAML documents in which ops stores state in Juju (ops §5.5): one for each
//! value under its handle, and one for the list of all notices.

use serde_json::Value;

use crate::limits::Budget;
use crate::pickle;
use crate::{Changes, Notice, Unreadable};

/// The key of the list of notices.
pub const NOTICES_KEY: &str = "#notices#";

/// Checks that a value can be read again once Juju stores it: the limits of
/// YAML documents are not those of pickles.
pub(super) fn check(value: &Value) -> Result<(), Unreadable> {
    parse_value(&charmhost_yaml::to_string(value)).map(drop)
}

/// Parses the output of `state-get` for a handle.
pub fn parse_value(text: &str) -> Result<Value, Unreadable> {
    charmhost_yaml::parse(text).map_err(|error| Unreadable::new(error.to_string()))
}

/// Parses the output of `state-get` for [`NOTICES_KEY`].
pub fn parse_notices(text: &str) -> Result<Vec<Notice>, Unreadable> {
    let unreadable = || Unreadable::new("it is not a list of notices");
    let list = match parse_value(text)? {
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

/// Returns the input for `state-set --file -`, and the keys to delete. `before`
/// are the notices without the changes; `limit` is the most bytes of memory that
/// one value may take.
pub(super) fn write(
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
            true => entry(&mut input, NOTICES_KEY, "[]\n"),
            false => entry(&mut input, NOTICES_KEY, &list),
        }
    }
    Ok((input, deleted))
}

/// Writes a key with a document as a block scalar.
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

    #[test]
    fn written_documents_can_be_read() {
        let mut changes = Changes::default();
        let state = json!({"n": 1, "text": "a\nb: c", "list": [null, true]});
        changes.save("Charm/S[a]".to_owned(), pickle::write(&state));
        changes.delete("Charm/S[b]".to_owned());
        changes.add_notice(Notice::of_start("on_start"));
        let (input, deleted) = write(&changes, vec![Notice::of_start("before")], 1 << 20).unwrap();
        assert_eq!(deleted, ["Charm/S[b]"]);
        let map = charmhost_yaml::parse(&input).unwrap();
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap();
        assert_eq!(parse_value(text("Charm/S[a]")).unwrap(), state);
        let read = parse_notices(text(NOTICES_KEY)).unwrap();
        assert_eq!(read, ["before", "on_start"].map(Notice::of_start));
    }

    /// Juju reads this with go-yaml: characters that it rejects or folds are
    /// escaped.
    #[test]
    fn names_may_have_any_characters() {
        let name = "a \u{2028} \u{85}\u{7f}\u{9f}\u{fffe}\0\n\"\\".to_owned();
        let long = name.repeat(200);
        let mut changes = Changes::default();
        for handle in [&name, &long] {
            changes.save(handle.clone(), pickle::write(&json!({&name: &name})));
        }
        changes.add_notice(Notice::of_start(&name));
        let (input, _) = write(&changes, Vec::new(), 1 << 20).unwrap();
        let plain = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(input.chars().all(plain), "{input:?}");
        let map = charmhost_yaml::parse(&input).unwrap();
        for handle in [&name, &long] {
            let text = map.get(handle).and_then(Value::as_str).unwrap();
            assert_eq!(parse_value(text).unwrap(), json!({&name: &name}));
        }
        let listed = map.get(NOTICES_KEY).and_then(Value::as_str).unwrap();
        assert_eq!(parse_notices(listed).unwrap(), [Notice::of_start(&name)]);
    }

    #[test]
    fn documents_of_ops_can_be_read() {
        assert_eq!(parse_value("{}\n").unwrap(), json!({}));
        assert_eq!(
            parse_value("event_count: 6\n").unwrap(),
            json!({"event_count": 6})
        );
        let text = "- !!python/tuple [Charm/on/start[1], Charm, on_start]\n";
        assert!(
            parse_notices(text).is_err(),
            "brackets need quotes in a flow"
        );
        let text = "- !!python/tuple ['Charm/on/start[1]', Charm, on_start]\n";
        assert_eq!(parse_notices(text).unwrap(), [Notice::of_start("on_start")]);
        assert_eq!(parse_notices("").unwrap(), []);
        assert!(parse_notices("a: b").is_err());
    }
}
