//! The charm's local state between two dispatches: deferred events and what the
//! charm remembers, read before the guest runs or when it asks, and written
//! back when it has succeeded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charmhost_framework::{Event, Kept, Queue};
use charmhost_juju::{Event as JujuEvent, Level, Metadata, Model};
use charmhost_store::{Error, Notice, Store, Unreadable};
use serde_json::{Map, Value, json};

/// Where ops keeps how many events were emitted.
const COUNTER: &str = "StoredStateData[_stored]";
/// Where this host keeps what it knows of deferrals, beside what ops keeps.
const DEFERRALS: &str = "charmhost/deferrals";

/// The local state of a dispatch.
pub(crate) struct Local {
    path: PathBuf,
    /// None while there is no file.
    store: Option<Store>,
    before: Vec<Kept>,
    /// What the guest saved in this dispatch.
    saved: BTreeMap<String, Value>,
}

impl Local {
    /// Opens the file if there is one, and reads the queue.
    pub fn open(
        charm_dir: &Path,
        metadata: &Metadata,
        model: &mut Model,
    ) -> Result<(Self, Queue), Error> {
        let path = charm_dir.join(charmhost_store::FILE_NAME);
        let store = match path.exists() {
            true => Some(Store::open(&path)?),
            false => None,
        };
        let (kept, counter) = match &store {
            Some(store) => read(store, metadata, model)?,
            None => (Vec::new(), 0),
        };
        let local = Local {
            path,
            store,
            before: kept.clone(),
            saved: BTreeMap::new(),
        };
        Ok((local, Queue::new(kept, counter)))
    }

    /// The value under a handle; the inner error says why it cannot be read.
    pub fn load(&self, handle: &str) -> Result<Option<Result<Value, Unreadable>>, Error> {
        match (self.saved.get(handle), &self.store) {
            (Some(value), _) => Ok(Some(Ok(value.clone()))),
            (None, Some(store)) => store.value(handle),
            (None, None) => Ok(None),
        }
    }

    /// Keeps a value under a handle when the dispatch succeeds.
    pub fn remember(&mut self, handle: String, value: Value) {
        self.saved.insert(handle, value);
    }

    /// Writes what has changed, in one transaction. A dispatch that changed
    /// nothing writes nothing.
    pub fn save(self, queue: &Queue) -> Result<(), Error> {
        if !queue.is_changed() && self.saved.is_empty() {
            return Ok(());
        }
        let store = match self.store {
            Some(store) => store,
            None => Store::open(&self.path)?,
        };
        for (handle, value) in &self.saved {
            store.save(handle, value)?;
        }
        let now = queue.kept();
        for kept in self.before.iter().filter(|kept| !has(now, kept)) {
            store.drop_notice(&notice(kept))?;
            let is_referenced = |other: &Notice| other.event_path == kept.event_path;
            if !store.notices()?.iter().any(is_referenced) {
                store.forget(&kept.event_path)?;
            }
        }
        for kept in now.iter().filter(|kept| !has(&self.before, kept)) {
            store.save(&kept.event_path, &kept.snapshot)?;
            store.add_notice(&notice(kept))?;
        }
        let counted = store.value(COUNTER)?.and_then(Result::ok);
        let mut counted = match counted {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        counted.insert("event_count".to_owned(), queue.counter().into());
        store.save(COUNTER, &Value::Object(counted))?;
        match now.is_empty() {
            true => store.forget(DEFERRALS)?,
            false => store.save_bytes(DEFERRALS, deferrals(now).to_string().as_bytes())?,
        }
        store.commit()
    }
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

/// The queue and the counter of a file. What cannot be read stays there, and
/// is told.
fn read(store: &Store, metadata: &Metadata, model: &mut Model) -> Result<(Vec<Kept>, u64), Error> {
    let known = store
        .value(DEFERRALS)?
        .and_then(Result::ok)
        .unwrap_or_default();
    let mut kept = Vec::new();
    for notice in store.notices()? {
        let Some((source, name)) = notice.event() else {
            let line = format!(
                "Keeping the malformed deferred event {:?}.",
                notice.event_path
            );
            model.log(Level::Warning, &line);
            continue;
        };
        let snapshot = match store.value(&notice.event_path)? {
            Some(Ok(snapshot)) => Some(snapshot),
            Some(Err(error)) => {
                let line = format!(
                    "Keeping the deferred event {}, whose data cannot be read: {error}.",
                    notice.event_path
                );
                model.log(Level::Warning, &line);
                None
            }
            None => None,
        };
        let deferral = known.get(key(&notice)).cloned().unwrap_or_default();
        let number = |key: &str| {
            deferral
                .get(key)
                .and_then(Value::as_f64)
                .unwrap_or_default()
        };
        let (source, name) = (source.to_owned(), name.to_owned());
        kept.push(Kept {
            event: snapshot
                .as_ref()
                .and_then(|snapshot| event(&source, &name, snapshot, metadata)),
            source,
            name,
            snapshot: snapshot.unwrap_or_default(),
            place: 0,
            since: number("since"),
            // What ops deferred was deferred at least once.
            count: (number("count") as u32).max(1),
            reason: deferral
                .get("reason")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            event_path: notice.event_path.clone(),
            observer: notice.observer_path,
            method: notice.method,
        });
    }
    let counted = store.value(COUNTER)?.and_then(Result::ok);
    let counter = counted.and_then(|counted| counted.get("event_count")?.as_u64());
    Ok((kept, counter.unwrap_or_default()))
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
