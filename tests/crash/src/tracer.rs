//! Runs a program under the eyes of the system, and ends it at a system call
//! that changes something.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// At which system call the program ends, counted from 1, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The call is not made.
    Before(usize),
    /// It is made, and nothing after it.
    After(usize),
    /// Half of the bytes are written, and nothing after it.
    Torn(usize),
}

impl Cut {
    fn number(self) -> usize {
        match self {
            Cut::Before(number) | Cut::After(number) | Cut::Torn(number) => number,
        }
    }
}

/// A system call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: &'static str,
    /// Whether it writes more than one byte to a file.
    pub can_tear: bool,
}

/// How a run ended.
pub struct Run {
    /// The exit code; none if it was ended.
    pub code: Option<i32>,
    pub changes: Vec<Change>,
}

/// The calls that change files or tell somebody something: their numbers on
/// this architecture, their names, and which argument is the number of bytes.
const CHANGING: [(u64, &str, bool); 22] = [
    (1, "write", true),
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
    (263, "unlinkat", false),
    (264, "renameat", false),
    (268, "fchmodat", false),
    (296, "pwritev", false),
    (316, "renameat2", false),
];

/// Starts the program in the hands of a shell that waits, so that nothing of it
/// runs unseen.
fn start(mut command: Command, program: &str) -> anyhow::Result<Child> {
    command
        .args(["-c", "read -r go && exec \"$0\"", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("cannot start the shell")
}

/// Runs a program; `command` is a shell with the program's directory and
/// environment. `watched` is told its process.
pub fn run(
    command: Command,
    program: &str,
    cut: Option<Cut>,
    watched: impl FnOnce(Pid),
) -> anyhow::Result<Run> {
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
    let mut trace = Trace {
        pid,
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
                }
                go_on(stopped, None);
            }
            WaitStatus::PtraceSyscall(stopped) => {
                // Other threads only look at the clock.
                if stopped == pid && trace.running {
                    match trace.system_call() {
                        // The agent has ended it at this very moment.
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
                let number = self.changes.len();
                let is_it = |cut: &Cut| *cut != Cut::Before(number) && cut.number() == number;
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
        let target = std::fs::read_link(format!("/proc/{}/fd/{}", self.pid, registers.rdi));
        let is_file = target.is_ok_and(|path| path.is_file());
        let can_tear = *has_count && is_file && registers.rdx > 1;
        self.changes.push(Change { name, can_tear });
        self.entered = Some(Entered::Change);
        let number = self.changes.len();
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
}
