//! What the tests share.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use charmhost_isolation::{IsolatedRoot, Network, Spec};

/// Path of `confine` in the runs of this program that a test of it starts.
pub const AGAIN: &str = "CHARMHOST_TEST_CONFINE";

pub fn confine() -> PathBuf {
    std::env::var_os(AGAIN).map_or(env!("CARGO_BIN_EXE_confine").into(), PathBuf::from)
}

pub fn spec() -> Spec<'static> {
    Spec {
        confine: confine(),
        scratch: std::env::temp_dir(),
        binds: Vec::new(),
        hostname: "isolated".to_owned(),
        network: Network::Private,
    }
}

#[track_caller]
pub fn start(spec: &Spec<'_>) -> IsolatedRoot {
    IsolatedRoot::start(spec).unwrap_or_else(|error| panic!("{error}"))
}

pub fn sh(isolated: &IsolatedRoot, script: &str) -> Output {
    isolated
        .command("sh")
        .args(["-c", script])
        .output()
        .unwrap()
}

/// Runs a script that must succeed, and returns its output.
#[track_caller]
pub fn ok(isolated: &IsolatedRoot, script: &str) -> String {
    let output = sh(isolated, script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script}: {:?}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A number of seconds that no other process sleeps.
pub fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("1000.{}{count:03}", std::process::id())
}

/// Counts processes that sleep for that number of seconds.
pub fn sleepers(marker: &str) -> usize {
    processes(&format!("\0sleep\0{marker}\0"))
}

/// Counts processes of the machine with an argument.
pub fn processes(argument: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| format!("\0{}", String::from_utf8_lossy(&line)));
    // Neither the shell nor `confine` that is to start it counts.
    let lines = lines.filter(|line| !line.contains("\0enter\0"));
    lines.filter(|line| line.contains(argument)).count()
}

#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{what}: not after 10 s"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn names(directory: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
