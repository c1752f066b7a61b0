//! `charmhost:pebble/pebble`: containers and their Pebble (ops §18).

use std::time::Duration;

use charmhost_pebble::{
    self as pebble, Client, Collected, Error as PebbleError, Exec, Process, Pull, Push,
};
use charmhost_sandbox::Reservation;
use wasmtime::component::{Resource, ResourceTableError};

use super::{Error, full};
use crate::bindings::errors::{ChangeFailure, PathFailure, PathProblem};
use crate::bindings::pebble::{self as wit, Host, HostFileReader, HostFileWriter, HostProcess};
use crate::containers::{ProcessHandle, PullHandle, PushHandle};
use crate::state::State;

/// Size of the chunks that a guest reads, in bytes.
const CHUNK: u32 = 1024 * 1024;

impl State {
    fn container(&mut self, name: &str) -> Result<Client, Error> {
        self.charm.containers.get(name).map_err(Error::NotFound)
    }

    fn writer(
        &mut self,
        writer: &Resource<PushHandle>,
    ) -> Result<&mut Option<(Push, Reservation)>, Error> {
        Ok(&mut self.table.get_mut(writer).map_err(table_error)?.0)
    }

    fn process(&mut self, process: &Resource<ProcessHandle>) -> Result<&mut Process, Error> {
        let process = self.table.get_mut(process).map_err(table_error)?;
        let (process, _) = process.0.as_mut().ok_or_else(waited_for)?;
        Ok(process)
    }

    /// Takes a process out of its handle, which cannot be used afterwards.
    fn take_process(
        &mut self,
        process: &Resource<ProcessHandle>,
    ) -> Result<(Process, Reservation), Error> {
        let process = self.table.get_mut(process).map_err(table_error)?;
        process.0.take().ok_or_else(waited_for)
    }
}

fn table_error(error: ResourceTableError) -> Error {
    Error::Other(format!("cannot use the handle: {error}"))
}

fn waited_for() -> Error {
    Error::InvalidInput("the command was waited for already".to_owned())
}

fn error(error: PebbleError) -> Error {
    let text = error.to_string();
    match error {
        PebbleError::NotReady { .. } => Error::NotReady(format!(
            "{text}; do this when pebble-ready is handled, or ask can-connect first"
        )),
        PebbleError::Api { status: 404, .. } => Error::NotFound(text),
        PebbleError::Api { status: 400, .. } | PebbleError::Invalid(_) => Error::InvalidInput(text),
        PebbleError::Api {
            status: 401 | 403, ..
        } => Error::PermissionDenied(text),
        PebbleError::Path { problem, message } => Error::Path(PathFailure {
            problem: match problem {
                pebble::PathProblem::NotFound => PathProblem::NotFound,
                pebble::PathProblem::PermissionDenied => PathProblem::PermissionDenied,
                pebble::PathProblem::Generic => PathProblem::Generic,
            },
            message,
        }),
        PebbleError::Change(change) => Error::Change(ChangeFailure {
            id: change.id,
            kind: change.kind,
            summary: change.summary,
            message: text,
        }),
        PebbleError::Timeout { .. } | PebbleError::Silent { .. } => Error::Timeout(text),
        _ => Error::Other(text),
    }
}

/// The size of the next chunk. Rejects 0, as an empty chunk means the end.
fn chunk_size(max: u32) -> Result<usize, Error> {
    match max {
        0 => Err(Error::InvalidInput("cannot read 0 bytes".to_owned())),
        max => Ok(max.min(CHUNK) as usize),
    }
}

impl Host for State {
    async fn can_connect(&mut self, container: String) -> Result<bool, Error> {
        match self.container(&container)?.system_info().await {
            Ok(_) => Ok(true),
            Err(PebbleError::NotReady { .. } | PebbleError::Api { .. }) => Ok(false),
            Err(other) => Err(error(other)),
        }
    }

    async fn system_info(&mut self, container: String) -> Result<wit::PebbleInfo, Error> {
        let info = self.container(&container)?.system_info().await;
        let info = info.map_err(error)?;
        Ok(wit::PebbleInfo {
            version: info.version,
            boot_id: info.boot_id,
        })
    }

    async fn add_layer(
        &mut self,
        container: String,
        label: String,
        layer: String,
        combine: bool,
    ) -> Result<(), Error> {
        let client = self.container(&container)?;
        client
            .add_layer(&label, &layer, combine)
            .await
            .map_err(error)
    }

    async fn plan(&mut self, container: String) -> Result<String, Error> {
        self.container(&container)?.plan().await.map_err(error)
    }

