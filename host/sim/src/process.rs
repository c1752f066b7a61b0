//! Runs one process as the agent does, and watches it: its output line by line,
//! its end, and what else on_event meanwhile.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

/// The limit of a logged line, in bytes: longer ones are split.
const MAX_LINE: usize = 4096;
/// How long output is read after the process has ended: a child of it may hold
/// the pipe open.
const DRAIN: Duration = Duration::from_millis(100);
/// After what time a process is reported as slow.
const SLOW: Duration = Duration::from_secs(1);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It ran longer than it may, and was killed.
    TimedOut,
}

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Something that on_event while a process runs.
#[derive(Debug)]
pub enum ProcessEvent {
    /// It printed a line, or a chunk of a long one.
    Line(Stream, String),
    /// The first of the watched files can be read.
    Wakeup,
    /// It has taken a second.
    Slow,
}

/// How a process ended, and what it left.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// From its start to its end.
    pub duration: Duration,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
    /// Whether something it started still holds its output open.
    pub outlived: bool,
}

/// Runs a command in a process group of its own, without input, until it ends,
/// or `limit` is over, or the second file can be read; then the whole group is
/// killed. The first file is watched meanwhile.
pub fn run(
    mut command: Command,
    limit: Option<Duration>,
    [wakeup, interrupt]: [&dyn AsFd; 2],
    on_event: &mut dyn FnMut(ProcessEvent),
) -> std::io::Result<Finished> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let watched = watch(&mut child, started, limit, [wakeup, interrupt], on_event);
    if watched.is_err() {
        kill_group(&child);
    }
    // The process is reaped only here, so that its id is not reused before.
    let status = child.wait()?;
    let mut finished = watched?;
    if finished.exit != Exit::TimedOut {
        finished.exit = match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        };
    }
    Ok(finished)
}

