//! All back ends do the same: one list of cases, run with each of them.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_framework::Queue;
use charmhost_hook_tools::{MemoryTransport, Stderr, ToolOutput};
use charmhost_juju::{Environment, Metadata, Model, SystemClock};
use charmhost_store::{
    Backend, BackendKind, COMMIT_KEY, DEFAULT_LIMIT, Error, FILE_NAME, MemoryBackend, Notice,
    OpenOptions, Transaction, WriteMode,
};
use serde_json::{Value, json};

/// What Juju stores for the unit, and the writes of the current hook.
#[derive(Default)]
struct Stored {
    entries: BTreeMap<String, String>,
    buffered: Vec<(String, Option<String>)>,
    log: Vec<String>,
}

/// A unit: its charm's directory, its state in Juju, its state in memory.
struct Unit {
    dir: tempfile::TempDir,
    juju: Arc<Mutex<Stored>>,
    memory: MemoryBackend,
}

/// The charm's own path and name, for notices.
fn notice(method: &str) -> Notice {
    Notice {
        event_path: format!("Charm/on/start[{}]", method.len()),
        observer_path: "Charm".to_owned(),
        method: method.to_owned(),
    }
}

impl Unit {
    fn new() -> Self {
        Unit {
            dir: tempfile::tempdir().unwrap(),
            juju: Arc::default(),
            memory: MemoryBackend::default(),
        }
    }

    fn model(&self) -> Model {
        let juju = self.juju.clone();
        let answer = move |tool: &str, args: &[String], stdin: Option<&[u8]>| {
            let mut juju = juju.lock().unwrap();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let stdout = match (tool, args.as_slice()) {
                ("state-get", ["--format=json"]) => json!(juju.entries).to_string(),
                ("state-get", [key]) => juju.entries.get(*key).cloned().unwrap_or_default() + "\n",
                ("state-set", ["--file", "-"]) => {
                    let text = std::str::from_utf8(stdin.unwrap()).unwrap();
                    let Value::Object(map) = charmhost_yaml::parse(text).unwrap() else {
                        panic!("{text}");
                    };
                    for (key, value) in map {
                        let value = value.as_str().unwrap().to_owned();
                        juju.buffered.push((key, Some(value)));
                    }
                    String::new()
                }
                ("state-delete", [key]) => {
                    juju.buffered.push(((*key).to_owned(), None));
                    String::new()
                }
                ("juju-log", args) => {
                    juju.log.push(args.join(" "));
                    String::new()
                }
                other => panic!("{other:?}"),
            };
            Ok(ToolOutput {
                code: 0,
                stdout: stdout.into_bytes(),
                stderr: Vec::new(),
            })
        };
        let environment = Environment::read(|_| None).unwrap();
        let metadata = Arc::default();
        let stderr = Stderr::new(std::io::sink());
        Model::new(
            Box::new(MemoryTransport(answer)),
            &environment,
            metadata,
            Arc::new(SystemClock::default()),
            stderr,
        )
    }

    /// The end of a hook: Juju applies the writes, or not.
    fn end_hook(&self, succeeded: bool) {
        let mut juju = self.juju.lock().unwrap();
        let buffered = std::mem::take(&mut juju.buffered);
        for (key, value) in buffered.into_iter().filter(|_| succeeded) {
            match value {
                Some(value) => juju.entries.insert(key, value),
                None => juju.entries.remove(&key),
            };
        }
    }

    fn log(&self) -> String {
        std::mem::take(&mut self.juju.lock().unwrap().log).join("\n")
    }

    fn begin(&self, kind: Kind, options: OpenOptions) -> Result<Transaction, Error> {
        let backend: Box<dyn Backend> = match kind {
            Kind::Of(kind) => kind.backend(self.dir.path()),
            Kind::Memory => Box::new(self.memory.clone()),
        };
        let metadata = Metadata::default();
        let begun = Transaction::begin(backend, options, &metadata, &mut self.model());
        begun.map(|(transaction, _)| transaction)
    }

