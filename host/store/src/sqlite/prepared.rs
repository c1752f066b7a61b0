//! Prepared changes in the state file: the SQL of the two-phase commit.

use rusqlite::OptionalExtension;

use super::StateFile;
use crate::{Changes, Error};

/// The table of prepared changes: `change` is `save`, `forget`, `add` or `drop`;
/// `path` is a handle or the path of an event. ops ignores the table.
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
    DELETE FROM charmhost_pending;
";

const COMMIT_PREPARED: &str = "
    REPLACE INTO snapshot
        SELECT path, data FROM charmhost_pending WHERE change = 'save';
    DELETE FROM snapshot WHERE handle IN
        (SELECT path FROM charmhost_pending WHERE change = 'forget');
    DELETE FROM notice WHERE (event_path, observer_path, method_name) IN
        (SELECT path, observer_path, method_name FROM charmhost_pending WHERE change = 'drop');
    INSERT INTO notice (event_path, observer_path, method_name)
        SELECT path, observer_path, method_name FROM charmhost_pending
        WHERE change = 'add' ORDER BY sequence;
    DELETE FROM charmhost_pending;
";

impl StateFile {
    /// Prepares changes under a number: writes them beside the state, in place of
    /// any that were prepared before.
    pub fn prepare(&self, number: i64, changes: &Changes) -> Result<(), Error> {
        let sql = "INSERT INTO charmhost_pending
            (number, change, path, observer_path, method_name, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.database.run(|connection| {
            connection.execute_batch(PENDING)?;
            let mut insert = connection.prepare(sql)?;
            let none: Option<&str> = None;
            for (handle, bytes) in changes.snapshots() {
                let change = if bytes.is_some() { "save" } else { "forget" };
                insert.execute((number, change, handle, none, none, bytes))?;
            }
            let dropped = changes.dropped().iter().map(|notice| ("drop", notice));
            let added = changes.added().map(|notice| ("add", notice));
            for (change, notice) in dropped.chain(added) {
                let (observer, method) = (&notice.observer_path, &notice.method);
                let path = &notice.event_path;
                insert.execute((number, change, path, observer, method, none))?;
            }
            Ok(())
        })
    }

    /// The number of the prepared changes; none if there are none.
    pub fn prepared(&self) -> Result<Option<i64>, Error> {
        self.database.run(|connection| {
            let sql = "SELECT count(*) FROM sqlite_master WHERE name = 'charmhost_pending'";
            let tables: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            if tables == 0 {
                return Ok(None);
            }
            let sql = "SELECT number FROM charmhost_pending LIMIT 1";
            connection.query_row(sql, [], |row| row.get(0)).optional()
        })
    }

    /// Applies the prepared changes to the state.
    pub fn commit_prepared(&self) -> Result<(), Error> {
        self.database
            .run(|connection| connection.execute_batch(COMMIT_PREPARED))
    }

    /// Discards the prepared changes.
    pub fn rollback_prepared(&self) -> Result<(), Error> {
        self.database
            .run(|connection| connection.execute_batch("DELETE FROM charmhost_pending"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Changes, DEFAULT_LIMIT, Notice, StateFile, pickle};

    #[test]
    fn prepared_changes_are_committed_or_rolled_back_later() {
        for commit in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let open =
                || StateFile::open(&dir.path().join(crate::FILE_NAME), DEFAULT_LIMIT).unwrap();
            let [old, new, other] = ["old", "new", "other"].map(Notice::of_start);
            let store = open();
            store.save("a", &json!(1)).unwrap();
            store.save("b", &json!(1)).unwrap();
            store.add_notice(&old).unwrap();
            store.add_notice(&other).unwrap();
            let mut changes = Changes::default();
            changes.save("a".to_owned(), pickle::write(&json!(2)));
            changes.delete("b".to_owned());
            changes.drop_notice(old.clone());
            changes.add_notice(new.clone());
            assert_eq!(store.prepared().unwrap(), None);
            let mut replaced = Changes::default();
            replaced.save("c".to_owned(), vec![1]);
            store.prepare(7, &replaced).unwrap();
            store.prepare(8, &changes).unwrap();
            store.commit().unwrap();

            // Twice: a decision without a commit decides nothing.
            for is_last in [false, true] {
                let store = open();
                assert_eq!(store.prepared().unwrap(), Some(8));
                assert_eq!(store.value("a").unwrap(), Some(Ok(json!(1))));
                match commit {
                    true => store.commit_prepared().unwrap(),
                    false => store.rollback_prepared().unwrap(),
                }
                assert_eq!(store.prepared().unwrap(), None);
                let (a, b) = (store.value("a").unwrap(), store.value("b").unwrap());
                let expected = match commit {
                    true => (Some(Ok(json!(2))), None),
                    false => (Some(Ok(json!(1))), Some(Ok(json!(1)))),
                };
                assert_eq!((a, b), expected);
                assert_eq!(store.value("c").unwrap(), None);
                let left = match commit {
                    true => [&other, &new].map(Clone::clone),
                    false => [&old, &other].map(Clone::clone),
                };
                assert_eq!(store.notices().unwrap(), left);
                if is_last {
                    store.commit().unwrap();
                }
            }
        }
    }
}
