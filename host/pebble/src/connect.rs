//! How a daemon is reached: over its Unix socket, or as the caller provides.

use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use hyperlocal::UnixConnector;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service as _;

/// Time between two attempts while the daemon's backlog is full.
const BACKLOG: Duration = Duration::from_millis(20);

/// A stream of bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// An attempt to connect.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send>>;

/// Connects to one daemon.
pub trait Connect: Send + Sync {
    /// Tries to connect. The client limits how long.
    ///
    /// # Errors
    ///
    /// If the daemon is not ready. `WouldBlock` lets the client try again.
    fn connect(&self) -> Connecting;

    /// The daemon's address, for messages.
    fn address(&self) -> &Path;
}

/// Connects to the Unix socket of a daemon.
#[derive(Debug, Clone)]
pub struct UnixSocket(PathBuf);

impl UnixSocket {
    /// A connector to the socket at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        UnixSocket(path.into())
    }
}

impl Connect for UnixSocket {
    fn connect(&self) -> Connecting {
        let connecting = UnixConnector.call(hyperlocal::Uri::new(&self.0, "/").into());
        Box::pin(async move {
            let stream = TokioIo::new(connecting.await?);
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }

    fn address(&self) -> &Path {
        &self.0
    }
}

/// Connects, and tries again for as long as the daemon's backlog is full; the
/// caller limits how long.
pub(crate) async fn connect(connector: &dyn Connect) -> io::Result<Stream> {
    loop {
        match connector.connect().await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                tokio::time::sleep(BACKLOG).await;
            }
            connected => return connected.map(Stream),
        }
    }
}

/// A connection to a daemon.
pub(crate) struct Stream(Box<dyn ByteStream>);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// A connector as hyper wants it. The address in the URI is ignored.
#[derive(Clone)]
pub(crate) struct HttpConnector(pub Arc<dyn Connect>);

impl tower_service::Service<hyper::Uri> for HttpConnector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper::Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move { connect(connector.as_ref()).await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::Client;

    /// A daemon in memory, or none.
    struct Memory {
        is_ready: bool,
    }

    impl Connect for Memory {
        fn connect(&self) -> Connecting {
            let is_ready = self.is_ready;
            Box::pin(async move {
                if !is_ready {
                    return Err(ErrorKind::ConnectionRefused.into());
                }
                let (client, server) = tokio::io::duplex(1024);
                tokio::spawn(answer(server));
                Ok(Box::new(client) as Box<dyn ByteStream>)
            })
        }

        fn address(&self) -> &Path {
            Path::new("memory")
        }
    }

    /// Answers a single request without a body.
    async fn answer(mut stream: DuplexStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        assert!(request.starts_with(b"GET /v1/system-info HTTP/1.1\r\n"));
        let body = r#"{"type": "sync", "result": {"version": "v1", "boot-id": "b"}}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_uses_the_streams_of_its_connector() {
        let client = Client::with_connector(Arc::new(Memory { is_ready: true }));
        assert_eq!(client.system_info().await.unwrap().version, "v1");
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_ready_is_named_by_its_address() {
        let client = Client::with_connector(Arc::new(Memory { is_ready: false }));
        let error = client.system_info().await.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot connect to Pebble at memory: "),
            "{error}"
        );
    }
}
