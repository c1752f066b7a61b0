//! State that the host with WIT 0.1.0 has saved: this one reads it, and what it
//! saves itself has the same form.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use charmhost_framework::{DeferredNotice, Queue};
use charmhost_hook_tools::{MemoryTransport, Stderr, ToolOutput};
use charmhost_juju::{Environment, Metadata, Model, SystemClock};
use charmhost_store::{BackendKind, FILE_NAME, OpenOptions, Transaction};
use rusqlite::Connection;
use serde_json::{Value, json};

/// A state file of that host, as SQL: a charm has deferred `start` twice.
const SAVED: &str = include_str!("data/wit-0.1.0.sql");

fn model() -> Model {
    let silent = |_: &str, _: &[String], _: Option<&[u8]>| Ok(ToolOutput::default());
    Model::new(
        Box::new(MemoryTransport(silent)),
        &Environment::read(|_| None).unwrap(),
        Arc::default(),
        Arc::new(SystemClock::default()),
        Stderr::new(std::io::sink()),
    )
}

fn begin(dir: &std::path::Path, model: &mut Model) -> (Transaction, Queue) {
    let backend = BackendKind::File.backend(dir);
    let metadata = Metadata::default();
    Transaction::begin(backend, OpenOptions::default(), &metadata, model).unwrap()
}

/// The statements that made the tables, the snapshots by path, and the notices.
type Saved = (Vec<String>, BTreeMap<String, Vec<u8>>, Vec<[String; 3]>);

fn saved(dir: &std::path::Path) -> Saved {
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    let rows = |sql: &str| -> Vec<[String; 3]> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
        rows.unwrap().map(Result::unwrap).collect()
    };
    let tables = rows("SELECT name, type, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name");
    let words = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let tables = tables.iter().map(|[_, _, sql]| words(sql)).collect();
    let mut snapshots = connection
        .prepare("SELECT handle, data FROM snapshot")
        .unwrap();
    let snapshots = snapshots.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let snapshots = snapshots.unwrap().map(Result::unwrap).collect();
    let notices =
        rows("SELECT event_path, observer_path, method_name FROM notice ORDER BY sequence");
    (tables, snapshots, notices)
}

#[test]
fn state_of_the_previous_host_is_read_and_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection.execute_batch(SAVED).unwrap();
    connection.close().unwrap();
    let before = saved(dir.path());

    let mut model = model();
    let (mut transaction, queue) = begin(dir.path(), &mut model);
    assert!(transaction.exists());
    let calls = transaction.value("Queue/StoredStateData[_calls]").unwrap();
    let calls = calls.unwrap().unwrap();
    assert_eq!(
        calls,
        json!({"count": 2, "last": ["start_first", "start_second"]})
    );
    let shown = |notice: &DeferredNotice| {
        (
            notice.method.clone(),
            notice.count,
            notice.reason.clone(),
            notice.undeliverable_to.clone(),
        )
    };
    let deferred = |method: &str| (method.to_owned(), 1, "configured to defer".to_owned(), None);
    let notices: Vec<_> = queue.notices().map(shown).collect();
    assert_eq!(notices, ["on_start_first", "on_start_second"].map(deferred));
    assert!(queue.notices().all(|notice| notice.since > Some(1.7e9)));
    // The same is saved again.
    let encoded = transaction.encode(&calls.to_string()).unwrap();
    transaction.save_encoded("Queue/StoredStateData[_calls]".to_owned(), encoded);
    transaction.commit(&queue, &mut model).unwrap();
    drop(transaction);
    assert_eq!(saved(dir.path()), before);

    let deferrals: Value = serde_json::from_slice(&before.1["charmhost/deferrals"]).unwrap();
    let first = &deferrals["Queue/on/start[1] Queue on_start_first"];
    let fields: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["since", "count", "reason"]);
}
