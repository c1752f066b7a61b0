//! Local state in SQLite, in the file and the tables of ops (ops §5.3).

mod database;
mod prepared;
mod state_file;

use std::path::{Path, PathBuf};

use charmhost_juju::Model;

use crate::lock::StateLock;
use crate::two_phase::{self, Decision, UNDECIDABLE};
use crate::{Backend, Changes, Error, FILE_NAME, Lookup, Notice, OpenOptions, WriteMode};
use database::exists;
pub use state_file::StateFile;

/// Local state in the charm's directory. A dispatch that changes nothing does
/// not create the file.
pub struct SqliteBackend {
    charm_dir: PathBuf,
    options: OpenOptions,
    /// None before [`Backend::open`], and while there is no file.
    file: Option<StateFile>,
    /// Whether prepared changes were committed or rolled back in the transaction
    /// of `file`. That becomes durable with the changes of this dispatch: one
    /// that fails leaves the decision to the next.
    decided: bool,
    lock: Option<StateLock>,
}

impl SqliteBackend {
    /// The state in a charm's directory, not opened yet.
    pub fn new(charm_dir: &Path) -> Self {
        SqliteBackend {
            charm_dir: charm_dir.to_path_buf(),
            options: OpenOptions::default(),
            file: None,
            decided: false,
            lock: None,
        }
    }

    fn path(&self) -> PathBuf {
        self.charm_dir.join(FILE_NAME)
    }
}

impl Backend for SqliteBackend {
    fn open(&mut self, options: OpenOptions, model: &mut Model) -> Result<(), Error> {
        self.options = options;
        self.lock = Some(StateLock::acquire(&self.charm_dir)?);
        let path = self.path();
        if !exists(&path)? {
            return Ok(());
        }
        let file = StateFile::open(&path, options.limit)?;
        if let Some(number) = file.prepared()? {
            if options.restricted {
                return Err(Error::Unavailable(UNDECIDABLE));
            }
            match two_phase::decide(number, model)? {
                Decision::Commit => file.commit_prepared()?,
                Decision::Rollback => file.rollback_prepared()?,
            }
            self.decided = true;
        }
        self.file = Some(file);
        Ok(())
    }

    fn exists(&self) -> bool {
        self.file.is_some()
    }

    fn bytes(&self, handle: &str) -> Lookup<Vec<u8>> {
        match &self.file {
            Some(file) => file.bytes(handle),
            None => Ok(None),
        }
    }

    fn handles(&self) -> Result<Vec<String>, Error> {
        match &self.file {
            Some(file) => file.handles(),
            None => Ok(Vec::new()),
        }
    }

    fn notices(&self) -> Result<Vec<Notice>, Error> {
        match &self.file {
            Some(file) => file.notices(),
            None => Ok(Vec::new()),
        }
    }

    fn commit(&mut self, changes: &Changes, model: &mut Model) -> Result<(), Error> {
        if changes.is_empty() && !self.decided {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => StateFile::open(&self.path(), self.options.limit)?,
        };
        if !changes.is_empty() {
            match self.options.write_mode() {
                WriteMode::Immediate => file.apply(changes)?,
                WriteMode::Atomic => file.prepare(two_phase::announce(model)?, changes)?,
            }
        }
        file.commit()
    }
}
