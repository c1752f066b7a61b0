//! A daemon with Pebble's protocol and scripted faults.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tungstenite::handshake::derive_accept_key;

/// When every change began.
const BEGIN: &str = "2026-11-22T00:00:00Z";

/// A fault of a daemon. After a stall it does not answer on any connection, like a
/// paused process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    NoAccept,
    NoRead,
    /// Reads five bytes a second.
    ReadsSlowly,
    Stalls(Point),
    Closes(Point),
    Trickles(Point),
    /// Endless provisional responses.
    FloodsContinue,
    /// Endless headers, body, trailers; for streams an endless message, or
    /// endless messages of a kind.
    Floods(Point),
    FloodsText,
    FloodsPings,
    FloodsData,
    Garbage,
    /// Responses for changes are 2.5 seconds late.
    Late,
}

/// Position of the fault in a response or a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Before,
    Head,
    In,
    Trailer,
    After,
}

/// Form of the response with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    File,
    NoMultipart,
    EndlessPartHeader,
    EndlessContent,
    EndlessResults,
}

/// Behaviour of a daemon.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// The request line or the name of the stream with the fault.
    pub target: &'static str,
    pub fault: Fault,
    /// Whether commands and changes never end.
    pub runs: bool,
    pub pulled: Pulled,
}

struct Daemon {
    script: Script,
    /// Whether it has stalled or is shutting down.
    silent: AtomicBool,
    gone: AtomicBool,
    waits: AtomicU32,
}

/// A daemon at `containers/one/pebble.socket` of its directory.
pub struct FakePebble {
    dir: TempDir,
    daemon: Arc<Daemon>,
}

