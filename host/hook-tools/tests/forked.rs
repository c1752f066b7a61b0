//! The process that runs programs for one that restricts itself. No harness:
//! a process that forks must have one thread.

#![allow(clippy::unwrap_used, reason = "a test stops at the first problem")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use charmhost_hook_tools::{CallTimer, ForkedSpawn, Spawn, SpawnError, ToolOutput};

fn main() {
    if let Some(pids) = std::env::args().nth(1).filter(|arg| arg.starts_with('/')) {
        return make(&pids);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let error = ForkedSpawn::fork().unwrap_err().to_string();
            assert!(error.contains("threads"), "{error}");
        });
    });
    within("the thread is gone", || {
        std::fs::read_dir("/proc/self/task").unwrap().count() == 1
    });
    runs_programs();
    has_no_files_of_its_maker();
    kills_what_takes_too_long();
    ends_with_its_maker();
}

fn sh(
    spawner: &mut ForkedSpawn,
    script: &str,
    stdin: Option<&[u8]>,
    limit: Option<Duration>,
) -> Result<ToolOutput, SpawnError> {
    let args = ["-c".to_owned(), script.to_owned()];
    spawner.spawn(
        Path::new("/bin/sh"),
        &args,
        stdin,
        &mut CallTimer::new(limit),
    )
}

fn runs_programs() {
    let mut spawner = ForkedSpawn::fork().unwrap();
    let input = vec![b'x'; 3 << 20];
    let output = sh(
        &mut spawner,
        "cat; echo bad >&2; exit 3",
        Some(&input),
        None,
    )
    .unwrap();
    assert_eq!((output.code, output.stdout.len()), (3, 3 << 20));
    assert_eq!(output.stderr, b"bad\n");
    assert_eq!(
        sh(&mut spawner, "exit 0", Some(&input), None).unwrap().code,
        0
    );
    assert_eq!(sh(&mut spawner, "kill -9 $$", None, None).unwrap().code, -9);
    let error = spawner
        .spawn(Path::new("/no/such"), &[], None, &mut CallTimer::new(None))
        .unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    let long = sh(&mut spawner, &"x".repeat(200_000), None, None);
    assert!(matches!(long, Err(SpawnError::TooLong)), "{long:?}");
    assert_eq!(
        sh(&mut spawner, "echo on", None, None).unwrap().stdout,
        b"on\n"
    );
}

fn has_no_files_of_its_maker() {
    let file = tempfile::tempfile().unwrap();
    let mut spawner = ForkedSpawn::fork().unwrap();
    let output = sh(&mut spawner, "ls -l /proc/$PPID/fd", None, None).unwrap();
    drop(file);
    let listed = String::from_utf8(output.stdout).unwrap();
    let open: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(" -> ").nth(1))
        .collect();
    let is_ours = |file: &&str| *file != "/dev/null" && !file.starts_with("pipe:");
    let ours: Vec<&&str> = open.iter().filter(|file| is_ours(file)).collect();
    assert!(
        matches!(ours.as_slice(), [socket] if socket.starts_with("socket:")),
        "{open:?}"
    );
}

fn kills_what_takes_too_long() {
    let mut spawner = ForkedSpawn::fork().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 60", pid_file.display());
    let started = Instant::now();
    let ended = sh(
        &mut spawner,
        &script,
        None,
        Some(Duration::from_millis(300)),
    );
    assert!(matches!(ended, Err(SpawnError::Expired(_))), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    // The next one gets its own answer, and the first is gone.
    assert_eq!(
        sh(&mut spawner, "echo next", None, None).unwrap().stdout,
        b"next\n"
    );
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());
}

/// A process that has a program run, and is killed meanwhile.
fn ends_with_its_maker() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let mut maker = Command::new(std::env::current_exe().unwrap())
        .arg(&pids)
        .spawn()
        .unwrap();
    let read = || std::fs::read_to_string(&pids).unwrap_or_default();
    within("the program starts", || read().ends_with('\n'));
    maker.kill().unwrap();
    maker.wait().unwrap();
    for pid in read().split_whitespace() {
        within("it ends", || has_ended(pid));
    }
    // And one that its maker drops.
    let mut spawner = ForkedSpawn::fork().unwrap();
    let output = sh(&mut spawner, "echo $PPID", None, None).unwrap();
    drop(spawner);
    let pid = String::from_utf8(output.stdout).unwrap();
    within("it ends", || has_ended(pid.trim()));
}

/// Runs a program that writes its number and its parent's.
fn make(pids: &str) {
    let mut spawner = ForkedSpawn::fork().unwrap();
    let script = format!("echo $$ $PPID > {pids}; exec sleep 60");
    let _ = sh(&mut spawner, &script, None, None);
}

fn has_ended(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

fn within(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "not so in time: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
