//! Resources of `charmhost:pebble/pebble`: files, commands, logs and notices that a
//! guest reads and writes bit by bit.

use std::sync::Arc;

use charmhost_pebble::{self as pebble, Budget, Error, Readiness};
use wasmtime::component::Resource;

use super::bindings::pebble::{
    self as wit, HostFileReader, HostFileWriter, HostLogReader, HostNoticeReader, HostProcess,
};
use super::bindings::pebble_errors::PebbleError;
use super::pebble_errors::{error, full, table_error};
use super::pebble_values::{notice_info, terminal_size};
use crate::state::State;
use crate::streams::{
    Command, FileReader, FileWriter, Held, LogReader, NoticeReader, OutputBudget,
};

/// The most bytes that one call reads.
const CHUNK: u32 = 1024 * 1024;

/// The size of the next chunk. Rejects 0, as an empty chunk means the end.
fn chunk_size(max: u32) -> Result<usize, PebbleError> {
    match max {
        0 => Err(PebbleError::InvalidInput("cannot read 0 of it".to_owned())),
        max => Ok(max.min(CHUNK) as usize),
    }
}

impl State {
    /// Opens a stream, with the memory reserved that it buffers.
    pub(super) async fn open<T: Send + 'static>(
        &mut self,
        capacity: usize,
        opening: impl Future<Output = Result<T, Error>>,
    ) -> Result<Resource<Held<T>>, PebbleError> {
        let _reserved = self.memory.reserve(capacity).map_err(full)?;
        let stream = opening.await.map_err(error)?;
        let held = Held { stream, _reserved };
        self.table.push(held).map_err(table_error)
    }

    fn stream<T: 'static>(&mut self, handle: &Resource<Held<T>>) -> Result<&mut T, PebbleError> {
        let held = self.table.get_mut(handle).map_err(table_error)?;
        Ok(&mut held.stream)
    }

    fn subscribe_to<T: 'static>(
        &mut self,
        handle: &Resource<Held<T>>,
        readiness: impl FnOnce(&T) -> Readiness,
    ) -> wasmtime::Result<Resource<Readiness>> {
        let readiness = readiness(&self.table.get(handle)?.stream);
        Ok(self.table.push(readiness)?)
    }
}

impl HostFileReader for State {
    async fn read(
        &mut self,
        reader: Resource<FileReader>,
        max: u32,
    ) -> Result<Vec<u8>, PebbleError> {
        let max = chunk_size(max)?;
        let read = self.stream(&reader)?.read(max).await;
        read.map(Vec::from).map_err(error)
    }

    fn subscribe(&mut self, reader: Resource<FileReader>) -> wasmtime::Result<Resource<Readiness>> {
        self.subscribe_to(&reader, pebble::Pull::readiness)
    }

