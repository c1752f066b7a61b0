//! Counts events of a run under ptrace: these figures depend neither on the clock
//! nor on the measuring program.
//!
//! A child's `ru_maxrss` begins with what its parent had resident, and other
//! children of this process would be waited for with it. So this program runs
//! itself for each run, and asks the system about a program before it is gone.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::programs::Run;

/// What this program runs itself for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Prints the usage of a command.
    Usage,
    /// Prints how many instructions a command executes.
    Steps,
    /// Becomes a command that its parent traces.
    Traced,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Usage => "usage",
            Mode::Steps => "steps",
            Mode::Traced => "traced",
        }
    }
}

/// The memory and page faults of a program.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The largest resident set of it and its children, in KiB.
    pub peak_kib: u64,
    /// What no file backs when it ends, in KiB.
    pub anonymous_kib: u64,
    /// Page faults that needed no disk, of it and its children, after `execve`.
    pub minor_faults: u64,
    /// Page faults that waited for a disk.
    pub major_faults: u64,
}

/// The usage of one run.
pub fn usage(run: &Run) -> anyhow::Result<Usage> {
    itself(Mode::Usage, run)
}

/// The instructions that one run executes in user mode, by the CPU's counter: an
/// error where there is no `perf`, or no counter, as in most virtual machines.
pub fn instructions_by_counter(run: &Run) -> anyhow::Result<u64> {
    let file = tempfile::NamedTempFile::new()?;
    let words = ["perf", "stat", "-x,", "-e", "instructions:u", "-o"];
    let mut prefix: Vec<String> = words.map(str::to_owned).into();
    prefix.extend([file.path().display().to_string(), "--".to_owned()]);
    let status = run.command(&prefix)?.stderr(Stdio::null()).status()?;
    ensure!(status.success(), "perf failed: {status}");
    let text = std::fs::read_to_string(file.path())?;
    let counted = text.lines().find(|line| line.contains("instructions"));
    let number = counted.and_then(|line| line.split(',').next());
    Ok(number.context("no count")?.parse()?)
}

/// The same by single-stepping, which takes 20 µs each. The program's CPU time
/// includes them.
pub fn instructions_by_steps(run: &Run) -> anyhow::Result<u64> {
    itself(Mode::Steps, run)
}

/// The same by valgrind, which agrees with the others within 6 %.
pub fn instructions_by_valgrind(run: &Run) -> anyhow::Result<u64> {
    let logs = tempfile::tempdir()?;
    let log = format!("--log-file={}/%p", logs.path().display());
    let words = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--trace-children=yes",
        &log,
        "--",
    ];
    let status = run.command(&words.map(str::to_owned))?.status();
    let status = status.context("cannot run valgrind")?;
    ensure!(status.success(), "valgrind failed: {status}");
    let mut sum = 0;
    for log in std::fs::read_dir(logs.path())? {
        let text = std::fs::read_to_string(log?.path())?;
        let counted = text.lines().find_map(|line| line.split_once("Collected :"));
        let (_, number) = counted.context("valgrind printed no count")?;
        sum += number.trim().parse::<u64>()?;
    }
    Ok(sum)
}

fn itself<T: serde::de::DeserializeOwned>(mode: Mode, run: &Run) -> anyhow::Result<T> {
    let output = run
        .command(&trace(mode)?)?
        .stdout(Stdio::piped())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().unwrap_or_default();
        bail!("{}", last.trim_start_matches("ERROR "));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The words before a command that this program is to trace.
fn trace(mode: Mode) -> anyhow::Result<Vec<String>> {
    let program = std::env::current_exe()?.display().to_string();
    Ok([&program, "trace", mode.name(), "--"]
        .map(str::to_owned)
        .into())
}

/// What this program does when it is run by itself.
pub fn main(mode: Mode, command: &[String]) -> anyhow::Result<()> {
    let printed = match mode {
        Mode::Usage => serde_json::to_string(&trace_usage(command)?)?,
        Mode::Steps => serde_json::to_string(&trace_steps(command)?)?,
        Mode::Traced => {
            let (program, args) = command.split_first().context("no command")?;
            ptrace::traceme()?;
            return Err(Command::new(program).args(args).exec().into());
        }
    };
    println!("{printed}");
    Ok(())
}

/// What a program starts is traced too.
const NEW_PROCESSES: Options = Options::PTRACE_O_TRACECLONE
    .union(Options::PTRACE_O_TRACEFORK)
    .union(Options::PTRACE_O_TRACEVFORK);

/// Starts a command that stops at its first instruction.
fn start(command: &[String], options: Options) -> anyhow::Result<Pid> {
    let words = [trace(Mode::Traced)?, command.to_vec()].concat();
    let (program, args) = words.split_first().context("no command")?;
    let child = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    match waitpid(pid, None)? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
        other => bail!("cannot trace; may this user use ptrace? {other:?}"),
    }
    ptrace::setoptions(pid, options | Options::PTRACE_O_EXITKILL)?;
    Ok(pid)
}

