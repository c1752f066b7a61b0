//! Runs a program under ptrace, and kills it at a system call that changes
//! something.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

/// The system call at which the program is killed, counted from 1, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The call is not made.
    Before(usize),
    /// It is made, and nothing after it.
    After(usize),
    /// Half of the bytes are written, and nothing after it.
    Torn(usize),
    /// It is killed so long after this call begins; 0 is the program's start.
    Delayed(usize, Duration),
}

impl Cut {
    fn number(self) -> usize {
        match self {
            Cut::Before(number)
            | Cut::After(number)
            | Cut::Torn(number)
            | Cut::Delayed(number, _) => number,
        }
    }
}

/// A system call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: &'static str,
    /// Whether it writes more than one byte to a file.
    pub can_tear: bool,
    /// Whether its path is the state file, its journal, or their directory.
    pub of_state: bool,
    /// Whether it has returned.
    pub is_done: bool,
}

/// How a run ended.
pub struct Run {
    /// The exit code; `None` if it was killed.
    pub code: Option<i32>,
    pub changes: Vec<Change>,
}

/// Calls that change files or send data: their numbers on this architecture, their
/// names, and the argument with the number of bytes.
const CHANGING: [(u64, &str, bool); 24] = [
    (1, "write", true),
    (2, "open", false),
    (18, "pwrite64", true),
    (20, "writev", false),
    (44, "sendto", false),
    (46, "sendmsg", false),
    (74, "fsync", false),
    (75, "fdatasync", false),
    (76, "truncate", false),
    (77, "ftruncate", false),
    (82, "rename", false),
    (83, "mkdir", false),
    (84, "rmdir", false),
    (86, "link", false),
    (87, "unlink", false),
    (88, "symlink", false),
    (90, "chmod", false),
    (91, "fchmod", false),
    (257, "openat", false),
    (263, "unlinkat", false),
    (264, "renameat", false),
    (268, "fchmodat", false),
    (296, "pwritev", false),
    (316, "renameat2", false),
];

/// `O_CREAT`.
const CREATE: u64 = 0o100;