fn kill_group(child: &Child) {
    // It fails if there is nobody left, which is what is wanted.
    let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// Waits until the process has ended and its output is read. The exit is only
/// known afterwards, but for one that took too long.
fn watch(
    child: &mut Child,
    started: Instant,
    limit: Option<Duration>,
    [wakeup, interrupt]: [&dyn AsFd; 2],
    on_event: &mut dyn FnMut(ProcessEvent),
) -> std::io::Result<Finished> {
    let ended = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut out: Pipe<ChildStdout> = Pipe::new(Stream::Out, child.stdout.take());
    let mut err: Pipe<ChildStderr> = Pipe::new(Stream::Err, child.stderr.take());
    let mut timers = Timers::new(started, limit);
    let mut exit = Exit::Code(0);
    let mut duration = None;
    let mut interrupted = false;
    loop {
        if duration.is_some() && out.is_closed() && err.is_closed() {
            break;
        }
        let end = duration.is_none().then_some((&ended, Source::End));
        let ready = [(wakeup.as_fd(), Source::Wakeup)].into_iter();
        let interrupt = (!interrupted).then(|| (interrupt.as_fd(), Source::Interrupt));
        let ready = ready.chain(interrupt);
        let ready = ready.chain(end.map(|(end, source)| (end.as_fd(), source)));
        let ready = ready
            .chain(out.open(Source::Out))
            .chain(err.open(Source::Err));
        let ready = ready
            .map(|(fd, source)| (PollFd::from_borrowed_fd(fd, PollFlags::IN), source))
            .collect();
        let sources = poll(ready, timers.next())?;
        for source in &sources {
            match source {
                Source::Wakeup => on_event(ProcessEvent::Wakeup),
                Source::Interrupt => {
                    interrupted = true;
                    kill_group(child);
                }
                Source::Out => out.read(on_event)?,
                Source::Err => err.read(on_event)?,
                Source::End => {
                    duration = Some(started.elapsed());
                    timers = Timers::draining();
                }
            }
        }
        match timers.due() {
            Some(Timer::Slow) => on_event(ProcessEvent::Slow),
            Some(Timer::Limit) => {
                exit = Exit::TimedOut;
                kill_group(child);
            }
            Some(Timer::Drained) => break,
            None => {}
        }
    }
    let outlived = !out.is_closed() || !err.is_closed();
    Ok(Finished {
        exit,
        duration: duration.unwrap_or_else(|| started.elapsed()),
        stdout: out.finish(on_event),
        stderr: err.finish(on_event),
        outlived,
    })
}

#[derive(Clone, Copy)]
enum Source {
    Wakeup,
    Interrupt,
    End,
    Out,
    Err,
}

/// Waits for any of the sources, and returns those that are ready.
fn poll(
    ready: Vec<(PollFd<'_>, Source)>,
    timeout: Option<Duration>,
) -> std::io::Result<Vec<Source>> {
    let (mut files, sources): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match rustix::event::poll(&mut files, timeout.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let both = files.iter().zip(sources);
    let with_something = both.filter(|(file, _)| !file.revents().is_empty());
    Ok(with_something.map(|(_, source)| source).collect())
}

/// What is due at a time, each once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    Slow,
    Limit,
    Drained,
}

struct Timers(Vec<(Instant, Timer)>);

impl Timers {
    fn new(started: Instant, limit: Option<Duration>) -> Self {
        let limit = limit.and_then(|limit| started.checked_add(limit));
        let limit = limit.map(|at| (at, Timer::Limit));
        let slow = (started + SLOW, Timer::Slow);
        Timers(limit.into_iter().chain([slow]).collect())
    }

    fn draining() -> Self {
        Timers(vec![(Instant::now() + DRAIN, Timer::Drained)])
    }

    /// The time until the next one is due.
    fn next(&self) -> Option<Duration> {
        let next = self.0.iter().map(|(at, _)| *at).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn due(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let due = self.0.iter().position(|(at, _)| *at <= now)?;
        Some(self.0.remove(due).1)
    }
}

/// One of the process's outputs.
struct Pipe<R> {
    stream: Stream,
    /// None once nobody can write to it any more.
    pipe: Option<R>,
    all: Vec<u8>,
    /// Where the line begins that is not yet whole.
    line: usize,
}

impl<R: Read + AsFd> Pipe<R> {
    fn new(stream: Stream, pipe: Option<R>) -> Self {
        Pipe {
            stream,
            pipe,
            all: Vec::new(),
            line: 0,
        }
    }

    fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// What to wait on while it is open.
    fn open(&self, source: Source) -> Option<(BorrowedFd<'_>, Source)> {
        self.pipe.as_ref().map(|pipe| (pipe.as_fd(), source))
    }

    /// Reads once what there is.
    fn read(&mut self, on_event: &mut dyn FnMut(ProcessEvent)) -> std::io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        let mut buffer = [0; 16384];
        let count = match pipe.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        if count == 0 {
            self.pipe = None;
        }
        self.all.extend(buffer.iter().take(count));
        while let Some((line, skipped)) = next_line(self.all.get(self.line..).unwrap_or_default()) {
            self.line += line.len() + skipped;
            on_event(ProcessEvent::Line(self.stream, text(line)));
        }
        Ok(())
    }

    fn finish(self, on_event: &mut dyn FnMut(ProcessEvent)) -> Vec<u8> {
        let rest = self.all.get(self.line..).unwrap_or_default();
        if !rest.is_empty() {
            on_event(ProcessEvent::Line(self.stream, text(rest)));
        }
        self.all
    }
}

/// The first whole line, or the first chunk of a long one, and how many bytes
/// separate it from the next.
fn next_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    match bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n') {
        Some(end) => Some((bytes.get(..end)?, 1)),
        None if bytes.len() > MAX_LINE => {
            let newline = bytes.get(MAX_LINE) == Some(&b'\n');
            Some((bytes.get(..MAX_LINE)?, usize::from(newline)))
        }
        None => None,
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use crate::sim_event_queue::SimEventQueue;

    fn sh(script: &str, limit: Option<Duration>) -> (Finished, Vec<String>) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let mut lines = Vec::new();
        let (wakeup, interrupt) = (SimEventQueue::new().unwrap(), Interrupt::new().unwrap());
        let finished = run(command, limit, [&wakeup, &interrupt], &mut |event| {
            if let ProcessEvent::Line(stream, line) = event {
                lines.push(format!("{stream:?} {line}"));
            }
        });
        (finished.unwrap(), lines)
    }

    #[test]
    fn exit_codes_and_signals_are_reported() {
        for (script, wanted) in [
            ("exit 0", Exit::Code(0)),
            ("exit 3", Exit::Code(3)),
            ("kill -9 $$", Exit::Signal(9)),
        ] {
            assert_eq!(sh(script, None).0.exit, wanted, "{script}");
        }
    }

    #[test]
    fn output_is_split_into_lines() {
        let (finished, lines) = sh("printf 'a\\n\\nb\\r\\nc'", None);
        assert_eq!(lines, ["Out a", "Out ", "Out b", "Out c"]);
        assert_eq!(finished.stdout, b"a\n\nb\r\nc");
        assert!(!finished.outlived);
        assert_eq!(sh("echo x >&2", None).1, ["Err x"]);
    }

    #[test]
    fn long_lines_are_split() {
        for (length, wanted) in [
            (4095, vec![4095]),
            (4096, vec![4096]),
            (4097, vec![4096, 1]),
            (9000, vec![4096, 4096, 808]),
        ] {
            let (_, lines) = sh(&format!("printf '%0{length}d\\n' 0"), None);
            let lengths: Vec<usize> = lines.iter().map(|line| line.len() - "Out ".len()).collect();
            assert_eq!(lengths, wanted, "{length}");
        }
    }

    #[test]
    fn a_process_that_takes_too_long_is_killed_with_its_children() {
        let (finished, _) = sh("sleep 60 & sleep 60", Some(Duration::from_millis(50)));
        assert_eq!(finished.exit, Exit::TimedOut);
        assert!(finished.duration < Duration::from_secs(10));
        assert!(!finished.outlived, "a child still holds the output");
    }

    #[test]
    fn a_process_is_killed_when_the_simulation_is_interrupted() {
        let (wakeup, interrupt) = (SimEventQueue::new().unwrap(), Interrupt::new().unwrap());
        assert!(!interrupt.raise(2));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let finished = run(command, None, [&wakeup, &interrupt], &mut |_| {}).unwrap();
        assert_eq!(finished.exit, Exit::Signal(9));
        assert_eq!(interrupt.signal(), Some(2));
    }

    #[test]
    fn a_child_left_behind_does_not_hold_up_the_end() {
        let (finished, lines) = sh("echo a; sleep 3 & exit 0", None);
        assert_eq!(finished.exit, Exit::Code(0));
        assert!(finished.outlived);
        assert!(finished.duration < Duration::from_secs(2));
        assert_eq!(lines, ["Out a"]);
    }
}
