//! Snapshots and notices in the tables of the state file (ops §5.3).

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{OptionalExtension, Row, Statement};
use serde_json::Value;

use super::database::Database;
use crate::limits::{Budget, MAX_NAME, size};
use crate::{Changes, Error, Lookup, Notice, Unreadable, pickle};

/// An open state file, in one exclusive transaction: no other process can read
/// or write it, and everything since it was opened becomes durable with
/// [`StateFile::commit`], or nothing does.
#[derive(Debug)]
pub struct StateFile {
    pub(super) database: Database,
    limit: usize,
}

impl StateFile {
    /// Opens the file, or creates it with mode 0600. Waits up to 10 s for
    /// another process to release its lock. `limit` is the most bytes that one
    /// snapshot may have, and all notices together.
    pub fn open(path: &Path, limit: usize) -> Result<Self, Error> {
        Ok(StateFile {
            database: Database::open(path, limit)?,
            limit,
        })
    }

    /// The bytes under a handle; empty if the row has neither bytes nor text.
    /// The inner error is that there are more bytes than the limit.
    pub fn bytes(&self, handle: &str) -> Lookup<Vec<u8>> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let sql = "SELECT octet_length(data), CASE WHEN octet_length(data) <= ?2 THEN data END
            FROM snapshot WHERE handle = ?1";
        let found = self.database.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let data = |row: &Row| {
                if row.get::<_, Option<i64>>(0)?.unwrap_or_default() > limit {
                    return Ok(Err(()));
                }
                let data = row.get_ref(1)?.as_bytes_or_null().ok().flatten();
                Ok(Ok(data.unwrap_or_default().to_vec()))
            };
            statement.query_row((handle, limit), data).optional()
        })?;
        Ok(found.map(|bytes| {
            bytes.map_err(|()| Unreadable::new(format!("it has more than {}", size(self.limit))))
        }))
    }

    /// The value under a handle: a pickle or JSON.
    pub fn value(&self, handle: &str) -> Lookup<Value> {
        let bytes = self.bytes(handle)?;
        Ok(bytes.map(|bytes| pickle::decode(&bytes?, &mut Budget::new(self.limit))))
    }

    /// Saves a value under a handle as a pickle (ops §5.2).
    pub fn save(&self, handle: &str, value: &Value) -> Result<(), Error> {
        self.save_bytes(handle, &pickle::write(value))
    }

    /// Saves bytes under a handle.
    pub fn save_bytes(&self, handle: &str, bytes: &[u8]) -> Result<(), Error> {
        let sql = "REPLACE INTO snapshot VALUES (?1, ?2)";
        self.database.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute((handle, bytes)).map(drop)
        })
    }

    /// Deletes the snapshot under a handle.
    pub fn delete(&self, handle: &str) -> Result<(), Error> {
        let sql = "DELETE FROM snapshot WHERE handle = ?1";
        self.database.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute([handle]).map(drop)
        })
    }

    /// The handles that have a snapshot, sorted.
    pub fn handles(&self) -> Result<Vec<String>, Error> {
        let sql = format!(
            "SELECT handle FROM snapshot WHERE typeof(handle) = 'text'
            AND octet_length(handle) <= {MAX_NAME} ORDER BY handle"
        );
        let mut handles = Vec::new();
        self.rows(&sql, |row| {
            let handle = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
            let length = handle.len();
            handles.push(handle);
            Ok(length)
        })?;
        Ok(handles)
    }

    /// The notices, by their sequence. Skips rows of other programs that are not
    /// notices.
    pub fn notices(&self) -> Result<Vec<Notice>, Error> {
        let sql = format!(
            "SELECT event_path, observer_path, method_name FROM notice
            WHERE typeof(event_path) = 'text' AND typeof(observer_path) = 'text'
            AND typeof(method_name) = 'text' AND octet_length(event_path) <= {MAX_NAME}
            AND octet_length(observer_path) <= {MAX_NAME}
            AND octet_length(method_name) <= {MAX_NAME} ORDER BY sequence"
        );
        let mut notices = Vec::new();
        self.rows(&sql, |row| {
            let text = |column| row.get_ref(column).map(|value| value.as_str().ok());
            let (Some(event), Some(observer), Some(method)) = (text(0)?, text(1)?, text(2)?) else {
                return Ok(0);
            };
            notices.push(Notice {
                event_path: event.to_owned(),
                observer_path: observer.to_owned(),
                method: method.to_owned(),
            });
            Ok(event.len() + observer.len() + method.len())
        })?;
        Ok(notices)
    }

    /// Calls a function with every row of a query. It returns how many bytes it
    /// has taken from the row; the sum must be within the limit.
    fn rows(
        &self,
        sql: &str,
        mut take: impl FnMut(&Row) -> rusqlite::Result<usize>,
    ) -> Result<(), Error> {
        let mut budget = Budget::new(self.limit);
        let within = self.database.run(|connection| {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let bytes = take(row)?;
                if budget.charge(bytes + size_of::<Notice>()).is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        match within {
            true => Ok(()),
            false => Err(Error::TooLarge {
                path: self.database.path().to_path_buf(),
                limit: self.limit,
            }),
        }
    }

    /// Adds a notice at the end of the queue.
    pub fn add_notice(&self, notice: &Notice) -> Result<(), Error> {
        let sql = "INSERT INTO notice (event_path, observer_path, method_name) VALUES (?1, ?2, ?3)";
        self.database.run(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let Notice {
                event_path,
                observer_path,
                method,
            } = notice;
            statement
                .execute((event_path, observer_path, method))
                .map(drop)
        })
    }

    /// Drops every notice that is equal to one of these. This takes one pass over
    /// the table, which has no index but its sequence.
    pub fn drop_notices<'a>(
        &self,
        notices: impl IntoIterator<Item = &'a Notice>,
    ) -> Result<(), Error> {
        let key = |notice: &'a Notice| {
            let Notice {
                event_path,
                observer_path,
                method,
            } = notice;
            (
                event_path.as_bytes(),
                observer_path.as_bytes(),
                method.as_bytes(),
            )
        };
        let dropped: HashSet<_> = notices.into_iter().map(key).collect();
        if dropped.is_empty() {
            return Ok(());
        }
        self.database.run(|connection| {
            let mut select = connection
                .prepare("SELECT sequence, event_path, observer_path, method_name FROM notice")?;
            let sequences = sequences(&mut select, &dropped)?;
            let mut delete = connection.prepare("DELETE FROM notice WHERE sequence = ?1")?;
            for sequence in sequences {
                delete.execute([sequence])?;
            }
            Ok(())
        })
    }

    /// Applies the changes of a dispatch.
    pub fn apply(&self, changes: &Changes) -> Result<(), Error> {
        for (handle, bytes) in changes.snapshots() {
            match bytes {
                Some(bytes) => self.save_bytes(handle, bytes)?,
                None => self.delete(handle)?,
            }
        }
        self.drop_notices(changes.dropped())?;
        changes
            .added()
            .try_for_each(|notice| self.add_notice(notice))
    }

    /// Makes all changes since the file was opened durable.
    pub fn commit(self) -> Result<(), Error> {
        self.database
            .run(|connection| connection.execute_batch("COMMIT"))
    }
}

