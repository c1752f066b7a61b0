//! `charmhost:pebble-socket/pebble-socket`: byte streams to containers' Pebble.

use std::time::Duration;

use charmhost_pebble::{self as pebble, Error, Readiness};
use charmhost_sandbox::HostMemoryExceeded;
use wasmtime::component::{Resource, ResourceTableError};

use super::bindings::pebble_socket::{Direction, Host, HostConnection, SocketError};
use super::pebble_errors::PROTOCOL;
use super::readiness::timeout;
use super::{code, failure};
use crate::state::State;
use crate::streams::Connection;

/// How long a connection may take without another limit.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes that one call reads or writes.
const CHUNK: u32 = 1024 * 1024;

fn error(error: Error) -> SocketError {
    let text = error.to_string();
    match error {
        Error::NotReady { .. } => SocketError::NotReady(text),
        Error::Timeout { .. } => SocketError::Timeout(text),
        Error::Closed(_) => SocketError::Closed(text),
        Error::Memory(_) => SocketError::Other(failure(code::HOST_MEMORY, text)),
        _ => SocketError::Other(failure(PROTOCOL, text)),
    }
}

fn full(error: HostMemoryExceeded) -> SocketError {
    SocketError::Other(failure(code::HOST_MEMORY, error.to_string()))
}

fn table_error(error: ResourceTableError) -> SocketError {
    SocketError::Closed(format!("cannot use the connection: {error}"))
}

impl Host for State {
    async fn connect(
        &mut self,
        container: String,
        seconds: Option<f64>,
    ) -> Result<Resource<Connection>, SocketError> {
        let connector = self.charm.containers.connector(&container);
        let connector = connector.map_err(SocketError::UnknownContainer)?;
        let reserved = self.memory.reserve(pebble::Connection::CAPACITY);
        let _reserved = reserved.map_err(full)?;
        let limit = match seconds {
            Some(_) => timeout(seconds).unwrap_or(Duration::MAX),
            None => CONNECT,
        };
        let budget = self.connections.clone();
        let stream = pebble::Connection::open(connector.as_ref(), limit, budget).await;
        let stream = stream.map_err(error)?;
        let connection = Connection { stream, _reserved };
        self.table.push(connection).map_err(table_error)
    }
}

impl HostConnection for State {
    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        seconds: Option<f64>,
    ) -> Result<Vec<u8>, SocketError> {
        let connection = self.table.get(&connection).map_err(table_error)?;
        let max = max.min(CHUNK) as usize;
        let read = connection.stream.read(max, timeout(seconds)).await;
        read.map(Vec::from).map_err(error)
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        data: Vec<u8>,
        seconds: Option<f64>,
    ) -> Result<u32, SocketError> {
        let connection = self.table.get(&connection).map_err(table_error)?;
        let written = connection.stream.write(&data, timeout(seconds)).await;
        written.map(|count| count as u32).map_err(error)
    }

    async fn finish(&mut self, connection: Resource<Connection>) -> Result<(), SocketError> {
        let connection = self.table.get(&connection).map_err(table_error)?;
        connection.stream.finish().map_err(error)
    }

    fn subscribe(
        &mut self,
        connection: Resource<Connection>,
        direction: Direction,
    ) -> wasmtime::Result<Resource<Readiness>> {
        let stream = &self.table.get(&connection)?.stream;
        let readiness = match direction {
            Direction::Reading => stream.readable(),
            Direction::Writing => stream.writable(),
        };
        Ok(self.table.push(readiness)?)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}
