//! Opening the state file, whose contents and path are not trusted.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use rustix::time::{ClockId, clock_gettime};

use crate::Error;
use crate::limits::{LOCK_TIMEOUT, QUERY_TIME};

/// Instructions of SQLite between two readings of the clock, about a millisecond.
const CHECK_EVERY: i32 = 20_000;
/// The most bytes that a row has beside its largest value.
const ROW_BYTES: usize = 1 << 20;

/// The tables of ops (ops §5.3).
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS snapshot (handle TEXT PRIMARY KEY, data BLOB);
    CREATE TABLE IF NOT EXISTS notice (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        event_path TEXT,
        observer_path TEXT,
        method_name TEXT
    );
";

/// Finds triggers, and anything but a table under the name of a table: they
/// would run SQL from the file, or read other tables.
const FOREIGN: &str = "
    SELECT CASE WHEN type = 'table' THEN 'virtual table' ELSE type END, name
    FROM sqlite_master
    WHERE type = 'trigger'
    OR (lower(name) IN ('snapshot', 'notice', 'charmhost_pending')
        AND (type <> 'table' OR rootpage = 0))
    LIMIT 1
";

/// Suffixes of the files that SQLite creates beside a database.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Whether there is a state file. Returns an error for anything but a regular
/// file. A symbolic link is rejected although ops follows it: the lock is on this
/// directory, and SQLite puts its journal beside the file that a link points to,
/// where neither the lock nor the sandbox protects it.
pub fn exists(path: &Path) -> Result<bool, Error> {
    for suffix in COMPANIONS {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        is_file(Path::new(&name))?;
    }
    is_file(path)
}

fn is_file(path: &Path) -> Result<bool, Error> {
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            let path = path.to_path_buf();
            return Err(Error::Open { path, source });
        }
    };
    let kind = match () {
        () if kind.is_file() => return Ok(true),
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let path = path.to_path_buf();
    Err(Error::NotAFile { path, kind })
}

/// A connection to the file, in one transaction that holds its exclusive lock
/// (ops §2.8 has what goes wrong without).
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    /// When the current query was first checked: processor time of this thread
    /// in nanoseconds, 0 for not yet.
    started: Arc<AtomicU64>,
}

impl Database {
    /// Opens the file, or creates it with mode 0600. `limit` is the most bytes
    /// that one value may have.
    pub fn open(path: &Path, limit: usize) -> Result<Self, Error> {
        create_or_restrict(path)?;
        let started = Arc::new(AtomicU64::new(0));
        let connection = connect(path, limit, &started).map_err(|reason| Error::Database {
            path: path.to_path_buf(),
            reason,
        })?;
        let database = Database {
            path: path.to_path_buf(),
            connection,
            started,
        };
        database.run(|connection| connection.execute_batch("BEGIN EXCLUSIVE"))?;
        let foreign = database.run(|connection| {
            let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
            connection.query_row(FOREIGN, [], row).optional()
        })?;
        if let Some((kind, name)) = foreign {
            let path = database.path;
            return Err(Error::Foreign { path, kind, name });
        }
        database.run(|connection| connection.execute_batch(SCHEMA))?;
        Ok(database)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a query, for at most [`QUERY_TIME`] of processor time.
    pub fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.started.store(0, Ordering::Relaxed);
        query(&self.connection).map_err(|reason| {
            let path = self.path.clone();
            match reason.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked(path),
                Some(ErrorCode::OperationInterrupted) => Error::Slow(path),
                _ => Error::Database { path, reason },
            }
        })
    }
}

/// Creates the file with mode 0600, or gives an existing one that mode (ops §5.3).
fn create_or_restrict(path: &Path) -> Result<(), Error> {
    let open = |source| Error::Open {
        path: path.to_path_buf(),
        source,
    };
    if !exists(path)? {
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        return created.map(drop).map_err(open);
    }
    let permissions = std::fs::symlink_metadata(path).map_err(open)?.permissions();
    match permissions.mode() & 0o7777 {
        0o600 => Ok(()),
        _ => std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(open),
    }
}

fn connect(path: &Path, limit: usize, started: &Arc<AtomicU64>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    let length = limit.saturating_add(ROW_BYTES);
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, length)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY")?;
    let started = started.clone();
    let is_over = move || {
        let now = thread_cpu_time();
        match started.load(Ordering::Relaxed) {
            0 => started.store(now.max(1), Ordering::Relaxed),
            start => return u128::from(now.saturating_sub(start)) > QUERY_TIME.as_nanos(),
        }
        false
    };
    connection.progress_handler(CHECK_EVERY, Some(is_over))?;
    Ok(connection)
}

fn thread_cpu_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let [seconds, nanoseconds] = [now.tv_sec, now.tv_nsec].map(u64::try_from);
    seconds.unwrap_or_default() * 1_000_000_000 + nanoseconds.unwrap_or_default()
}
