//! A daemon of a version that no current Juju ships: it has what its version has,
//! and rejects the rest as that version does.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

/// What came with a version, `v1.MINOR`: the method, the path, and the result.
const SINCE: &[(u32, &str, &str, &str)] = &[
    (1, "GET", "/v1/checks", CHECKS),
    (19, "POST", "/v1/checks", r#"{"changed":null}"#),
    (20, "POST", "/v1/checks/refresh", "null"),
    (5, "GET", "/v1/notices", "[]"),
    (5, "POST", "/v1/notices", r#"{"id":"1"}"#),
    (15, "GET", "/v1/identities", "{}"),
    (15, "POST", "/v1/identities", "null"),
];
const CHECKS: &str = r#"[{"name":"c","status":"up","threshold":3}]"#;
/// Up to v1.15.
const WARNINGS: &str = r#"[{"message":"low","first-added":"2026-11-22T00:00:00Z",
    "last-added":"2026-11-22T00:00:01.5Z","last-shown":null,
    "expire-after":"672h0m0s","repeat-after":"24h0m0s"}]"#;

/// A daemon at `containers/one/pebble.socket` of its directory.
pub struct OldPebble {
    dir: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

impl OldPebble {
    pub fn new(minor: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let container = dir.path().join("containers/one");
        std::fs::create_dir_all(&container).unwrap();
        let listener = UnixListener::bind(container.join("pebble.socket")).unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = requests.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let log = log.clone();
                std::thread::spawn(move || serve(stream, minor, &log));
            }
        });
        OldPebble { dir, requests }
    }

    /// The directory that the charm sees as `/charm`.
    pub fn charm(&self) -> &Path {
        self.dir.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.charm().join("containers/one/pebble.socket")
    }

    /// The requests so far, with their bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers requests until the client is gone.
fn serve(mut stream: UnixStream, minor: u32, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut parts = line.split(' ');
        let (method, target) = (parts.next()?, parts.next()?);
        let mut request = format!("{method} {target}");
        if !body.is_empty() {
            write!(request, " {}", String::from_utf8_lossy(&body)).ok()?;
        }
        log.lock().ok()?.push(request);
        let path = target.split('?').next()?;
        let (status, body) = answer(method, path, minor);
        write!(
            stream,
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
    }
}

fn answer(method: &str, path: &str, minor: u32) -> (u16, String) {
    let sync = |result: &str| (200, format!(r#"{{"type":"sync","result":{result}}}"#));
    let error = |status: u16, message: &str| {
        let body = format!(
            r#"{{"type":"error","status-code":{status},"result":{{"message":"{message}"}}}}"#
        );
        (status, body)
    };
    match (method, path) {
        ("GET", "/v1/system-info") => {
            return sync(&format!(r#"{{"version":"v1.{minor}.2","boot-id":"b"}}"#));
        }
        ("GET", "/v1/warnings") if minor < 16 => return sync(WARNINGS),
        ("POST", "/v1/warnings") if minor < 16 => return sync("1"),
        _ => {}
    }
    let known = SINCE.iter().filter(|row| row.0 <= minor && row.2 == path);
    let known: Vec<_> = known.collect();
    match known.iter().find(|row| row.1 == method) {
        Some(row) => sync(row.3),
        None if known.is_empty() => error(404, "invalid API endpoint requested"),
        None => error(405, &format!("method '{method}' not allowed")),
    }
}