/// Starts a shell that waits before it executes the program, so that the program
/// is traced from its first instruction.
fn start(mut command: Command, program: &str) -> anyhow::Result<Child> {
    command
        .args(["-c", "read -r go && exec \"$0\"", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("cannot start the shell")
}

/// Runs a program; `command` is a shell with the program's directory and
/// environment. `watched` gets its process.
pub fn run(
    command: Command,
    program: &str,
    cut: Option<Cut>,
    watched: impl FnOnce(Pid),
) -> anyhow::Result<Run> {
    let command_dir = command.get_current_dir().unwrap_or(Path::new("/"));
    let command_dir = command_dir.canonicalize()?;
    let mut child = start(command, program)?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).context("cannot trace; may this user use ptrace?")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"go\n")?;
    }
    watched(pid);
    let state = command_dir.join(charmhost_store::FILE_NAME);
    let mut trace = Trace {
        pid,
        state,
        cut,
        running: false,
        entered: None,
        changes: Vec::new(),
    };
    loop {
        let status = waitpid(None::<Pid>, Some(WaitPidFlag::__WALL))?;
        match status {
            WaitStatus::Exited(ended, code) if ended == pid => {
                return Ok(Run {
                    code: Some(code),
                    changes: trace.changes,
                });
            }
            WaitStatus::Signaled(ended, signal, _) if ended == pid => {
                if signal != Signal::SIGKILL {
                    bail!("the program was ended by {signal}");
                }
                return Ok(Run {
                    code: None,
                    changes: trace.changes,
                });
            }
            WaitStatus::PtraceEvent(stopped, _, event) => {
                if event == nix::libc::PTRACE_EVENT_EXEC {
                    trace.running = true;
                    trace.kill_later(0)?;
                }
                go_on(stopped, None);
            }
            WaitStatus::PtraceSyscall(stopped) => {
                // Other threads only look at the clock.
                if stopped == pid && trace.running {
                    match trace.system_call() {
                        // The agent has just killed it.
                        Ok(()) | Err(Errno::ESRCH) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                go_on(stopped, None);
            }
            WaitStatus::Stopped(stopped, signal) => go_on(stopped, Some(signal)),
            _ => {}
        }
    }
}

/// The program may be gone already: then there is nothing to go on with.
fn go_on(pid: Pid, signal: Option<Signal>) {
    let _ = ptrace::syscall(pid, signal);
}

struct Trace {
    pid: Pid,
    /// The path of the state file.
    state: PathBuf,
    cut: Option<Cut>,
    /// Whether the shell has become the program.
    running: bool,
    /// The call that is being made, if it is one that counts.
    entered: Option<Entered>,
    changes: Vec<Change>,
}

#[derive(Debug, PartialEq, Eq)]
enum Entered {
    /// Any call.
    Other,
    /// One that changes something.
    Change,
}

impl Trace {
    /// A call begins or ends.
    fn system_call(&mut self) -> nix::Result<()> {
        match self.entered.take() {
            None => self.begins(),
            Some(Entered::Other) => Ok(()),
            Some(Entered::Change) => {
                if let Some(change) = self.changes.last_mut() {
                    change.is_done = true;
                }
                let number = self.changes.len();
                let is_it = |cut: &Cut| {
                    !matches!(cut, Cut::Before(_) | Cut::Delayed(..)) && cut.number() == number
                };
                if self.cut.as_ref().is_some_and(is_it) {
                    kill(self.pid, Signal::SIGKILL)?;
                }
                Ok(())
            }
        }
    }

    fn begins(&mut self) -> nix::Result<()> {
        let mut registers = ptrace::getregs(self.pid)?;
        let known = CHANGING
            .iter()
            .find(|(number, ..)| *number == registers.orig_rax);
        let Some((_, name, has_count)) = known else {
            self.entered = Some(Entered::Other);
            return Ok(());
        };
        let (is_open, arguments) = match *name {
            "open" => (true, (registers.rdi, registers.rsi)),
            "openat" => (true, (registers.rsi, registers.rdx)),
            "unlinkat" => (false, (registers.rsi, 0)),
            _ => (false, (registers.rdi, 0)),
        };
        if is_open && arguments.1 & CREATE == 0 {
            self.entered = Some(Entered::Other);
            return Ok(());
        }
        let path = match is_open || name.starts_with("unlink") {
            true => self.text(arguments.0),
            false => std::fs::read_link(format!("/proc/{}/fd/{}", self.pid, registers.rdi)).ok(),
        };
        let of_state = path.as_deref().is_some_and(|path| self.is_state(path));
        let is_file = path.is_some_and(|path| path.is_file());
        let can_tear = *has_count && is_file && registers.rdx > 1;
        self.changes.push(Change {
            name,
            can_tear,
            of_state,
            is_done: false,
        });
        self.entered = Some(Entered::Change);
        let number = self.changes.len();
        self.kill_later(number)?;
        if self.cut == Some(Cut::Before(number)) {
            // No such call.
            registers.orig_rax = u64::MAX;
            ptrace::setregs(self.pid, registers)?;
            kill(self.pid, Signal::SIGKILL)?;
        } else if self.cut == Some(Cut::Torn(number)) && can_tear {
            registers.rdx /= 2;
            ptrace::setregs(self.pid, registers)?;
        }
        Ok(())
    }

    /// Whether a path is the state file, one of the files that SQLite makes
    /// beside it, or their directory.
    fn is_state(&self, path: &Path) -> bool {
        let name = self.state.as_os_str().as_encoded_bytes();
        let path = path.as_os_str().as_encoded_bytes();
        path.starts_with(name)
            || self
                .state
                .parent()
                .is_some_and(|dir| dir.as_os_str().as_encoded_bytes() == path)
    }

    /// The path at an address of the program.
    fn text(&self, address: u64) -> Option<PathBuf> {
        let memory = std::fs::File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        let mut bytes = [0; 1024];
        let length = memory.read_at(&mut bytes, address).ok()?;
        let text = bytes.get(..length)?.split(|byte| *byte == 0).next()?;
        Some(PathBuf::from(String::from_utf8_lossy(text).into_owned()))
    }

    /// Starts the clock of a kill, if it runs from this call on.
    fn kill_later(&self, number: usize) -> nix::Result<()> {
        let Some(Cut::Delayed(from, delay)) = self.cut else {
            return Ok(());
        };
        let pid = rustix::process::Pid::from_raw(self.pid.as_raw());
        if from != number {
            return Ok(());
        }
        // Names this very process, also after it has ended.
        let process = pid
            .ok_or(Errno::ESRCH)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(|_| Errno::ESRCH))?;
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            let _ = pidfd_send_signal(process, rustix::process::Signal::KILL);
        });
        Ok(())
    }
}
