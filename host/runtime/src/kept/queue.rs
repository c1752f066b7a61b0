//! The queue of deferred events, from the local state and back.

use charmhost_framework::{Event, Kept, Queue};
use charmhost_juju::{Event as JujuEvent, Level, Metadata, Model};
use charmhost_store::Notice;
use serde_json::{Map, Value, json};

use super::{Error, Local};

/// Where ops keeps how many events were emitted.
const COUNTER: &str = "StoredStateData[_stored]";
/// Where this host keeps what it knows of deferrals, beside what ops keeps.
const DEFERRALS: &str = "charmhost/deferrals";

/// Adds what has changed in a queue to the changes of the local state.
pub(super) fn write(local: &mut Local, before: &[Kept], queue: &Queue) -> Result<(), Error> {
    let now = queue.kept();
    for kept in before.iter().filter(|kept| !has(now, kept)) {
        local.drop_notice(notice(kept));
    }
    for kept in now.iter().filter(|kept| !has(before, kept)) {
        local.save(kept.event_path.clone(), &kept.snapshot);
        local.add_notice(notice(kept));
    }
    let left = local.notices()?;
    for kept in before.iter().filter(|kept| !has(now, kept)) {
        if !left.iter().any(|other| other.event_path == kept.event_path) {
            local.forget(kept.event_path.clone());
        }
    }
    match now.is_empty() {
        true => local.forget(DEFERRALS.to_owned()),
        false => {
            let text = deferrals(now).to_string();
            local.save_bytes(DEFERRALS.to_owned(), text.into_bytes());
        }
    }
    Ok(())
}

/// Counts the events that were emitted so far, as ops does.
pub(super) fn count(local: &mut Local, queue: &Queue) -> Result<(), Error> {
    let counted = match local.value(COUNTER)?.and_then(Result::ok) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let mut counted = counted;
    counted.insert("event_count".to_owned(), queue.counter().into());
    local.save(COUNTER.to_owned(), &Value::Object(counted));
    Ok(())
}

fn has(list: &[Kept], kept: &Kept) -> bool {
    list.iter().any(|other| notice(other) == notice(kept))
}

fn notice(kept: &Kept) -> Notice {
    Notice {
        event_path: kept.event_path.clone(),
        observer_path: kept.observer.clone(),
        method: kept.method.clone(),
    }
}

fn key(notice: &Notice) -> String {
    let Notice {
        event_path,
        observer_path,
        method,
    } = notice;
    format!("{event_path} {observer_path} {method}")
}

fn deferrals(kept: &[Kept]) -> Value {
    let entry = |kept: &Kept| {
        let known = json!({"since": kept.since, "count": kept.count, "reason": kept.reason});
        (key(&notice(kept)), known)
    };
    Value::Object(kept.iter().map(entry).collect())
}

/// The queue and the counter. What cannot be read stays where it is, and is
/// told.
pub(super) fn read(
    local: &Local,
    metadata: &Metadata,
    model: &mut Model,
) -> Result<(Vec<Kept>, u64), Error> {
    let notices = local.notices()?;
    let known = match notices.is_empty() {
        true => None,
        false => local.value(DEFERRALS)?,
    };
    let known = known.and_then(Result::ok).unwrap_or_default();
    let mut queue = Vec::new();
    for notice in notices {
        let Some((source, name)) = notice.event() else {
            let path = &notice.event_path;
            let line = format!("Keeping the malformed deferred event {path:?}.");
            model.log(Level::Warning, &line);
            continue;
        };
        let snapshot = snapshot(local, &notice, model)?;
        let event = snapshot
            .as_ref()
            .and_then(|snapshot| event(source, name, snapshot, metadata));
        let deferral = known.get(key(&notice)).cloned().unwrap_or_default();
        let number = |key: &str| deferral.get(key).and_then(Value::as_f64);
        let reason = deferral.get("reason").and_then(Value::as_str);
        queue.push(Kept {
            event,
            source: source.to_owned(),
            name: name.to_owned(),
            snapshot: snapshot.unwrap_or_default(),
            place: 0,
            since: number("since").unwrap_or_default(),
            // What ops deferred was deferred at least once.
            count: number("count").map_or(1, |count| (count as u32).max(1)),
            reason: reason.unwrap_or_default().to_owned(),
            event_path: notice.event_path.clone(),
            observer: notice.observer_path,
            method: notice.method,
        });
    }
    let counted = local.value(COUNTER)?.and_then(Result::ok);
    let counter = counted.and_then(|counted| counted.get("event_count")?.as_u64());
    Ok((queue, counter.unwrap_or_default()))
}

/// The data of an event that is kept, if there is any and it can be read.
fn snapshot(local: &Local, notice: &Notice, model: &mut Model) -> Result<Option<Value>, Error> {
    match local.value(&notice.event_path)? {
        Some(Ok(snapshot)) => Ok(Some(snapshot)),
        Some(Err(error)) => {
            let line = format!(
                "Keeping the deferred event {}, whose data cannot be read: {error}.",
                notice.event_path
            );
            model.log(Level::Warning, &line);
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Juju's events belong to the charm itself, and everything else is custom.
fn event(source: &str, name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
    let of_charm = !source.is_empty() && !source.contains('/');
    match of_charm && metadata.event_names().contains(name) {
        true => JujuEvent::restore(name, snapshot, metadata).map(Event::Juju),
        false => Some(Event::Custom {
            name: name.to_owned(),
            snapshot: snapshot.to_string(),
        }),
    }
}
