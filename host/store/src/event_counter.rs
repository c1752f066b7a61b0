//! The number of emitted events, in the framework's own snapshot (ops §2.1,
//! step 8; ops §4.3).

use serde_json::{Map, Value};

use crate::{Unreadable, pickle};

/// The handle of the framework's own snapshot.
pub(crate) const HANDLE: &str = "StoredStateData[_stored]";
const KEY: &str = "event_count";

/// The counter in the framework's snapshot; 0 if there is none.
pub(crate) fn read(snapshot: Option<Result<Value, Unreadable>>) -> u64 {
    let snapshot = snapshot.and_then(Result::ok);
    let counter = snapshot.and_then(|snapshot| snapshot.get(KEY)?.as_u64());
    counter.unwrap_or_default()
}

/// The framework's snapshot with another counter, encoded; its other keys stay.
pub(crate) fn write(snapshot: Option<Result<Value, Unreadable>>, counter: u64) -> Vec<u8> {
    let mut map = match snapshot {
        Some(Ok(Value::Object(map))) => map,
        _ => Map::new(),
    };
    map.insert(KEY.to_owned(), counter.into());
    pickle::write(&Value::Object(map))
}