    /// Runs a dispatch in a hook that succeeds or not.
    fn dispatch(
        &self,
        kind: Kind,
        options: OpenOptions,
        succeeded: bool,
        change: impl FnOnce(&mut Transaction),
    ) {
        let mut transaction = self.begin(kind, options).unwrap();
        change(&mut transaction);
        let queue = Queue::default();
        transaction.commit(&queue, &mut self.model()).unwrap();
        drop(transaction);
        self.end_hook(succeeded);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Of(BackendKind),
    Memory,
}

const SQLITE: Kind = Kind::Of(BackendKind::File);
const JUJU: Kind = Kind::Of(BackendKind::Juju);

fn options(mode: WriteMode, restricted: bool) -> OpenOptions {
    OpenOptions {
        restricted,
        mode,
        limit: DEFAULT_LIMIT,
    }
}

fn save(transaction: &mut Transaction, handle: &str, json: &str) {
    let encoded = transaction.encode(json).unwrap();
    transaction.save_encoded(handle.to_owned(), encoded);
}

fn value(transaction: &Transaction, handle: &str) -> Option<Value> {
    transaction.value(handle).unwrap().map(Result::unwrap)
}

#[test]
fn every_back_end_returns_what_was_committed() {
    for kind in [SQLITE, JUJU, Kind::Memory] {
        let unit = Unit::new();
        let plain = options(WriteMode::Immediate, false);
        unit.dispatch(kind, plain, true, |transaction| {
            save(transaction, "A/StoredStateData[_stored]", "{\"n\": 1}");
            save(transaction, "b", "[null, \"text\"]");
            transaction
                .save_bytes("c".to_owned(), b"[1]".to_vec())
                .unwrap();
            for method in ["first", "other", "third"] {
                transaction.add_notice(notice(method)).unwrap();
            }
            assert_eq!(transaction.handles().unwrap().len(), 3);
        });
        unit.dispatch(kind, plain, true, |transaction| {
            transaction.delete("b".to_owned());
            save(transaction, "c", "2");
            transaction.drop_notice(notice("other"));
            transaction.drop_notice(notice("first"));
            transaction.add_notice(notice("first")).unwrap();
        });
        // Nothing of a dispatch that does not commit.
        let mut failed = unit.begin(kind, plain).unwrap();
        failed.delete("c".to_owned());
        failed.drop_notice(notice("third"));
        drop(failed);

        let transaction = unit.begin(kind, plain).unwrap();
        let handles = transaction.handles().unwrap();
        assert_eq!(handles, ["A/StoredStateData[_stored]", "c"], "{kind:?}");
        let state = value(&transaction, "A/StoredStateData[_stored]");
        assert_eq!(state, Some(json!({"n": 1})), "{kind:?}");
        assert_eq!(value(&transaction, "b"), None, "{kind:?}");
        assert_eq!(value(&transaction, "c"), Some(json!(2)), "{kind:?}");
        let notices = ["third", "first"].map(notice);
        assert_eq!(transaction.notices().unwrap(), notices, "{kind:?}");
    }
}

#[test]
fn a_dispatch_that_changes_nothing_writes_nothing() {
    for kind in [SQLITE, JUJU, Kind::Memory] {
        let unit = Unit::new();
        let atomic = options(WriteMode::Atomic, false);
        unit.dispatch(kind, atomic, true, |_| {});
        assert!(!unit.dir.path().join(FILE_NAME).exists(), "{kind:?}");
        assert!(unit.juju.lock().unwrap().entries.is_empty(), "{kind:?}");
    }
}

#[test]
fn state_exists_from_the_first_commit_even_if_it_is_empty() {
    for kind in [SQLITE, JUJU, Kind::Memory] {
        for mode in [WriteMode::Immediate, WriteMode::Atomic] {
            let unit = Unit::new();
            let exists = || unit.begin(kind, options(mode, false)).unwrap().exists();
            unit.dispatch(kind, options(mode, false), true, |_| {});
            assert!(!exists(), "{kind:?}");
            unit.dispatch(kind, options(mode, false), true, |transaction| {
                save(transaction, "a", "1");
                // Not from an earlier dispatch.
                assert!(!transaction.exists(), "{kind:?}");
            });
            assert!(exists(), "{kind:?}");
            unit.dispatch(kind, options(mode, false), true, |transaction| {
                transaction.delete("a".to_owned());
            });
            // Juju has no empty state.
            assert_eq!(exists(), kind != JUJU, "{kind:?}");
        }
    }
}

#[test]
fn in_atomic_mode_the_state_follows_juju() {
    for kind in [SQLITE, Kind::Memory] {
        for succeeded in [false, true] {
            let unit = Unit::new();
            let atomic = options(WriteMode::Atomic, false);
            unit.dispatch(kind, atomic, true, |transaction| {
                save(transaction, "a", "1");
                transaction.add_notice(notice("old")).unwrap();
            });
            unit.dispatch(kind, atomic, succeeded, |transaction| {
                assert_eq!(value(transaction, "a"), Some(json!(1)));
                save(transaction, "a", "2");
                transaction.drop_notice(notice("old"));
                transaction.add_notice(notice("new")).unwrap();
            });
            // Juju cannot be asked in a restricted hook.
            unit.log();
            let restricted = unit.begin(kind, options(WriteMode::Atomic, true));
            assert!(matches!(restricted.err(), Some(Error::Unavailable(_))));
            assert_eq!(unit.log(), "");

            // Twice: a decision without a commit leaves it to the next dispatch.
            let wanted = match succeeded {
                true => (json!(2), "new", "Committing local state"),
                false => (json!(1), "old", "Rolling back local state"),
            };
            drop(unit.begin(kind, atomic).unwrap());
            unit.dispatch(kind, atomic, true, |transaction| {
                assert_eq!(value(transaction, "a"), Some(wanted.0), "{kind:?}");
                assert_eq!(transaction.notices().unwrap(), [notice(wanted.1)]);
            });
            assert!(unit.log().contains(wanted.2), "{kind:?}");
        }
    }
}

#[test]
fn a_restricted_hook_writes_at_once_unless_juju_stores_the_state() {
    for kind in [SQLITE, Kind::Memory] {
        let unit = Unit::new();
        let restricted = options(WriteMode::Atomic, true);
        unit.dispatch(kind, restricted, false, |transaction| {
            save(transaction, "a", "1");
        });
        assert!(!unit.juju.lock().unwrap().entries.contains_key(COMMIT_KEY));
        let transaction = unit.begin(kind, restricted).unwrap();
        assert_eq!(value(&transaction, "a"), Some(json!(1)), "{kind:?}");
    }
    let refused = Unit::new().begin(JUJU, options(WriteMode::Immediate, true));
    assert!(matches!(refused.err(), Some(Error::Unavailable(_))));
}

#[test]
fn units_in_memory_share_nothing() {
    let plain = options(WriteMode::Immediate, false);
    let [one, other] = [Unit::new(), Unit::new()];
    one.dispatch(Kind::Memory, plain, true, |transaction| {
        save(transaction, "a", "1");
    });
    let transaction = other.begin(Kind::Memory, plain).unwrap();
    assert_eq!(transaction.handles().unwrap(), Vec::<String>::new());
    assert!(is_empty(one.dir.path()));
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}
