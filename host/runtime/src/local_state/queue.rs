//! The queue of deferred events, from the local state and back.

use std::collections::{BTreeSet, HashSet};

use charmhost_framework::{Change, DeferredNotice, Event, Queue, Source};
use charmhost_juju::{Event as JujuEvent, Level, Metadata, Model};
use charmhost_store::{Budget, Notice, Unreadable};
use serde_json::{Map, Value, json};

use super::{Error, LocalState};

/// The snapshot in which ops saves how many events were emitted.
const COUNTER: &str = "StoredStateData[_stored]";
/// The snapshot in which this host saves what ops does not: since when, how
/// often and why events were deferred.
const DEFERRALS: &str = "charmhost/deferrals";
/// How many events that cannot be read are logged one by one.
const MAX_LINES: usize = 20;
/// Memory that may be filled with data that turns out to be too large, as a
/// multiple of the limit. More work than that is not worth it.
const WASTE: usize = 8;

/// Adds the changes of a queue to those of the local state.
pub(super) fn write(local: &mut LocalState, queue: &Queue) -> Result<(), Error> {
    let mut is_changed = false;
    let mut dropped = BTreeSet::new();
    for change in queue.changes() {
        is_changed = true;
        match change {
            Change::Drop(item) => {
                dropped.insert(item.event_path.as_str());
                local.changes.drop_notice(notice(item));
            }
            Change::Update(_) => {}
            Change::Add(item) => {
                let snapshot = charmhost_store::encode(&item.snapshot);
                local.changes.save(item.event_path.clone(), snapshot);
                local.changes.add_notice(notice(item));
            }
        }
    }
    if !is_changed {
        return Ok(());
    }
    if !dropped.is_empty() {
        let left = local.notices()?;
        let left: HashSet<&str> = left.iter().map(|left| left.event_path.as_str()).collect();
        for path in dropped.into_iter().filter(|path| !left.contains(path)) {
            local.changes.delete(path.to_owned());
        }
    }
    let texts = [true, false].map(|reasons| deferrals(queue, reasons));
    match texts.into_iter().find(|text| text.len() <= local.limit) {
        Some(text) if queue.notices().len() > 0 => {
            local.changes.save(DEFERRALS.to_owned(), text.into_bytes());
        }
        _ => local.changes.delete(DEFERRALS.to_owned()),
    }
    Ok(())
}

/// Saves how many events were emitted so far, as ops does.
pub(super) fn count(local: &mut LocalState, queue: &Queue) -> Result<(), Error> {
    let mut counted = match local.value(COUNTER)?.and_then(Result::ok) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    counted.insert("event_count".to_owned(), queue.counter().into());
    let counted = charmhost_store::encode(&Value::Object(counted));
    local.changes.save(COUNTER.to_owned(), counted);
    Ok(())
}

fn notice(item: &DeferredNotice) -> Notice {
    Notice {
        event_path: item.event_path.clone(),
        observer_path: item.observer.clone(),
        method: item.method.clone(),
    }
}

fn key(event_path: &str, observer: &str, method: &str) -> String {
    format!("{event_path} {observer} {method}")
}

fn deferrals(queue: &Queue, reasons: bool) -> String {
    let entry = |item: &DeferredNotice| {
        let reason = if reasons { item.reason.as_str() } else { "" };
        let deferral = json!({"since": item.since, "count": item.count, "reason": reason});
        (
            key(&item.event_path, &item.observer, &item.method),
            deferral,
        )
    };
    Value::Object(queue.notices().map(entry).collect()).to_string()
}

/// The notices and the counter. Notices that cannot be read stay where they
/// are, and are logged.
pub(super) fn read(
    local: &LocalState,
    metadata: &Metadata,
    model: &mut Model,
) -> Result<(Vec<DeferredNotice>, u64), Error> {
    let notices = local.notices()?;
    let deferrals = match notices.is_empty() {
        true => None,
        false => local.value(DEFERRALS)?,
    };
    let deferrals = deferrals.and_then(Result::ok).unwrap_or_default();
    let mut snapshots = Snapshots::new(local);
    let mut unreadable = UnreadableEvents::default();
    let mut queue = Vec::new();
    for notice in notices {
        let path = &notice.event_path;
        let Some((source, name)) = notice.event() else {
            unreadable.log(path, "its path is malformed", model);
            continue;
        };
        let source = Source::new(source);
        let (snapshot, event) = match snapshots.load(path)? {
            Ok(snapshot) => {
                let event = event(&source, name, &snapshot, metadata);
                if event.is_none() {
                    unreadable.log(path, "it is not that of such an event", model);
                }
                (snapshot, event)
            }
            Err(error) => {
                unreadable.log(path, &error.to_string(), model);
                (Value::Null, None)
            }
        };
        let deferral = deferrals.get(key(path, &notice.observer_path, &notice.method));
        queue.push(with_deferral(
            deferral, &notice, source, name, snapshot, event,
        ));
    }
    unreadable.log_rest(model);
    let counted = local.value(COUNTER)?.and_then(Result::ok);
    let counter = counted.and_then(|counted| counted.get("event_count")?.as_u64());
    Ok((queue, counter.unwrap_or_default()))
}

