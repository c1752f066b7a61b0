//! Workload containers.

use std::time::SystemTime;

use crate::bindings::pebble as wit;
use crate::error::ModelResult;
use crate::layer::LayerText;
use crate::{
    Command, Error, ErrorKind, FileInfo, FileOptions, FileReader, FileWriter, Result, files, time,
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

/// Whether a service or a check starts automatically.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Startup {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
    /// A word of a newer Pebble.
    Other(String),
}

/// What a service does now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceStatus {
    /// It runs.
    Active,
    /// It does not run.
    Inactive,
    /// It exited and is about to be started again.
    Backoff,
    /// It failed and is not started again.
    Error,
    /// A word of a newer Pebble.
    Other(String),
}

/// A service of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// Whether it starts automatically.
    pub startup: Startup,
    /// What it does now.
    pub current: ServiceStatus,
    /// When `current` last changed; `None` if it was never started.
    pub current_since: Option<SystemTime>,
}

impl ServiceInfo {
    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        self.current == ServiceStatus::Active
    }
}

/// Level of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckLevel {
    /// Whether the workload is alive.
    Alive,
    /// Whether the workload is ready to serve.
    Ready,
    /// A word of a newer Pebble.
    Other(String),
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckStatus {
    /// The workload is well, or the check has not run yet.
    Up,
    /// It failed as often in a row as its threshold.
    Down,
    /// The check was stopped.
    Inactive,
    /// A word of a newer Pebble.
    Other(String),
}

/// A check of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckInfo {
    /// Its name.
    pub name: String,
    /// Its level, if it has one.
    pub level: Option<CheckLevel>,
    /// Whether it starts automatically; `None` before Pebble v1.19.
    pub startup: Option<Startup>,
    /// What it has found.
    pub status: CheckStatus,
    /// Number of consecutive successes; `None` before Pebble v1.23.
    pub successes: Option<u32>,
    /// Number of consecutive failures.
    pub failures: u32,
    /// Number of consecutive failures at which it is down.
    pub threshold: u32,
    /// The change that runs it; `None` if it is inactive, or before Pebble v1.11.
    pub change_id: Option<String>,
}

impl CheckInfo {
    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.status == CheckStatus::Up
    }
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

    /// Adds a layer, a [`Layer`](crate::Layer) or YAML text, with a new label.
    /// Services do not change before [`Container::replan`].
    #[track_caller]
    pub fn add_layer(&self, label: &str, layer: impl Into<LayerText>) -> Result<()> {
        wit::add_layer(&self.name, label, &layer.into().0, false).model()
    }

    /// The same, but merges it into the layer with the label, if there is one.
    #[track_caller]
    pub fn combine_layer(&self, label: &str, layer: impl Into<LayerText>) -> Result<()> {
        wit::add_layer(&self.name, label, &layer.into().0, true).model()
    }

    /// Returns all layers combined, as YAML text.
    #[track_caller]
    pub fn plan(&self) -> Result<String> {
        wit::get_plan(&self.name).model()
    }

    /// Returns all services.
    #[track_caller]
    pub fn services(&self) -> Result<Vec<ServiceInfo>> {
        let services = wit::services(&self.name, &[]).model()?;
        Ok(services.into_iter().map(service).collect())
    }

    /// Returns the service with a name, if it exists.
    #[track_caller]
    pub fn service(&self, name: &str) -> Result<Option<ServiceInfo>> {
        let services = wit::services(&self.name, &[name.to_owned()]).model()?;
        Ok(services.into_iter().map(service).next())
    }

    /// Returns all checks.
    #[track_caller]
    pub fn checks(&self) -> Result<Vec<CheckInfo>> {
        let checks = wit::checks(&self.name, &[], None).model()?;
        Ok(checks.into_iter().map(check).collect())
    }

    /// Returns the check with a name, if it exists.
    #[track_caller]
    pub fn check(&self, name: &str) -> Result<Option<CheckInfo>> {
        let checks = wit::checks(&self.name, &[name.to_owned()], None).model()?;
        Ok(checks.into_iter().map(check).next())
    }

    /// Starts the services with `startup: enabled`, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn autostart(&self) -> Result<()> {
        wit::autostart(&self.name, None).model().map(drop)
    }

    /// Restarts services whose configuration changed, starts those with `startup:
    /// enabled`, and waits for that for up to 30 seconds.
    #[track_caller]
    pub fn replan(&self) -> Result<()> {
        wit::replan(&self.name, None).model().map(drop)
    }

    /// Starts services and their requirements, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn start<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        let started = wit::start_services(&self.name, &names(services), None);
        started.model().map(drop)
    }

    /// Stops services and those that require them, and waits for that for up to 30
    /// seconds.
    #[track_caller]
    pub fn stop<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        let stopped = wit::stop_services(&self.name, &names(services), None);
        stopped.model().map(drop)
    }

    /// Restarts services, starts those that are stopped, and waits for that for up
    /// to 30 seconds.
    #[track_caller]
    pub fn restart<N: Into<String>>(&self, services: impl IntoIterator<Item = N>) -> Result<()> {
        let restarted = wit::restart_services(&self.name, &names(services), None);
        restarted.model().map(drop)
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

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

fn service(service: wit::ServiceInfo) -> ServiceInfo {
    ServiceInfo {
        name: service.name,
        startup: match service.startup {
            wit::ServiceStartup::Enabled => Startup::Enabled,
            wit::ServiceStartup::Disabled => Startup::Disabled,
            wit::ServiceStartup::Other(word) => Startup::Other(word),
        },
        current: match service.current {
            wit::ServiceStatus::Active => ServiceStatus::Active,
            wit::ServiceStatus::Inactive => ServiceStatus::Inactive,
            wit::ServiceStatus::Backoff => ServiceStatus::Backoff,
            wit::ServiceStatus::Error => ServiceStatus::Error,
            wit::ServiceStatus::Other(word) => ServiceStatus::Other(word),
        },
        current_since: service.current_since.map(time::from_seconds),
    }
}

fn check(check: wit::CheckInfo) -> CheckInfo {
    CheckInfo {
        name: check.name,
        level: check.level.map(|level| match level {
            wit::CheckLevel::Alive => CheckLevel::Alive,
            wit::CheckLevel::Ready => CheckLevel::Ready,
            wit::CheckLevel::Other(word) => CheckLevel::Other(word),
        }),
        startup: check.startup.map(|startup| match startup {
            wit::CheckStartup::Enabled => Startup::Enabled,
            wit::CheckStartup::Disabled => Startup::Disabled,
            wit::CheckStartup::Other(word) => Startup::Other(word),
        }),
        status: match check.status {
            wit::CheckStatus::Up => CheckStatus::Up,
            wit::CheckStatus::Down => CheckStatus::Down,
            wit::CheckStatus::Inactive => CheckStatus::Inactive,
            wit::CheckStatus::Other(word) => CheckStatus::Other(word),
        },
        successes: check.successes,
        failures: check.failures,
        threshold: check.threshold,
        change_id: check.change_id,
    }
}
