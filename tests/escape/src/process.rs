//! One dispatch, as Juju runs it, and the resources that it used.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::Context;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use wait4::Wait4;

use crate::machine::SECRET;

/// Upper bound for the time of a dispatch on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// The same for one without limits.
pub const UNGUARDED_PATIENCE: Duration = Duration::from_secs(15);

/// How a dispatch ended.
pub struct Ended {
    /// The exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// Whether it had to be.
    pub was_stopped: bool,
    pub stderr: String,
    /// Bytes that it wrote to its standard streams.
    pub written: u64,
    /// The most memory that it had at one time, in MiB.
    pub resident_mib: u64,
    /// Processor time.
    pub cpu: Duration,
}

/// A descriptor that every dispatch inherits, and must not pass on.
pub struct Inherited(File);

impl Inherited {
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("inherited");
        std::fs::write(&path, SECRET)?;
        let file = File::open(path)?;
        fcntl_setfd(&file, FdFlags::empty())?;
        Ok(Inherited(file))
    }

    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Runs a dispatch with a secret in its input; `dir` takes what it prints.
pub fn run(
    charm: &str,
    vars: &[(&str, &str)],
    dir: &Path,
    timeout: Duration,
) -> anyhow::Result<Ended> {
    let (out, err) = (dir.join("stdout"), dir.join("stderr"));
    let mut command = Command::new(Path::new(charm).join("dispatch"));
    command
        .current_dir(charm)
        .env_clear()
        .envs(vars.iter().copied())
        .stdin(File::open(dir.join("inherited"))?)
        .stdout(Stdio::from(File::create(&out)?))
        .stderr(Stdio::from(File::create(&err)?));
    let child = spawn(&mut command).context("cannot run dispatch")?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (done, waits) = channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_late = waits.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout);
        if let Some(pid) = pid.filter(|_| is_late) {
            let _ = kill_process(pid, Signal::KILL);
        }
        is_late
    });
    let used = child.wait4().context("cannot wait for dispatch")?;
    drop(done);
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let written = size(&out) + size(&err);
    let stderr = match size(&err) {
        0..1_000_000 => String::from_utf8_lossy(&std::fs::read(&err)?).into_owned(),
        bytes => format!("{bytes} bytes"),
    };
    let signal = used
        .status
        .signal()
        .map(|signal| format!("killed by {signal}"));
    Ok(Ended {
        code: used.status.code(),
        was_stopped: watch.join().unwrap_or_default(),
        stderr: stderr + &signal.unwrap_or_default(),
        written,
        resident_mib: used.rusage.maxrss >> 20,
        cpu: used.rusage.utime + used.rusage.stime,
    })
}

/// Starts a program that may have been written only just now: while another
/// thread forks, its child has the descriptor for writing too.
fn spawn(command: &mut Command) -> std::io::Result<std::process::Child> {
    for _ in 0..200 {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
    command.spawn()
}