fn with_deferral(
    deferral: Option<&Value>,
    notice: &Notice,
    source: Source,
    name: &str,
    snapshot: Value,
    event: Option<Event>,
) -> DeferredNotice {
    let field = |key: &str| deferral.and_then(|deferral| deferral.get(key));
    let since = field("since").and_then(Value::as_f64);
    let count = field("count").and_then(Value::as_u64);
    let count = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let reason = field("reason").and_then(Value::as_str);
    DeferredNotice {
        event_path: notice.event_path.clone(),
        source,
        name: name.to_owned(),
        observer: notice.observer_path.clone(),
        method: notice.method.clone(),
        snapshot,
        event,
        since: since.filter(|since| *since > 0.0),
        // What ops deferred was deferred at least once.
        count: count.unwrap_or(1).max(1),
        reason: reason.unwrap_or_default().to_owned(),
    }
}

/// Reads the data of deferred events: all together may take as much memory as
/// one value may.
struct Snapshots<'a> {
    local: &'a LocalState,
    budget: Budget,
    wasted: usize,
    /// The last one: several notices in a row may be of one event.
    last: Option<(String, Result<Value, Unreadable>)>,
}

impl<'a> Snapshots<'a> {
    fn new(local: &'a LocalState) -> Self {
        Snapshots {
            local,
            budget: local.budget(),
            wasted: 0,
            last: None,
        }
    }

    fn load(&mut self, path: &str) -> Result<Result<Value, Unreadable>, Error> {
        if let Some((last, snapshot)) = &self.last
            && last == path
        {
            return Ok(snapshot.clone());
        }
        let snapshot = match self.local.bytes(path)? {
            None => Err(Unreadable::new("it is missing")),
            Some(Err(error)) => Err(error),
            Some(Ok(bytes)) => self.decode(&bytes),
        };
        self.last = Some((path.to_owned(), snapshot.clone()));
        Ok(snapshot)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Value, Unreadable> {
        if self.wasted > self.local.limit.saturating_mul(WASTE) {
            return Err(Unreadable::new("too many events before it are too large"));
        }
        let mut budget = self.budget.clone();
        let value = charmhost_store::decode(bytes, &mut budget);
        match value {
            Ok(_) => self.budget = budget,
            Err(_) => self.wasted += budget.used() - self.budget.used(),
        }
        value
    }
}

/// Deferred events that cannot be read: the first ones are logged one by one,
/// each once for all of its observers.
#[derive(Default)]
struct UnreadableEvents {
    count: usize,
    last: String,
}

impl UnreadableEvents {
    fn log(&mut self, path: &str, reason: &str, model: &mut Model) {
        if self.last == path {
            return;
        }
        path.clone_into(&mut self.last);
        self.count += 1;
        if self.count <= MAX_LINES {
            let line = format!(
                "Cannot read the data of deferred event {path}: {reason}; keeping it in the queue."
            );
            model.log(Level::Warning, &line);
        }
    }

    fn log_rest(&self, model: &mut Model) {
        if let Some(rest @ 1..) = self.count.checked_sub(MAX_LINES) {
            let line = format!(
                "Cannot read the data of {rest} more deferred events; keeping them in the queue."
            );
            model.log(Level::Warning, &line);
        }
    }
}

/// Juju's events belong to the charm itself, and everything else is custom.
fn event(source: &Source, name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
    match matches!(source, Source::Charm(_)) && metadata.has_event(name) {
        true => JujuEvent::restore(name, snapshot, metadata).map(Event::Juju),
        false => Some(Event::Custom {
            name: name.to_owned(),
            snapshot: snapshot.to_string(),
        }),
    }
}