fn trace_usage(command: &[String]) -> anyhow::Result<Usage> {
    let pid = start(
        command,
        NEW_PROCESSES | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACEEXIT,
    )?;
    // What it took to start the command is not the command's.
    let (minor, major) = faults(pid)?;
    let mut usage = Usage {
        peak_kib: 0,
        anonymous_kib: 0,
        minor_faults: 0,
        major_faults: 0,
    };
    resume(pid, None)?;
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Exited(ended, code) if ended == pid => {
                ensure!(code == 0, "it ended with {code}");
                ensure!(usage.peak_kib > 0, "its end was not seen");
                usage.minor_faults = usage.minor_faults.saturating_sub(minor);
                usage.major_faults = usage.major_faults.saturating_sub(major);
                return Ok(usage);
            }
            WaitStatus::Signaled(ended, signal, _) if ended == pid => {
                bail!("it was ended by {signal}")
            }
            WaitStatus::PtraceEvent(stopped, _, event) => {
                if event == libc::PTRACE_EVENT_EXIT {
                    add(stopped, &mut usage)?;
                }
                resume(stopped, None)?;
            }
            // A new process or thread begins with one.
            WaitStatus::Stopped(stopped, Signal::SIGSTOP) => resume(stopped, None)?,
            WaitStatus::Stopped(stopped, signal) => resume(stopped, Some(signal))?,
            _ => {}
        }
    }
}

/// Adds a process that is about to end; a thread is its process's.
fn add(pid: Pid, usage: &mut Usage) -> anyhow::Result<()> {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        // A thread whose process is gone.
        return Ok(());
    };
    let values: BTreeMap<&str, u64> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(key, value)| {
            let number = value.split_whitespace().next()?;
            Some((key, number.parse().ok()?))
        })
        .collect();
    let value = |key: &str| values.get(key).copied();
    if value("Tgid") != value("Pid") {
        return Ok(());
    }
    let peak = value("VmHWM").context("no VmHWM")?;
    if peak > usage.peak_kib {
        usage.peak_kib = peak;
        usage.anonymous_kib = value("RssAnon").context("no RssAnon")?;
    }
    let (minor, major) = faults(pid)?;
    usage.minor_faults += minor;
    usage.major_faults += major;
    Ok(())
}

/// The page faults of a process up to now: minor, major.
fn faults(pid: Pid) -> anyhow::Result<(u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; minflt is the 8th field
    // behind it, majflt the 10th.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index| -> anyhow::Result<u64> {
        let field: &&str = fields.get(index).context("too few fields")?;
        Ok(field.parse()?)
    };
    Ok((field(7)?, field(9)?))
}

/// Of all threads and children.
fn trace_steps(command: &[String]) -> anyhow::Result<u64> {
    let pid = start(command, NEW_PROCESSES)?;
    let mut counted = 0;
    let mut places = BTreeMap::new();
    step(pid, None)?;
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Stopped(stopped, Signal::SIGTRAP) => {
                // A repeated string instruction stops after each repetition,
                // and is one instruction.
                if let Some(now) = instruction_pointer(stopped)? {
                    counted += u64::from(places.insert(stopped, now) != Some(now));
                }
                step(stopped, None)?;
            }
            // A new process or thread begins with one.
            WaitStatus::Stopped(stopped, Signal::SIGSTOP) => step(stopped, None)?,
            WaitStatus::Stopped(stopped, signal) => step(stopped, Some(signal))?,
            WaitStatus::PtraceEvent(stopped, ..) => step(stopped, None)?,
            WaitStatus::Exited(ended, 0) if ended == pid => return Ok(counted),
            WaitStatus::Exited(ended, code) if ended == pid => bail!("it ended with {code}"),
            WaitStatus::Signaled(ended, signal, _) if ended == pid => {
                bail!("it was ended by {signal}")
            }
            _ => {}
        }
    }
}

/// To the next instruction.
fn step(pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
    unless_gone(ptrace::step(pid, signal))
}

/// To the next event.
fn resume(pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
    unless_gone(ptrace::cont(pid, signal))
}

/// A thread may be gone already, with its process.
fn unless_gone(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

#[cfg(target_arch = "x86_64")]
fn instruction_pointer(pid: Pid) -> nix::Result<Option<u64>> {
    match ptrace::getregs(pid) {
        Err(Errno::ESRCH) => Ok(None),
        registers => Ok(Some(registers?.rip)),
    }
}

#[cfg(target_arch = "aarch64")]
fn instruction_pointer(pid: Pid) -> nix::Result<Option<u64>> {
    match ptrace::getregs(pid) {
        Err(Errno::ESRCH) => Ok(None),
        registers => Ok(Some(registers?.pc)),
    }
}
