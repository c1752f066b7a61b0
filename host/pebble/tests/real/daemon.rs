//! A separate daemon for each test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use charmhost_pebble::{Client, Error};
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
