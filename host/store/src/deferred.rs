//! The queue of deferred events, from the local state and back (ops §5.3,
//! ops §5.4).
//!
//! ops persists a notice per observer and a snapshot per event. What it does not
//! persist (since when, how often and why an event was deferred) is in one more
//! snapshot.

use std::collections::{BTreeSet, HashSet};

use charmhost_framework::{Change, DeferredNotice, Event, Queue, Source};
use charmhost_juju::{Event as JujuEvent, Level, Metadata, Model};
use serde_json::{Value, json};

use crate::limits::Budget;
use crate::pickle;
use crate::{Backend, Changes, Error, Notice, Unreadable};

/// The handle of the snapshot with the deferrals: a map from event path,
/// observer path and method to the time, the number and the reason, and the
/// revision of the charm that has no handler for the event.
const DEFERRALS: &str = "charmhost/deferrals";
/// The key of a deferral with the revision of the charm that has no handler.
const UNDELIVERABLE: &str = "undeliverable-to";
/// How many events that cannot be read are logged one by one.
const MAX_LINES: usize = 20;
/// Memory that may be filled with data that turns out to be too large, as a
/// multiple of the limit. More work than that is not worth it.
const WASTE: usize = 8;

/// Adds the changes of a queue to those of a dispatch.
pub(crate) fn write(
    changes: &mut Changes,
    backend: &dyn Backend,
    limit: usize,
    queue: &Queue,
) -> Result<(), Error> {
    let mut is_changed = false;
    let mut dropped = BTreeSet::new();
    for change in queue.changes() {
        is_changed = true;
        match change {
            Change::Drop(item) => {
                dropped.insert(item.event_path.as_str());
                changes.drop_notice(notice(item));
            }
            Change::Update(_) => {}
            Change::Add(item) => {
                changes.save(item.event_path.clone(), pickle::write(&item.snapshot));
                changes.add_notice(notice(item));
            }
        }
    }
    if !is_changed {
        return Ok(());
    }
    if !dropped.is_empty() {
        let left = changes.notices(backend.notices()?);
        let left: HashSet<&str> = left.iter().map(|left| left.event_path.as_str()).collect();
        for path in dropped.into_iter().filter(|path| !left.contains(path)) {
            changes.delete(path.to_owned());
        }
    }
    let texts = [true, false].map(|reasons| deferrals(queue, reasons));
    match texts.into_iter().find(|text| text.len() <= limit) {
        Some(text) if queue.notices().len() > 0 => {
            changes.save(DEFERRALS.to_owned(), text.into_bytes());
        }
        _ => changes.delete(DEFERRALS.to_owned()),
    }
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
        let mut deferral = json!({"since": item.since, "count": item.count, "reason": reason});
        if let (Some(revision), Some(fields)) = (&item.undeliverable_to, deferral.as_object_mut()) {
            fields.insert(UNDELIVERABLE.to_owned(), json!(revision));
        }
        (
            key(&item.event_path, &item.observer, &item.method),
            deferral,
        )
    };
    Value::Object(queue.notices().map(entry).collect()).to_string()
}

/// Reads the deferred notices. Those that cannot be read are logged and stay in
/// the queue: they never fail a dispatch, unlike with ops (ops §4.5, step 2).
pub(crate) fn read(
    backend: &dyn Backend,
    limit: usize,
    metadata: &Metadata,
    model: &mut Model,
) -> Result<Vec<DeferredNotice>, Error> {
    let notices = backend.notices()?;
    let deferrals = match notices.is_empty() {
        true => None,
        false => backend.value(DEFERRALS, limit)?,
    };
    let deferrals = deferrals.and_then(Result::ok).unwrap_or_default();
    let mut snapshots = Snapshots::new(backend, limit);
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
                    unreadable.log(path, "its fields are not those of this event", model);
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
    Ok(queue)
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
    let undeliverable_to = field(UNDELIVERABLE).and_then(Value::as_str);
    DeferredNotice {
        event_path: notice.event_path.clone(),
        source,
        name: name.to_owned(),
        observer: notice.observer_path.clone(),
        method: notice.method.clone(),
        snapshot,
        event,
        since: since.filter(|since| *since > 0.0),
        // An event that native ops deferred has no entry.
        count: count.unwrap_or(1).max(1),
        reason: reason.unwrap_or_default().to_owned(),
        undeliverable_to: undeliverable_to.map(str::to_owned),
    }
}

/// Reads the data of deferred events: all together may take as much memory as
/// one value may.
struct Snapshots<'a> {
    backend: &'a dyn Backend,
    limit: usize,
    budget: Budget,
    wasted: usize,
    /// The last one: several notices in a row may be of one event.
    last: Option<(String, Result<Value, Unreadable>)>,
}

impl<'a> Snapshots<'a> {
    fn new(backend: &'a dyn Backend, limit: usize) -> Self {
        Snapshots {
            backend,
            limit,
            budget: Budget::new(limit),
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
        let snapshot = match self.backend.bytes(path)? {
            None => Err(Unreadable::new("it is missing")),
            Some(Err(error)) => Err(error),
            Some(Ok(bytes)) => self.decode(&bytes),
        };
        self.last = Some((path.to_owned(), snapshot.clone()));
        Ok(snapshot)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Value, Unreadable> {
        if self.wasted > self.limit.saturating_mul(WASTE) {
            return Err(Unreadable::new("too many events before it are too large"));
        }
        let mut budget = self.budget.clone();
        let value = pickle::decode(bytes, &mut budget);
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

/// Restores an event from its snapshot (ops §5.4). Juju's events have the charm
/// itself as their source; all others are custom.
fn event(source: &Source, name: &str, snapshot: &Value, metadata: &Metadata) -> Option<Event> {
    match source {
        Source::Charm(_) if metadata.has_event(name) => {
            JujuEvent::restore(name, snapshot, metadata).map(Event::Juju)
        }
        Source::Charm(_) if name == Event::OTHER => Event::restore_other(snapshot),
        _ => Some(Event::Custom {
            name: name.to_owned(),
            snapshot: snapshot.to_string(),
        }),
    }
}
