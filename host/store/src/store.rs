//! The file.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use crate::Changes;
use crate::pickle::{self, Unreadable};

/// How long another process that has the file is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS snapshot (handle TEXT PRIMARY KEY, data BLOB);
    CREATE TABLE IF NOT EXISTS notice (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        event_path TEXT,
        observer_path TEXT,
        method_name TEXT
    );
";

/// Changes that wait for a decision: `change` is `save`, `forget`, `add` or
/// `drop`; `path` a handle, or the path of an event. ops ignores the table.
const PENDING: &str = "
    CREATE TABLE IF NOT EXISTS charmhost_pending (
        sequence INTEGER PRIMARY KEY,
        number INTEGER NOT NULL,
        change TEXT NOT NULL,
        path TEXT NOT NULL,
        observer_path TEXT,
        method_name TEXT,
        data BLOB
    );
";

/// What can go wrong with the state.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made or opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("cannot open {}: another process uses it, and has not let go of it within {} s", .0.display(), PATIENCE.as_secs())]
    Locked(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
}

/// An event on its way to one observer, kept for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `<source>/on/<event>[<counter>]`.
    pub event_path: String,
    /// The observer's path.
    pub observer_path: String,
    /// The observer's method.
    pub method: String,
}

impl Notice {
    /// The source and the name of the event; none if the path is malformed.
    pub fn event(&self) -> Option<(&str, &str)> {
        let (path, counter) = self.event_path.rsplit_once('[')?;
        counter.strip_suffix(']')?;
        path.rsplit_once("/on/")
            .or_else(|| Some(("", path.strip_prefix("on/")?)))
    }
}

