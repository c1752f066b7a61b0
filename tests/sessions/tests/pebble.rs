//! A Pebble in memory that answers what the charm asks for its status, or is not
//! ready.

use std::io;
use std::path::Path;
use std::sync::Arc;

use charmhost_pebble::{ByteStream, Connect, Connecting};
use charmhost_runtime::PebbleConnector;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// Connects every container to a Pebble of its own.
#[derive(Debug, Clone, Copy)]
pub struct MemoryPebble {
    pub is_ready: bool,
}

impl PebbleConnector for MemoryPebble {
    fn connector(&self, _: &str) -> Arc<dyn Connect> {
        Arc::new(*self)
    }
}

impl Connect for MemoryPebble {
    fn connect(&self) -> Connecting {
        let is_ready = self.is_ready;
        Box::pin(async move {
            if !is_ready {
                return Err(io::ErrorKind::NotFound.into());
            }
            let (client, server) = tokio::io::duplex(64 * 1024);
            tokio::spawn(serve(server));
            Ok(Box::new(client) as Box<dyn ByteStream>)
        })
    }

    fn address(&self) -> &Path {
        Path::new("memory")
    }
}

/// Answers requests without a body until the client closes the connection.
async fn serve(stream: DuplexStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            head.push(line);
            continue;
        }
        let request = head.first().map(String::as_str).unwrap_or_default();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let result = match path.split('?').next().unwrap_or_default() {
            "/v1/system-info" => r#"{"version": "v1.26.0", "boot-id": "memory"}"#,
            "/v1/services" => r#"[{"name": "web", "startup": "enabled", "current": "active"}]"#,
            "/v1/checks" => r#"[{"name": "up", "level": "ready", "status": "up"}]"#,
            _ => "null",
        };
        let body = format!(r#"{{"type": "sync", "status-code": 200, "result": {result}}}"#);
        let length = body.len();
        let head_and_body = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(head_and_body.as_bytes()).await?;
        head.clear();
    }
}