    async fn drop(&mut self, reader: Resource<FileReader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl HostFileWriter for State {
    async fn write(
        &mut self,
        writer: Resource<FileWriter>,
        chunk: Vec<u8>,
    ) -> Result<u32, PebbleError> {
        let written = self.stream(&writer)?.write(&chunk).await;
        written.map(|count| count as u32).map_err(error)
    }

    async fn close(&mut self, writer: Resource<FileWriter>) -> Result<(), PebbleError> {
        self.stream(&writer)?.finish().await.map_err(error)
    }

    fn subscribe(&mut self, writer: Resource<FileWriter>) -> wasmtime::Result<Resource<Readiness>> {
        self.subscribe_to(&writer, pebble::Push::readiness)
    }

    async fn drop(&mut self, writer: Resource<FileWriter>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

impl HostProcess for State {
    async fn change_id(&mut self, process: Resource<Command>) -> String {
        let id = self.stream(&process).map(|process| process.change_id());
        id.unwrap_or_default().to_owned()
    }

    async fn write_stdin(
        &mut self,
        process: Resource<Command>,
        chunk: Vec<u8>,
    ) -> Result<u32, PebbleError> {
        let written = self.stream(&process)?.write_stdin(&chunk).await;
        written.map(|count| count as u32).map_err(error)
    }

    async fn close_stdin(&mut self, process: Resource<Command>) -> Result<(), PebbleError> {
        self.stream(&process)?.close_stdin().map_err(error)
    }

    async fn read_stdout(
        &mut self,
        process: Resource<Command>,
        max: u32,
    ) -> Result<Vec<u8>, PebbleError> {
        let max = chunk_size(max)?;
        let read = self.stream(&process)?.read_stdout(max).await;
        read.map(Vec::from).map_err(error)
    }

    async fn read_stderr(
        &mut self,
        process: Resource<Command>,
        max: u32,
    ) -> Result<Vec<u8>, PebbleError> {
        let max = chunk_size(max)?;
        let read = self.stream(&process)?.read_stderr(max).await;
        read.map(Vec::from).map_err(error)
    }

    async fn send_signal(
        &mut self,
        process: Resource<Command>,
        signal: String,
    ) -> Result<(), PebbleError> {
        let sent = self.stream(&process)?.send_signal(&signal).await;
        sent.map_err(error)
    }

    async fn resize(
        &mut self,
        process: Resource<Command>,
        size: wit::TerminalSize,
    ) -> Result<(), PebbleError> {
        let size = terminal_size(size);
        self.stream(&process)?.resize(size).await.map_err(error)
    }

    fn subscribe(
        &mut self,
        process: Resource<Command>,
        stream: wit::StandardStream,
    ) -> wasmtime::Result<Resource<Readiness>> {
        self.subscribe_to(
            &process,
            match stream {
                wit::StandardStream::Stdin => pebble::Process::stdin_readiness,
                wit::StandardStream::Stdout => pebble::Process::stdout_readiness,
                wit::StandardStream::Stderr => pebble::Process::stderr_readiness,
            },
        )
    }

    async fn wait(&mut self, process: Resource<Command>) -> Result<i32, PebbleError> {
        self.stream(&process)?.wait().await.map_err(error)
    }

    async fn wait_output(
        &mut self,
        process: Resource<Command>,
        max: u32,
    ) -> Result<wit::CommandOutput, PebbleError> {
        let budget: Arc<dyn Budget> = Arc::new(OutputBudget(self.memory.clone()));
        let output = self.stream(&process)?.collect(max as usize, &budget).await;
        let output = output.map_err(error)?;
        Ok(wit::CommandOutput {
            exit_code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
            stdout_truncated: output.stdout_truncated,
            stderr_truncated: output.stderr_truncated,
        })
    }

    async fn drop(&mut self, process: Resource<Command>) -> wasmtime::Result<()> {
        self.table.delete(process)?;
        Ok(())
    }
}

impl HostLogReader for State {
    async fn read(
        &mut self,
        reader: Resource<LogReader>,
        max: u32,
    ) -> Result<Vec<wit::LogEntry>, PebbleError> {
        let max = chunk_size(max)?;
        let entries = self.stream(&reader)?.read(max).await.map_err(error)?;
        let entry = |entry: pebble::LogEntry| wit::LogEntry {
            time: entry.time.seconds(),
            service: entry.service,
            message: entry.message,
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn subscribe(&mut self, reader: Resource<LogReader>) -> wasmtime::Result<Resource<Readiness>> {
        self.subscribe_to(&reader, pebble::Logs::readiness)
    }

    async fn drop(&mut self, reader: Resource<LogReader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl HostNoticeReader for State {
    async fn read(
        &mut self,
        reader: Resource<NoticeReader>,
    ) -> Result<Vec<wit::NoticeInfo>, PebbleError> {
        let notices = self.stream(&reader)?.read().await.map_err(error)?;
        Ok(notices.into_iter().map(notice_info).collect())
    }

    fn subscribe(
        &mut self,
        reader: Resource<NoticeReader>,
    ) -> wasmtime::Result<Resource<Readiness>> {
        self.subscribe_to(&reader, pebble::NoticeWatch::readiness)
    }

    async fn drop(&mut self, reader: Resource<NoticeReader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}