/// An open file, in one transaction.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the file and keeps everybody else out of it. One that does not
    /// exist is made, for its owner alone.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open {
            path: path.to_path_buf(),
            source,
        };
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let private = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(path, private).map_err(open)?;
            }
            Err(error) => return Err(open(error)),
        }
        let database = |source| Error::Database {
            path: path.to_path_buf(),
            source,
        };
        let connection = Connection::open(path).map_err(database)?;
        connection.busy_timeout(PATIENCE).map_err(database)?;
        connection
            .execute_batch("BEGIN EXCLUSIVE")
            .map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    Error::Locked(path.to_path_buf())
                }
                _ => database(error),
            })?;
        let store = Store {
            path: path.to_path_buf(),
            connection,
        };
        store.database(store.connection.execute_batch(SCHEMA))?;
        Ok(store)
    }

    fn database<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|source| Error::Database {
            path: self.path.clone(),
            source,
        })
    }

    /// What is kept under a handle, as it is; nothing for what is neither bytes
    /// nor text, which no reader can make sense of.
    pub fn bytes(&self, handle: &str) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT data FROM snapshot WHERE handle = ?1";
        let found = self.connection.query_row(sql, [handle], |row| {
            let data = row.get_ref(0)?;
            Ok(data
                .as_bytes_or_null()
                .ok()
                .flatten()
                .unwrap_or_default()
                .to_vec())
        });
        self.database(found.optional())
    }

    /// The value under a handle: a pickle of ops, or JSON. The inner error says
    /// why it cannot be read.
    pub fn value(&self, handle: &str) -> Result<Option<Result<Value, Unreadable>>, Error> {
        let Some(bytes) = self.bytes(handle)? else {
            return Ok(None);
        };
        Ok(Some(pickle::decode(&bytes)))
    }

    /// Keeps a value under a handle as ops does.
    pub fn save(&self, handle: &str, value: &Value) -> Result<(), Error> {
        self.save_bytes(handle, &pickle::write(value))
    }

    /// Keeps bytes under a handle.
    pub fn save_bytes(&self, handle: &str, bytes: &[u8]) -> Result<(), Error> {
        let sql = "REPLACE INTO snapshot VALUES (?1, ?2)";
        self.database(self.connection.execute(sql, (handle, bytes)))
            .map(drop)
    }

    /// Forgets what is kept under a handle.
    pub fn forget(&self, handle: &str) -> Result<(), Error> {
        let sql = "DELETE FROM snapshot WHERE handle = ?1";
        self.database(self.connection.execute(sql, [handle]))
            .map(drop)
    }

    /// The events that are kept, in their order. Rows that something else has
    /// made, and that are no notices, are passed over.
    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        let sql = "SELECT event_path, observer_path, method_name FROM notice
            WHERE typeof(event_path) = 'text' AND typeof(observer_path) = 'text'
            AND typeof(method_name) = 'text' ORDER BY sequence";
        let mut statement = self.database(self.connection.prepare(sql))?;
        let rows = statement.query_map([], |row| {
            Ok(Notice {
                event_path: row.get(0)?,
                observer_path: row.get(1)?,
                method: row.get(2)?,
            })
        });
        self.database(rows.and_then(Iterator::collect))
    }

    /// Keeps an event, behind the others.
    pub fn add_notice(&self, notice: &Notice) -> Result<(), Error> {
        let sql = "INSERT INTO notice (event_path, observer_path, method_name) VALUES (?1, ?2, ?3)";
        let values = (&notice.event_path, &notice.observer_path, &notice.method);
        self.database(self.connection.execute(sql, values))
            .map(drop)
    }

    /// Forgets an event.
    pub fn drop_notice(&self, notice: &Notice) -> Result<(), Error> {
        let sql =
            "DELETE FROM notice WHERE event_path = ?1 AND observer_path = ?2 AND method_name = ?3";
        let values = (&notice.event_path, &notice.observer_path, &notice.method);
        self.database(self.connection.execute(sql, values))
            .map(drop)
    }

    /// Writes changes.
    pub fn apply(&self, changes: &Changes) -> Result<(), Error> {
        for (handle, bytes) in changes.snapshots() {
            match bytes {
                Some(bytes) => self.save_bytes(handle, bytes)?,
                None => self.forget(handle)?,
            }
        }
        for notice in changes.dropped() {
            self.drop_notice(notice)?;
        }
        changes
            .added()
            .iter()
            .try_for_each(|notice| self.add_notice(notice))
    }

    /// Keeps changes aside under a number, in place of others that are, until
    /// [`Store::settle`] is told what became of them.
    pub fn hold(&self, number: i64, changes: &Changes) -> Result<(), Error> {
        self.database(self.connection.execute_batch(PENDING))?;
        self.database(
            self.connection
                .execute_batch("DELETE FROM charmhost_pending"),
        )?;
        let sql = "INSERT INTO charmhost_pending
            (number, change, path, observer_path, method_name, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = self.database(self.connection.prepare(sql))?;
        let none: Option<&str> = None;
        for (handle, bytes) in changes.snapshots() {
            let change = if bytes.is_some() { "save" } else { "forget" };
            let row = (number, change, handle, none, none, bytes);
            self.database(insert.execute(row))?;
        }
        let dropped = changes.dropped().iter().map(|notice| ("drop", notice));
        let added = changes.added().iter().map(|notice| ("add", notice));
        for (change, notice) in dropped.chain(added) {
            let (observer, method) = (&notice.observer_path, &notice.method);
            let bytes: Option<&[u8]> = None;
            let row = (number, change, &notice.event_path, observer, method, bytes);
            self.database(insert.execute(row))?;
        }
        Ok(())
    }

    /// The number of the changes that are kept aside, if there are any.
    pub fn held(&self) -> Result<Option<i64>, Error> {
        let sql = "SELECT count(*) FROM sqlite_master
            WHERE type = 'table' AND name = 'charmhost_pending'";
        let tables: i64 = self.database(self.connection.query_row(sql, [], |row| row.get(0)))?;
        if tables == 0 {
            return Ok(None);
        }
        let sql = "SELECT number FROM charmhost_pending LIMIT 1";
        let number = self.connection.query_row(sql, [], |row| row.get(0));
        self.database(number.optional())
    }

    /// Writes the changes that are kept aside, or forgets them.
    pub fn settle(&self, keep: bool) -> Result<(), Error> {
        if keep {
            self.apply(&self.held_changes()?)?;
        }
        self.database(
            self.connection
                .execute_batch("DELETE FROM charmhost_pending"),
        )
    }

    fn held_changes(&self) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let sql = "SELECT change, path, observer_path, method_name, data
            FROM charmhost_pending ORDER BY sequence";
        let mut statement = self.database(self.connection.prepare(sql))?;
        let mut rows = self.database(statement.query([]))?;
        while let Some(row) = self.database(rows.next())? {
            let read = || -> rusqlite::Result<(String, String, Option<Vec<u8>>)> {
                Ok((row.get(0)?, row.get(1)?, row.get(4)?))
            };
            let (change, path, data) = self.database(read())?;
            let notice = || -> rusqlite::Result<Notice> {
                Ok(Notice {
                    event_path: path.clone(),
                    observer_path: row.get(2)?,
                    method: row.get(3)?,
                })
            };
            match change.as_str() {
                "save" => changes.save(path, data.unwrap_or_default()),
                "forget" => changes.forget(path),
                "drop" => changes.drop_notice(self.database(notice())?),
                _ => changes.add_notice(self.database(notice())?),
            }
        }
        Ok(changes)
    }

    /// The handles under which something is kept.
    pub fn handles(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT handle FROM snapshot WHERE typeof(handle) = 'text' ORDER BY handle";
        let mut statement = self.database(self.connection.prepare(sql))?;
        let rows = statement.query_map([], |row| row.get(0));
        self.database(rows.and_then(Iterator::collect))
    }

    /// Makes everything since it was opened durable. Without it, nothing is.
    pub fn commit(self) -> Result<(), Error> {
        self.database(self.connection.execute_batch("COMMIT"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(event: &str, method: &str) -> Notice {
        Notice {
            event_path: event.to_owned(),
            observer_path: "Charm".to_owned(),
            method: method.to_owned(),
        }
    }

    #[test]
    fn what_is_committed_is_there_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let store = Store::open(&path).unwrap();
        store.save("a", &json!({"k": [1, null]})).unwrap();
        store.save_bytes("b", b"[1]").unwrap();
        store.add_notice(&notice("Charm/on/start[1]", "x")).unwrap();
        store.add_notice(&notice("Charm/on/stop[2]", "y")).unwrap();
        store.commit().unwrap();
        let store = Store::open(&path).unwrap();
        store.forget("a").unwrap();
        store
            .drop_notice(&notice("Charm/on/start[1]", "x"))
            .unwrap();
        assert_eq!(store.notices().unwrap(), [notice("Charm/on/stop[2]", "y")]);
        // Not committed.
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.value("a").unwrap(), Some(Ok(json!({"k": [1, null]}))));
        assert_eq!(store.value("b").unwrap(), Some(Ok(json!([1]))));
        assert_eq!(store.value("c").unwrap(), None);
        assert_eq!(store.notices().unwrap().len(), 2);
    }

    #[test]
    fn what_is_held_back_is_written_or_forgotten_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let [old, new] = ["old", "new"].map(|method| notice("Charm/on/start[1]", method));
        for keep in [false, true] {
            let store = Store::open(&path).unwrap();
            store.apply(&Changes::default()).unwrap();
            store.save("a", &json!(1)).unwrap();
            store.save("b", &json!(1)).unwrap();
            store.drop_notice(&old).unwrap();
            store.add_notice(&old).unwrap();
            let mut changes = Changes::default();
            changes.save("a".to_owned(), pickle::write(&json!(2)));
            changes.forget("b".to_owned());
            changes.drop_notice(old.clone());
            changes.add_notice(new.clone());
            assert_eq!(store.held().unwrap(), None);
            store.hold(7, &Changes::default()).unwrap();
            store.hold(8, &changes).unwrap();
            store.commit().unwrap();

            let store = Store::open(&path).unwrap();
            assert_eq!(store.held().unwrap(), Some(8));
            assert_eq!(store.value("a").unwrap(), Some(Ok(json!(1))));
            store.settle(keep).unwrap();
            assert_eq!(store.held().unwrap(), None);
            let (a, b) = (store.value("a").unwrap(), store.value("b").unwrap());
            let wanted = if keep {
                (Some(Ok(json!(2))), None)
            } else {
                (Some(Ok(json!(1))), Some(Ok(json!(1))))
            };
            assert_eq!((a, b), wanted);
            let left = if keep { &new } else { &old };
            assert_eq!(store.notices().unwrap(), std::slice::from_ref(left));
            store.commit().unwrap();
        }
    }

    #[test]
    fn rows_that_are_no_state_stay_and_break_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let connection = Connection::open(&path).unwrap();
        let foreign = "CREATE TABLE snapshot (handle TEXT PRIMARY KEY, data BLOB);
            INSERT INTO snapshot VALUES ('text', '[1]'), ('number', 7), ('null', NULL), (NULL, x'00');";
        connection.execute_batch(foreign).unwrap();
        connection.close().unwrap();
        let store = Store::open(&path).unwrap();
        store
            .database(store.connection.execute_batch(
                "INSERT INTO notice (event_path, observer_path) VALUES ('Charm/on/start[1]', 'Charm')",
            ))
            .unwrap();
        assert_eq!(store.handles().unwrap(), ["null", "number", "text"]);
        assert_eq!(store.value("text").unwrap(), Some(Ok(json!([1]))));
        assert!(store.value("number").unwrap().unwrap().is_err());
        assert!(store.value("null").unwrap().unwrap().is_err());
        assert_eq!(store.notices().unwrap(), []);
        store.commit().unwrap();
    }

    #[test]
    fn event_paths_name_source_and_event() {
        for (path, wanted) in [
            ("MyCharm/on/start[7]", Some(("MyCharm", "start"))),
            (
                "MyCharm/DbLib[db]/on/ready[2]",
                Some(("MyCharm/DbLib[db]", "ready")),
            ),
            ("on/commit[5]", Some(("", "commit"))),
            ("MyCharm/start", None),
        ] {
            assert_eq!(notice(path, "x").event(), wanted, "{path}");
        }
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Store::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_database_is_told_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        std::fs::write(&path, "not a database, but long enough to look at").unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(
            error.contains(".unit-state.db: file is not a database"),
            "{error}"
        );
        let error = Store::open(Path::new("/nowhere/x"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "cannot open /nowhere/x: No such file or directory (os error 2)"
        );
    }
}
