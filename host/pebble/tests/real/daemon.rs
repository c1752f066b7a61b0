//! A separate daemon for each test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use charmhost_pebble::{Budget, Client, Error};
use tempfile::TempDir;

/// A running daemon. All of its files are in its directory.
pub struct Daemon {
    pub dir: TempDir,
    child: Option<Child>,
}

/// The path of the daemon that `scripts/setup pebble` installs, or that the
/// environment names.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("CHARMHOST_PEBBLE") {
        return path.into();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/pebble");
    assert!(
        path.is_file(),
        "{} is missing: run `scripts/setup pebble`",
        path.display()
    );
    path
}

impl Daemon {
    pub fn start() -> Self {
        let mut daemon = Daemon {
            dir: tempfile::tempdir().unwrap(),
            child: None,
        };
        daemon.run();
        daemon
    }

    pub fn run(&mut self) {
        let child = Command::new(program())
            .args(["run", "--create-dirs", "--hold"])
            .env("PEBBLE", self.dir.path().join("pebble"))
            .env("PEBBLE_SOCKET", self.socket())
            .env("PEBBLE_PERSIST", "never")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let end = Instant::now() + Duration::from_secs(10);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(Instant::now() < end, "Pebble does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("pebble.socket")
    }

    pub fn client(&self) -> Client {
        Client::new(self.socket())
    }

    /// A path in the daemon's directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a test against a daemon, on the kind of runtime that `dispatch` has.
pub fn with<T>(test: impl AsyncFnOnce(&mut Daemon, Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut daemon = Daemon::start();
        let client = daemon.client();
        test(&mut daemon, client).await
    })
}

/// A budget of so many bytes.
pub struct Limit {
    limit: usize,
    held: AtomicUsize,
}

impl Limit {
    pub fn of(limit: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Limit { limit, held })
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Budget for Limit {
    fn hold(&self, bytes: usize) -> Result<(), String> {
        if self.held() + bytes > self.limit {
            return Err("the limit of the test".to_owned());
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

pub fn no_limit() -> Arc<dyn Budget> {
    Limit::of(usize::MAX / 2)
}

/// The status and the message of an error response.
pub fn error_response<T>(result: Result<T, Error>) -> (u16, String) {
    match result {
        Err(Error::Api {
            status, message, ..
        }) => (status, message),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("no error"),
    }
}
