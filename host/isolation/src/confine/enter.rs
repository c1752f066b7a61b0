//! `confine enter` and `confine run`: a program in a world.

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
use crate::failed::print_error;

/// What could end this process before the program that it waits for.
const ENDING: [Signal; 9] = [
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

/// Enters a world, runs a program there, and ends as it does.
pub fn enter(
    pid: &OsStr,
    namespace: &OsStr,
    directory: &OsStr,
    program: &OsStr,
    arguments: &[OsString],
) -> ExitCode {
    // They are kept from this process only: `run` lets them through again.
    let blocked = ENDING.into_iter().collect::<SigSet>().thread_block();
    if let Err(error) = blocked
        .map_err(io::Error::from)
        .and_then(|()| go(pid, namespace))
    {
        print_error(&format!("cannot enter the world: {error}"));
        return ExitCode::from(FAILED);
    }
    match start(directory, program, arguments) {
        Ok(status) => end_as(status),
        Err(error) => {
            print_error(&format!("cannot run confine in the world: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Runs the program, with the reading end of a pipe that closes when this
/// process ends in whatever way.
fn start(directory: &OsStr, program: &OsStr, arguments: &[OsString]) -> io::Result<ExitStatus> {
    let (alive, _held) = io::pipe()?;
    rustix::io::fcntl_setfd(&alive, FdFlags::empty())?;
    // The path leads to this program even where the world does not have it.
    let mut command = Command::new("/proc/self/exe");
    command.arg("run").arg(alive.as_raw_fd().to_string());
    command.arg(directory).arg(program).args(arguments);
    command.spawn()?.wait()
}

fn go(pid: &OsStr, namespace: &OsStr) -> io::Result<()> {
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
    // Without leave to change them, this user's groups stay, as nobody's.
    let _ = rustix::thread::set_thread_groups(&[]);
    Ok(())
}

/// Whether a process has the network of this one, which only the machine's root
/// may join.
fn shares_network(pid: &OsStr) -> bool {
    let network = |process: &OsStr| {
        let link = Path::new("/proc").join(process).join("ns/net");
        std::fs::read_link(link).ok()
    };
    network(pid).is_some_and(|theirs| network("self".as_ref()) == Some(theirs))
}

/// Ends this process as another one ended.
fn end_as(status: ExitStatus) -> ExitCode {
    if let Some(code) = status.code() {
        return ExitCode::from(u8::try_from(code).unwrap_or(FAILED));
    }
    if let Some(signal) = status
        .signal()
        .and_then(|signal| Signal::try_from(signal).ok())
    {
        // The program has dumped its core; this one's is of no use.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = rustix::process::setrlimit(Resource::Core, none);
        if signal == Signal::SIGPIPE {
            // Rust programs ignore this signal; starting another program ends
            // that, and this one does not exist.
            let _ = Command::new("/dev/null/none").exec();
        }
        // A signal that was kept back arrives now, and no other one.
        let _ = SigSet::from(signal).thread_unblock();
        // Rust handles some signals once, and lets them have their way then.
        for _ in 0..2 {
            let _ = nix::sys::signal::raise(signal);
        }
    }
    ExitCode::from(FAILED)
}

/// Becomes the program, which dies when the process outside dies.
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
            return code(&error);
        }
    };
    print_error(&format!("cannot run {}: {error}", program.display()));
    code(&error)
}

fn prepare(alive: &OsStr) -> io::Result<()> {
    let kill = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(kill))?;
    // The process outside may have died before. It has no number in the world
    // by which to tell, but its pipe is closed then.
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

fn code(error: &io::Error) -> ExitCode {
    ExitCode::from(match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    })
}