impl FakePebble {
    pub fn new(script: Script) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let container = dir.path().join("containers/one");
        std::fs::create_dir_all(&container).unwrap();
        let listener = UnixListener::bind(container.join("pebble.socket")).unwrap();
        let daemon = Arc::new(Daemon {
            script,
            silent: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            waits: AtomicU32::new(0),
        });
        let served = daemon.clone();
        std::thread::spawn(move || {
            if script.fault == Fault::NoAccept {
                return served.hold();
            }
            while let Ok((stream, _)) = listener.accept() {
                if served.gone.load(Ordering::Relaxed) {
                    return;
                }
                let served = served.clone();
                std::thread::spawn(move || drop(served.serve(stream)));
            }
        });
        FakePebble { dir, daemon }
    }

    /// The directory that the charm sees as `/charm`.
    pub fn charm(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for FakePebble {
    fn drop(&mut self) {
        self.daemon.gone.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let socket = self.dir.path().join("containers/one/pebble.socket");
        drop(UnixStream::connect(socket));
    }
}

type Done = std::io::Result<()>;

impl Daemon {
    /// Keeps a connection open without an answer.
    fn hold(&self) {
        while !self.gone.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn stall(&self) {
        self.silent.store(true, Ordering::Relaxed);
        self.hold();
    }

    fn serve(&self, mut stream: UnixStream) -> Done {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let Some(request) = Request::read_head(&mut reader)? else {
                return Ok(());
            };
            if self.silent.load(Ordering::Relaxed) {
                self.hold();
                return Ok(());
            }
            let fault = match request.line.starts_with(self.script.target) {
                true => self.script.fault,
                false => Fault::None,
            };
            if fault == Fault::NoRead {
                self.stall();
                return Ok(());
            }
            if fault == Fault::ReadsSlowly {
                return self.read_slowly(&mut reader);
            }
            request.read_body(&mut reader)?;
            if let Some(name) = request.stream() {
                if fault == Fault::None {
                    let accept = derive_accept_key(request.key.as_bytes());
                    write!(
                        stream,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                    )?;
                    return self.stream(name, stream);
                }
                self.answer(&mut stream, &answer(200, "application/json", b"{}"), fault)?;
                return Ok(());
            }
            let answer = self.healthy(&request);
            if !self.answer(&mut stream, &answer, fault)? {
                return Ok(());
            }
        }
    }

    /// Response without a fault.
    fn healthy(&self, request: &Request) -> Vec<u8> {
        let sync = |result: &str| {
            let body = format!(r#"{{"type":"sync","status-code":200,"result":{result}}}"#);
            answer(200, "application/json", body.as_bytes())
        };
        let background = |result: &str| {
            let body = format!(r#"{{"type":"async","change":"1","result":{result}}}"#);
            answer(202, "application/json", body.as_bytes())
        };
        let line = request.line.as_str();
        let path = line.split(['?', ' ']).nth(1).unwrap_or_default();
        match (line.split(' ').next().unwrap_or_default(), path) {
            ("GET", "/v1/system-info") => sync(r#"{"version":"v1.32.1","boot-id":"b"}"#),
            ("GET", "/v1/plan") => sync(r#""services: {}\n""#),
            ("POST", "/v1/layers") => sync("true"),
            ("POST", "/v1/services") => background("null"),
            ("POST", "/v1/exec") => background(r#"{"task-id":"1"}"#),
            ("POST", "/v1/files") => sync(r#"[{"path":"/a"}]"#),
            ("GET", "/v1/files") if line.contains("action=read") => file(self.script.pulled),
            ("GET", "/v1/changes/1/wait") => self.wait(line),
            ("GET", "/v1/changes/1") => sync(&self.change(self.script.runs)),
            _ => sync("[]"),
        }
    }

    fn change(&self, runs: bool) -> String {
        format!(
            r#"{{"id":"1","kind":"exec","status":"Do","ready":{},"spawn-time":"{BEGIN}","tasks":[{{"spawn-time":"{BEGIN}","data":{{"exit-code":3}}}}]}}"#,
            !runs
        )
    }

    fn wait(&self, line: &str) -> Vec<u8> {
        let late = self.script.fault == Fault::Late;
        let waits = self.waits.fetch_add(1, Ordering::Relaxed);
        let ends_later = late && waits < 2;
        if !self.script.runs && !ends_later {
            let body = format!(r#"{{"type":"sync","result":{}}}"#, self.change(false));
            return answer(200, "application/json", body.as_bytes());
        }
        let timeout = line.split("timeout=").nth(1).unwrap_or_default();
        let timeout = timeout.split('s').next().unwrap_or_default();
        let timeout = timeout.parse().unwrap_or(0.0) + if late { 2.5 } else { 0.0 };
        std::thread::sleep(Duration::from_secs_f64(timeout));
        if self.silent.load(Ordering::Relaxed) {
            self.hold();
        }
        let body = br#"{"type":"error","result":{"message":"timed out"}}"#;
        answer(504, "application/json", body)
    }

    /// Sends a response with a fault; returns whether the connection stays open.
    fn answer(
        &self,
        stream: &mut UnixStream,
        answer: &[u8],
        fault: Fault,
    ) -> std::io::Result<bool> {
        let body = answer
            .windows(4)
            .position(|end| end == b"\r\n\r\n")
            .unwrap()
            + 4;
        let half = body + (answer.len() - body) / 2;
        let chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        match fault {
            Fault::Stalls(Point::Before) => self.stall(),
            Fault::Closes(Point::Before) => {}
            Fault::Stalls(at) | Fault::Closes(at) => {
                let end = match at {
                    Point::Head => body / 2,
                    Point::In => half,
                    _ => answer.len(),
                };
                stream.write_all(&answer[..end])?;
                if matches!(fault, Fault::Stalls(_)) {
                    self.stall();
                }
            }
            Fault::Trickles(Point::Trailer) => {
                let whole = br#"{"type":"sync","result":[]}"#;
                stream.write_all(chunked)?;
                write!(stream, "{:x}\r\n", whole.len())?;
                stream.write_all(whole)?;
                stream.write_all(b"\r\n0\r\nX: ")?;
                self.trickle(stream, &[b'x'; 1000])?;
            }
            Fault::Trickles(at) => {
                let from = if at == Point::Head { 20 } else { body };
                stream.write_all(&answer[..from])?;
                self.trickle(stream, &answer[from..])?;
            }
            Fault::FloodsContinue => loop {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                std::thread::sleep(Duration::from_millis(1));
            },
            Fault::Floods(Point::Head) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
                endless(stream, &[b'x'; 65536])?;
            }
            Fault::Floods(Point::Trailer) => {
                stream.write_all(chunked)?;
                stream.write_all(b"0\r\nX: ")?;
                endless(stream, &[b'x'; 65536])?;
            }
            Fault::Floods(_) => {
                stream.write_all(chunked)?;
                let mut chunk = b"10000\r\n".to_vec();
                chunk.extend([b' '; 65536]);
                chunk.extend(b"\r\n");
                endless(stream, &chunk)?;
            }
            Fault::Garbage => stream.write_all(&[0x80; 1000])?,
            _ => {
                stream.write_all(answer)?;
                // A body without a length ends with its connection.
                let head = String::from_utf8_lossy(&answer[..body]);
                if !head.contains("Content-Length") {
                    return Ok(false);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Five bytes a second.
    fn trickle(&self, stream: &mut UnixStream, bytes: &[u8]) -> Done {
        for byte in bytes {
            stream.write_all(&[*byte])?;
            std::thread::sleep(Duration::from_millis(200));
            if self.gone.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn read_slowly(&self, stream: &mut impl Read) -> Done {
        while !self.gone.load(Ordering::Relaxed) && stream.read(&mut [0])? > 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// A stream of a command.
    fn stream(&self, name: &str, mut stream: UnixStream) -> Done {
        let fault = match name == self.script.target {
            true => self.script.fault,
            false => Fault::None,
        };
        if fault != Fault::None {
            // The other streams are connected first.
            std::thread::sleep(Duration::from_millis(300));
        }
        let data = frame(2, b"out\n");
        match fault {
            Fault::NoRead => self.hold(),
            Fault::ReadsSlowly => self.read_slowly(&mut stream)?,
            Fault::Stalls(Point::Before) => self.stall(),
            Fault::Closes(Point::Before) => {}
            Fault::Stalls(Point::In) => {
                stream.write_all(&frame(2, &[b'x'; 60_000])[..1000])?;
                self.stall();
            }
            Fault::Closes(Point::In) => {
                stream.write_all(&frame(2, &[b'x'; 60_000])[..1000])?;
            }
            Fault::Stalls(_) => {
                stream.write_all(&data)?;
                self.stall();
            }
            Fault::Closes(_) => stream.write_all(&data)?,
            Fault::Trickles(_) => self.trickle(&mut stream, &frame(2, &[b'x'; 60_000]))?,
            Fault::FloodsText => endless(&mut stream, &frame(1, b"{}"))?,
            Fault::FloodsPings => endless(&mut stream, &frame(9, b"ping"))?,
            Fault::FloodsData => endless(&mut stream, &frame(2, &[b'x'; 60_000]))?,
            Fault::Floods(_) => {
                let mut huge = vec![0x82, 127];
                huge.extend((1_u64 << 40).to_be_bytes());
                stream.write_all(&huge)?;
                endless(&mut stream, &[b'x'; 65536])?;
            }
            Fault::Garbage => stream.write_all(&[0xff; 1000])?,
            _ => {
                if name != "control" && !self.script.runs {
                    stream.write_all(&data)?;
                    stream.write_all(&frame(1, br#"{"command":"end"}"#))?;
                }
                let mut discarded = vec![0; 65536];
                while stream.read(&mut discarded)? > 0 {}
            }
        }
        Ok(())
    }
}

fn endless(stream: &mut UnixStream, bytes: &[u8]) -> Done {
    let many = bytes.repeat(65536_usize.div_ceil(bytes.len()));
    loop {
        stream.write_all(&many)?;
    }
}

/// A frame of a server.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match u16::try_from(payload.len()).unwrap() {
        length @ ..126 => frame.push(length as u8),
        length => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn answer(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The answer with a file, or with something else.
fn file(pulled: Pulled) -> Vec<u8> {
    const MULTIPART: &str = "multipart/form-data; boundary=BB";
    const CONTENT: &str =
        "--BB\r\nContent-Disposition: form-data; name=\"files\"; filename=\"/a\"\r\n\r\ncontent";
    const RESULTS: &str = "\r\n--BB\r\nContent-Disposition: form-data; name=\"response\"\r\n\r\n";
    // An endless body is larger than every limit, except that of a file.
    let endless = "x".repeat(48 << 20);
    if pulled == Pulled::NoMultipart {
        let body = br#"{"type":"error","status-code":400,"result":{"message":"no"}}"#;
        return answer(400, "application/json", body);
    }
    let (kind, body) = match pulled {
        Pulled::File | Pulled::NoMultipart => (
            MULTIPART,
            format!(
                "{CONTENT}{RESULTS}{{\"type\":\"sync\",\"result\":[{{\"path\":\"/a\"}}]}}\n\r\n--BB--\r\n"
            ),
        ),
        Pulled::EndlessPartHeader => (MULTIPART, format!("--BB\r\nX: {endless}")),
        Pulled::EndlessContent => (MULTIPART, format!("{CONTENT}{endless}")),
        Pulled::EndlessResults => (MULTIPART, format!("{CONTENT}{RESULTS}{endless}")),
    };
    answer(200, kind, body.as_bytes())
}

struct Request {
    line: String,
    length: Option<u64>,
    chunked: bool,
    key: String,
}

impl Request {
    fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Self>> {
        let mut request = Request {
            line: String::new(),
            length: None,
            chunked: false,
            key: String::new(),
        };
        if reader.read_line(&mut request.line)? == 0 {
            return Ok(None);
        }
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                return Ok(Some(request));
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => request.length = value.parse().ok(),
                "transfer-encoding" => request.chunked = true,
                "sec-websocket-key" => value.clone_into(&mut request.key),
                _ => {}
            }
        }
    }

    fn read_body(&self, reader: &mut impl BufRead) -> Done {
        let mut discard = |count: u64| {
            std::io::copy(&mut reader.by_ref().take(count), &mut std::io::sink()).map(drop)
        };
        if !self.chunked {
            return discard(self.length.unwrap_or(0));
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
            std::io::copy(&mut reader.by_ref().take(size + 2), &mut std::io::sink())?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Returns the stream of a command that a request names.
    fn stream(&self) -> Option<&str> {
        let name = self.line.split("/websocket/").nth(1)?;
        name.split(' ').next()
    }
}
