//! Workload containers.

use std::panic::Location;

use crate::bindings::pebble as wit;
use crate::bindings::pebble_errors::PebbleError;
use crate::error::ModelResult;
use crate::{
    Command, Error, ErrorKind, FileInfo, FileOptions, FileReader, FileWriter, Result, files,
};

/// A workload container of this unit, by its name in the charm's metadata.
///
/// If its Pebble is not running, every call fails with
/// [`ErrorKind::NotReady`](crate::ErrorKind::NotReady): do the work in the handler
/// of `pebble_ready`, or check [`Container::can_connect`] first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    name: String,
}

/// System information of a container's Pebble.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemInfo {
    /// Version, for example `v1.32.1`.
    pub version: String,
    /// Changes with every start of the container.
    pub boot_id: String,
}

impl Container {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Container { name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether Pebble answers now. It may be gone at the next call.
    #[track_caller]
    pub fn can_connect(&self) -> Result<bool> {
        wit::can_connect(&self.name).model()
    }

    /// Returns system information of Pebble.
    #[track_caller]
    pub fn system_info(&self) -> Result<SystemInfo> {
        let info = wit::get_system_info(&self.name).model()?;
        Ok(SystemInfo {
            version: info.version,
            boot_id: info.boot_id,
        })
    }

    /// Returns metrics of services and checks in the text format of Prometheus.
    #[track_caller]
    pub fn metrics(&self) -> Result<String> {
        wit::metrics(&self.name).model()
    }

    /// Reads a whole file.
    #[track_caller]
    pub fn pull(&self, path: &str) -> Result<Vec<u8>> {
        self.open(path)?.read_all()
    }

    /// Reads a whole file, which must be UTF-8 text.
    #[track_caller]
    pub fn pull_text(&self, path: &str) -> Result<String> {
        let bytes = self.pull(path)?;
        String::from_utf8(bytes).map_err(|error| {
            let message = format!("cannot read {path} of {} as text: {error}", self.name);
            Error::new(ErrorKind::InvalidValue, message)
        })
    }

    /// Reads several files whole, in one request. A file that cannot be read does not
    /// fail the others.
    #[track_caller]
    pub fn pull_many<P: Into<String>>(
        &self,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Vec<(String, Result<Vec<u8>>)>> {
        let location = Location::caller();
        let files = wit::pull_many(&self.name, &names(paths))
            .model()?
            .into_iter();
        let content = |file: wit::PulledFile| {
            let content = file.content.map_err(PebbleError::Path).model();
            (file.path, content.map_err(|error| error.at(location)))
        };
        Ok(files.map(content).collect())
    }

    /// Opens a file for reading in chunks.
    #[track_caller]
    pub fn open(&self, path: &str) -> Result<FileReader> {
        wit::pull(&self.name, path).model().map(FileReader::new)
    }

    /// Writes a file and creates its parent directories.
    #[track_caller]
    pub fn push(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        self.push_with(path, content, &FileOptions::new().parents())
    }

    /// Writes a file with a mode or an owner.
    #[track_caller]
    pub fn push_with(
        &self,
        path: &str,
        content: impl AsRef<[u8]>,
        options: &FileOptions,
    ) -> Result<()> {
        let writer = self.create(path, options)?;
        writer.add(content.as_ref())?;
        writer.close()
    }

    /// Opens a file for writing in chunks. The file is replaced only by
    /// [`FileWriter::close`].
    #[track_caller]
    pub fn create(&self, path: &str, options: &FileOptions) -> Result<FileWriter> {
        let writer = wit::push(&self.name, path, &files::to_wit(options)).model()?;
        Ok(FileWriter::new(writer))
    }

    /// Whether the path exists.
    #[track_caller]
    pub fn exists(&self, path: &str) -> Result<bool> {
        match wit::stat(&self.name, path).model() {
            Ok(_) => Ok(true),
            Err(error) if error.is_no_file() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns what a path is; a symbolic link is followed.
    #[track_caller]
    pub fn stat(&self, path: &str) -> Result<FileInfo> {
        wit::stat(&self.name, path).model().map(files::from_wit)
    }

    /// Returns the entries of a directory, sorted by name.
    #[track_caller]
    pub fn list_files(&self, path: &str) -> Result<Vec<FileInfo>> {
        let found = wit::list_files(&self.name, path, None).model()?;
        Ok(found.into_iter().map(files::from_wit).collect())
    }

    /// Returns the entries of a directory whose names match a shell pattern, for
    /// example `*.log`.
    #[track_caller]
    pub fn list_matching(&self, path: &str, pattern: &str) -> Result<Vec<FileInfo>> {
        let found = wit::list_files(&self.name, path, Some(pattern)).model()?;
        Ok(found.into_iter().map(files::from_wit).collect())
    }

    /// Creates a directory and its parents. It may exist already.
    #[track_caller]
    pub fn make_dir(&self, path: &str) -> Result<()> {
        self.make_dir_with(path, &FileOptions::new().parents())
    }

    /// Creates a directory with a mode or an owner.
    #[track_caller]
    pub fn make_dir_with(&self, path: &str, options: &FileOptions) -> Result<()> {
        wit::make_dir(&self.name, path, &files::to_wit(options)).model()
    }

    /// Removes a file or an empty directory.
    #[track_caller]
    pub fn remove(&self, path: &str) -> Result<()> {
        wit::remove_path(&self.name, path, false).model()
    }

    /// Removes a file, or a directory with its content. It need not exist.
    #[track_caller]
    pub fn remove_all(&self, path: &str) -> Result<()> {
        wit::remove_path(&self.name, path, true).model()
    }

    /// Prepares a command: a program and its arguments.
    ///
    /// ```
    /// # use charmhost::prelude::*;
    /// # fn handler() -> Result<()> {
    /// let version = unit().container("web").exec(["nginx", "-v"]).run()?.success()?;
    /// log::info!("{}", version.stdout_text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn exec<W: Into<String>>(&self, command: impl IntoIterator<Item = W>) -> Command {
        Command::new(self.name.clone(), names(command))
    }
}

pub(crate) fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}