    async fn services(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<Vec<wit::ServiceInfo>, Error> {
        let services = self.container(&container)?.services(&names).await;
        let info = |service: pebble::ServiceInfo| wit::ServiceInfo {
            name: service.name,
            startup: service.startup,
            current: service.current,
        };
        Ok(services.map_err(error)?.into_iter().map(info).collect())
    }

    async fn checks(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<Vec<wit::CheckStatus>, Error> {
        let checks = self.container(&container)?.checks(&names).await;
        let status = |check: pebble::CheckInfo| wit::CheckStatus {
            name: check.name,
            level: check.level,
            status: check.status,
            failures: check.failures,
            threshold: check.threshold,
        };
        Ok(checks.map_err(error)?.into_iter().map(status).collect())
    }

    async fn autostart(&mut self, container: String) -> Result<(), Error> {
        self.container(&container)?.autostart().await.map_err(error)
    }

    async fn replan(&mut self, container: String) -> Result<(), Error> {
        self.container(&container)?.replan().await.map_err(error)
    }

    async fn start_services(&mut self, container: String, names: Vec<String>) -> Result<(), Error> {
        let client = self.container(&container)?;
        client.start(&names).await.map_err(error)
    }

    async fn stop_services(&mut self, container: String, names: Vec<String>) -> Result<(), Error> {
        let client = self.container(&container)?;
        client.stop(&names).await.map_err(error)
    }

    async fn restart_services(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<(), Error> {
        let client = self.container(&container)?;
        client.restart(&names).await.map_err(error)
    }

    async fn pull(
        &mut self,
        container: String,
        path: String,
    ) -> Result<Resource<PullHandle>, Error> {
        let client = self.container(&container)?;
        let _reserved = self.memory.reserve(Pull::CAPACITY).map_err(full)?;
        let pull = client.pull(&path).await.map_err(error)?;
        let handle = PullHandle { pull, _reserved };
        self.table.push(handle).map_err(table_error)
    }

    async fn push(
        &mut self,
        container: String,
        path: String,
        options: wit::FileOptions,
    ) -> Result<Resource<PushHandle>, Error> {
        let client = self.container(&container)?;
        let reserved = self.memory.reserve(Push::CAPACITY).map_err(full)?;
        let push = client.push(&path, &file_options(options)).await;
        let push = push.map_err(error)?;
        let handle = PushHandle(Some((push, reserved)));
        self.table.push(handle).map_err(table_error)
    }

    async fn list_files(
        &mut self,
        container: String,
        path: String,
        pattern: Option<String>,
        itself: bool,
    ) -> Result<Vec<wit::FileInfo>, Error> {
        let client = self.container(&container)?;
        let found = client.list_files(&path, pattern.as_deref(), itself).await;
        Ok(found.map_err(error)?.into_iter().map(file_info).collect())
    }

    async fn make_dir(
        &mut self,
        container: String,
        path: String,
        options: wit::FileOptions,
    ) -> Result<(), Error> {
        let client = self.container(&container)?;
        let made = client.make_dir(&path, &file_options(options)).await;
        made.map_err(error)
    }

    async fn remove_path(
        &mut self,
        container: String,
        path: String,
        recursive: bool,
    ) -> Result<(), Error> {
        let client = self.container(&container)?;
        client.remove_path(&path, recursive).await.map_err(error)
    }

    async fn exec(
        &mut self,
        container: String,
        command: Vec<String>,
        options: wit::CommandOptions,
    ) -> Result<Resource<ProcessHandle>, Error> {
        let client = self.container(&container)?;
        let exec = command_of(command, options)?;
        let input = exec.input.as_ref().map_or(0, |input| input.len());
        let reserved = self.memory.reserve(Process::CAPACITY + input);
        let reserved = reserved.map_err(full)?;
        let process = client.exec(&exec).await.map_err(error)?;
        let handle = ProcessHandle(Some((process, reserved)));
        self.table.push(handle).map_err(table_error)
    }
}

impl HostFileReader for State {
    async fn read(&mut self, reader: Resource<PullHandle>, max: u32) -> Result<Vec<u8>, Error> {
        let max = chunk_size(max)?;
        let reader = self.table.get_mut(&reader).map_err(table_error)?;
        reader.pull.read(max).await.map(Vec::from).map_err(error)
    }

    async fn drop(&mut self, reader: Resource<PullHandle>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl HostFileWriter for State {
    async fn write(&mut self, writer: Resource<PushHandle>, chunk: Vec<u8>) -> Result<(), Error> {
        match self.writer(&writer)? {
            Some((push, _)) => push.write(chunk).await.map_err(error),
            None => Err(Error::InvalidInput(
                "the file was closed already".to_owned(),
            )),
        }
    }

    async fn close(&mut self, writer: Resource<PushHandle>) -> Result<(), Error> {
        match self.writer(&writer)?.take() {
            Some((push, _reserved)) => push.finish().await.map_err(error),
            None => Err(Error::InvalidInput(
                "the file was closed already".to_owned(),
            )),
        }
    }

    async fn drop(&mut self, writer: Resource<PushHandle>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

impl HostProcess for State {
    async fn write_input(
        &mut self,
        process: Resource<ProcessHandle>,
        chunk: Vec<u8>,
    ) -> Result<(), Error> {
        let written = self.process(&process)?.write_input(chunk).await;
        written.map_err(error)
    }

    async fn close_input(&mut self, process: Resource<ProcessHandle>) -> Result<(), Error> {
        self.process(&process)?.close_input();
        Ok(())
    }

    async fn read_output(
        &mut self,
        process: Resource<ProcessHandle>,
        max: u32,
    ) -> Result<Vec<u8>, Error> {
        let max = chunk_size(max)?;
        let read = self.process(&process)?.read_output(max).await;
        read.map(Vec::from).map_err(error)
    }

    async fn read_error_output(
        &mut self,
        process: Resource<ProcessHandle>,
        max: u32,
    ) -> Result<Vec<u8>, Error> {
        let max = chunk_size(max)?;
        let read = self.process(&process)?.read_error_output(max).await;
        read.map(Vec::from).map_err(error)
    }

    async fn send_signal(
        &mut self,
        process: Resource<ProcessHandle>,
        signal: String,
    ) -> Result<(), Error> {
        let sent = self.process(&process)?.send_signal(&signal).await;
        sent.map_err(error)
    }

    async fn collect(
        &mut self,
        process: Resource<ProcessHandle>,
        max: u32,
    ) -> Result<wit::CommandOutput, Error> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let max = max.min(self.limiter.limits().host_buffer());
        let (process, _reserved) = self.take_process(&process)?;
        let Collected {
            code,
            stdout,
            stderr,
            truncated,
        } = process.collect(max).await.map_err(error)?;
        Ok(wit::CommandOutput {
            code,
            output: stdout,
            error_output: stderr,
            truncated,
        })
    }

    async fn wait(&mut self, process: Resource<ProcessHandle>) -> Result<i32, Error> {
        let (process, _reserved) = self.take_process(&process)?;
        process.wait().await.map_err(error)
    }

    async fn drop(&mut self, process: Resource<ProcessHandle>) -> wasmtime::Result<()> {
        self.table.delete(process)?;
        Ok(())
    }
}

fn file_options(options: wit::FileOptions) -> pebble::FileOptions {
    pebble::FileOptions {
        permissions: options.permissions,
        user_id: options.user_id,
        user: options.user,
        group_id: options.group_id,
        group: options.group,
        make_parents: options.make_parents,
    }
}

fn file_info(info: pebble::FileInfo) -> wit::FileInfo {
    let kind = match info.kind {
        pebble::FileKind::File => wit::FileKind::Regular,
        pebble::FileKind::Directory => wit::FileKind::Directory,
        pebble::FileKind::Symlink => wit::FileKind::Symlink,
        pebble::FileKind::Socket => wit::FileKind::Socket,
        pebble::FileKind::NamedPipe => wit::FileKind::NamedPipe,
        pebble::FileKind::Device => wit::FileKind::Device,
        pebble::FileKind::Unknown => wit::FileKind::Unknown,
    };
    wit::FileInfo {
        path: info.path,
        name: info.name,
        kind,
        size: info.size.map(|size| size as f64),
        permissions: u32::from_str_radix(&info.permissions, 8).unwrap_or_default(),
        last_modified: info.last_modified,
        user_id: info.user_id,
        user: info.user,
        group_id: info.group_id,
        group: info.group,
    }
}

fn command_of(command: Vec<String>, options: wit::CommandOptions) -> Result<Exec, Error> {
    let duration = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::InvalidInput(format!("cannot run a command for {seconds} seconds")))
    };
    Ok(Exec {
        command,
        service_context: options.service_context,
        environment: options
            .variables
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect(),
        working_dir: options.working_dir,
        timeout: options.timeout.map(duration).transpose()?,
        user_id: options.user_id,
        user: options.user,
        group_id: options.group_id,
        group: options.group,
        combine_stderr: options.combine_output,
        input: options.input.map(Into::into),
    })
}
