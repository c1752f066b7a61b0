//! `confine enter` and `confine run`: run a program inside.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use nix::sys::signal::{SigSet, Signal};
use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit};
use rustix::thread::ThreadNameSpaceType as Space;

use crate::FAILED;
use crate::report::print_error;

/// Signals that could end this process before the program that it waits for.
const BLOCKED: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
];

/// Enters the namespaces, runs a program there, and ends with its exit code or
/// signal.
pub fn enter(
    pid: &OsStr,
    namespace: &OsStr,
    directory: &OsStr,
    program: &OsStr,
    arguments: &[OsString],
) -> ExitCode {
    // In this process only: `run` unblocks them.
    let blocked = BLOCKED.into_iter().collect::<SigSet>().thread_block();
    if let Err(error) = blocked
        .map_err(io::Error::from)
        .and_then(|()| enter_namespaces(pid, namespace))
    {
        print_error(&format!("cannot enter the isolated root: {error}"));
        return ExitCode::from(FAILED);
    }
    match start(directory, program, arguments) {
        Ok(status) => end_as(status),
        Err(error) => {
            print_error(&format!("cannot run confine in the isolated root: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Runs the program, and hands it the reading end of a pipe that closes when
/// this process ends.
fn start(directory: &OsStr, program: &OsStr, arguments: &[OsString]) -> io::Result<ExitStatus> {
    let (alive, _writer) = io::pipe()?;
    rustix::io::fcntl_setfd(&alive, FdFlags::empty())?;
    // This path works even if the program does not exist inside.
    let mut command = Command::new("/proc/self/exe");
    command.arg("run").arg(alive.as_raw_fd().to_string());
    command.arg(directory).arg(program).args(arguments);
    command.spawn()?.wait()
}

fn enter_namespaces(pid: &OsStr, namespace: &OsStr) -> io::Result<()> {
    let stopped = || io::Error::new(io::ErrorKind::NotFound, "it has stopped");
    let number = pid.to_str().and_then(|pid| pid.parse().ok());
    let number = number.and_then(Pid::from_raw).ok_or_else(stopped)?;
    let first = rustix::process::pidfd_open(number, PidfdFlags::empty()).map_err(|_| stopped())?;
    let link = Path::new("/proc").join(pid).join("ns/mnt");
    if std::fs::read_link(link).ok().as_deref() != Some(Path::new(namespace)) {
        return Err(stopped());
    }
    let mut spaces = Space::USER
        | Space::MOUNT
        | Space::PROCESS_ID
        | Space::INTER_PROCESS_COMMUNICATION
        | Space::HOST_NAME_AND_NIS_DOMAIN_NAME;
    if !shares_network(pid) {
        spaces |= Space::NETWORK;
    }
    rustix::thread::move_into_thread_name_spaces(first.as_fd(), spaces)?;
    // Where the kernel refuses it, this user's groups stay, unmapped.
    let _ = rustix::thread::set_thread_groups(&[]);
    Ok(())
}

/// Whether a process is in the network namespace of this one. Only the machine's
/// root may enter that.
fn shares_network(pid: &OsStr) -> bool {
    let network = |process: &OsStr| {
        let link = Path::new("/proc").join(process).join("ns/net");
        std::fs::read_link(link).ok()
    };
    network(pid).is_some_and(|theirs| network("self".as_ref()) == Some(theirs))
}

/// Ends this process with the exit code or signal of another one.
fn end_as(status: ExitStatus) -> ExitCode {
    if let Some(code) = status.code() {
        return ExitCode::from(u8::try_from(code).unwrap_or(FAILED));
    }
    if let Some(signal) = status
        .signal()
        .and_then(|signal| Signal::try_from(signal).ok())
    {
        // The program has dumped its core; that of this process is of no use.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = rustix::process::setrlimit(Resource::Core, none);
        if signal == Signal::SIGPIPE {
            // Rust programs ignore this signal. An attempt to execute another
            // program resets that, and this one does not exist.
            let _ = Command::new("/dev/null/none").exec();
        }
        // Only this signal is delivered.
        let _ = SigSet::from(signal).thread_unblock();
        // Rust's own handlers run once and then restore the default action.
        for _ in 0..2 {
            let _ = nix::sys::signal::raise(signal);
        }
    }
    ExitCode::from(FAILED)
}

/// Executes the program in this process. It is killed when `confine enter` ends.
pub fn run(alive: &OsStr, directory: &OsStr, program: &OsStr, arguments: &[OsString]) -> ExitCode {
    if let Err(error) = prepare(alive) {
        print_error(&format!("cannot run {}: {error}", program.display()));
        return ExitCode::from(FAILED);
    }
    let error = match std::env::set_current_dir(directory) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => {
            let directory = directory.display();
            print_error(&format!("cannot change to directory {directory}: {error}"));
            return exit_code(&error);
        }
    };
    print_error(&format!("cannot run {}: {error}", program.display()));
    exit_code(&error)
}

fn prepare(alive: &OsStr) -> io::Result<()> {
    let kill = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(kill))?;
    // `confine enter` may have ended before. It has no process id in this
    // namespace, but then its pipe is closed.
    let path = Path::new("/proc/self/fd").join(alive);
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let pipe = OpenOptions::new().read(true).custom_flags(flags).open(path);
    match pipe.and_then(|mut pipe| pipe.read(&mut [0])) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(io::Error::other("the command was killed")),
    }
    if let Some(number) = alive.to_str().and_then(|alive| alive.parse::<i32>().ok()) {
        nix::unistd::close(number)?;
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

fn exit_code(error: &io::Error) -> ExitCode {
    ExitCode::from(match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    })
}