/// The event path, the observer's path and the method of a notice.
type Key<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// The sequences of the rows that equal one of the notices.
fn sequences(select: &mut Statement, notices: &HashSet<Key>) -> rusqlite::Result<Vec<i64>> {
    let mut sequences = Vec::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).map(|value| value.as_bytes().ok());
        if let (Some(event), Some(observer), Some(method)) = (text(1)?, text(2)?, text(3)?)
            && notices.contains(&(event, observer, method))
        {
            sequences.push(row.get(0)?);
        }
    }
    Ok(sequences)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::os::unix::fs::PermissionsExt;

    use charmhost_error_chain::ErrorChain;
    use rusqlite::Connection;

    use super::*;
    use crate::DEFAULT_LIMIT;

    fn notice(event: &str, method: &str) -> Notice {
        Notice {
            event_path: event.to_owned(),
            observer_path: "Charm".to_owned(),
            method: method.to_owned(),
        }
    }

    #[test]
    fn only_committed_changes_are_durable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        store.save("a", &json!({"k": [1, null]})).unwrap();
        store.save_bytes("b", b"[1]").unwrap();
        store.add_notice(&notice("Charm/on/start[1]", "x")).unwrap();
        store.add_notice(&notice("Charm/on/stop[2]", "y")).unwrap();
        store.commit().unwrap();
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        store.delete("a").unwrap();
        store
            .drop_notices([&notice("Charm/on/start[1]", "x")])
            .unwrap();
        assert_eq!(store.notices().unwrap(), [notice("Charm/on/stop[2]", "y")]);
        // Not committed.
        drop(store);
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        assert_eq!(store.value("a").unwrap(), Some(Ok(json!({"k": [1, null]}))));
        assert_eq!(store.value("b").unwrap(), Some(Ok(json!([1]))));
        assert_eq!(store.value("c").unwrap(), None);
        assert_eq!(store.notices().unwrap().len(), 2);
    }

    #[test]
    fn foreign_rows_stay_and_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let connection = Connection::open(&path).unwrap();
        let foreign = "CREATE TABLE snapshot (handle TEXT PRIMARY KEY, data BLOB);
            INSERT INTO snapshot VALUES ('text', '[1]'), ('number', 7), ('null', NULL), (NULL, x'00');";
        connection.execute_batch(foreign).unwrap();
        connection.close().unwrap();
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        let sql =
            "INSERT INTO notice (event_path, observer_path) VALUES ('Charm/on/start[1]', 'Charm');
            INSERT INTO notice VALUES (NULL, CAST(x'ff' AS TEXT), 'Charm', 'x');
            INSERT INTO notice VALUES (NULL, CAST(zeroblob(70000) AS TEXT), 'Charm', 'x');";
        store.database.run(|c| c.execute_batch(sql)).unwrap();
        assert_eq!(store.handles().unwrap(), ["null", "number", "text"]);
        assert_eq!(store.value("text").unwrap(), Some(Ok(json!([1]))));
        assert!(store.value("number").unwrap().unwrap().is_err());
        assert!(store.value("null").unwrap().unwrap().is_err());
        assert_eq!(store.notices().unwrap(), []);
        store.commit().unwrap();
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_error_for_another_file_names_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        std::fs::write(&path, "not a database, but long enough to look at").unwrap();
        let error = StateFile::open(&path, DEFAULT_LIMIT)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(".unit-state.db: file is not a database"),
            "{error}"
        );
        let error = StateFile::open(Path::new("/nowhere/x"), DEFAULT_LIMIT).unwrap_err();
        assert_eq!(
            error.chain().to_string(),
            "cannot open /nowhere/x: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn values_beyond_the_limit_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        store.save_bytes("a", &[b' '; 2000]).unwrap();
        for number in 0..50 {
            let event = format!("Charm/on/start[{number}]");
            store.add_notice(&notice(&event, "x")).unwrap();
        }
        store.commit().unwrap();
        let store = StateFile::open(&path, 1999).unwrap();
        let error = store.bytes("a").unwrap().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "it has more than 1999 bytes");
        let error = store.notices().unwrap_err().to_string();
        assert!(error.contains("more than 1999 bytes of memory"), "{error}");
        drop(store);
        let store = StateFile::open(&path, 9000).unwrap();
        assert_eq!(store.bytes("a").unwrap().unwrap().unwrap().len(), 2000);
        assert_eq!(store.notices().unwrap().len(), 50);
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let journal = dir.path().join(format!("{}-journal", crate::FILE_NAME));
        type Make = fn(&Path);
        let link: Make = |at| std::os::unix::fs::symlink("elsewhere", at).unwrap();
        let directory: Make = |at| std::fs::create_dir(at).unwrap();
        let cases: [(Make, &Path, &str); 4] = [
            (link, &path, "a symbolic link"),
            (directory, &path, "a directory"),
            (link, &journal, "a symbolic link"),
            (directory, &journal, "a directory"),
        ];
        for (make, at, kind) in cases {
            make(at);
            let error = StateFile::open(&path, DEFAULT_LIMIT)
                .unwrap_err()
                .to_string();
            let expected = format!("cannot open {}: it is {kind}", at.display());
            assert!(error.starts_with(&expected), "{error}");
            let _ = std::fs::remove_file(at).or_else(|_| std::fs::remove_dir(at));
        }
        assert!(!dir.path().join("elsewhere").exists());
        assert!(StateFile::open(&path, DEFAULT_LIMIT).is_ok());
    }

    #[test]
    fn a_database_with_triggers_or_views_is_rejected() {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n";
        for (sql, what) in [
            (
                format!(
                    "CREATE VIEW notice AS SELECT 1 AS sequence, 'a' AS event_path, 'b' AS observer_path, 'c' AS method_name FROM ({endless})"
                ),
                "the view \"notice\"",
            ),
            (
                format!(
                    "CREATE TABLE snapshot (handle TEXT PRIMARY KEY, data BLOB); CREATE TRIGGER t AFTER INSERT ON snapshot BEGIN INSERT INTO snapshot {endless}; END"
                ),
                "the trigger \"t\"",
            ),
            (
                // As another SQLite makes it: ours has no modules for virtual tables.
                "PRAGMA writable_schema = ON;
                INSERT INTO sqlite_master VALUES ('table', 'Snapshot', 'Snapshot', 0,
                    'CREATE VIRTUAL TABLE Snapshot USING fts5(handle, data)')"
                    .to_owned(),
                "the virtual table \"Snapshot\"",
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(crate::FILE_NAME);
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch(&sql).unwrap();
            connection.close().unwrap();
            let error = StateFile::open(&path, DEFAULT_LIMIT)
                .unwrap_err()
                .to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_query_without_an_end_is_interrupted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(crate::FILE_NAME);
        let store = StateFile::open(&path, DEFAULT_LIMIT).unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n)
            SELECT count(*) FROM n";
        let result = store
            .database
            .run(|c| c.query_row(endless, [], |row| row.get::<_, i64>(0)));
        assert!(matches!(result, Err(Error::Slow(_))), "{result:?}");
    }
}
