//! Runs programs to their end, with limits on time and memory.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use charmhost_jujuc::{CallTimer, Expired};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::limits::MAX_OUTPUT;
use crate::secret_values::ProgramArguments;
use crate::transport::ToolOutput;

/// A program that did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// It reached its time limit and was killed.
    #[error(transparent)]
    Expired(#[from] Expired),
    /// Its arguments are too long for the kernel.
    #[error("its arguments are too long")]
    TooLong,
    /// It could not be started, its pipes failed, or it printed too much.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A process that runs programs: this one, or one that it forked.
pub trait Spawn: Send {
    /// Runs a program with arguments and input, and waits for its end.
    fn spawn(
        &mut self,
        program: &Path,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> Result<ToolOutput, SpawnError>;
}

/// Starts programs as children of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectSpawn;

impl Spawn for DirectSpawn {
    fn spawn(
        &mut self,
        program: &Path,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> Result<ToolOutput, SpawnError> {
        run(program, args, stdin, timer, None)
    }
}

/// Runs a program, with values of secrets in files. Kills it at the time limit,
/// when it prints too much, and when the other end of `owner` is closed.
pub(crate) fn run(
    program: &Path,
    args: &[impl AsRef<OsStr>],
    stdin: Option<&[u8]>,
    timer: &mut CallTimer,
    owner: Option<BorrowedFd>,
) -> Result<ToolOutput, SpawnError> {
    let input = match stdin {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    // The agent reads the files while the program runs.
    let args = ProgramArguments::of(program, args)?;
    let mut child = Command::new(program)
        .args(args.iter())
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::ArgumentListTooLong => SpawnError::TooLong,
            _ => SpawnError::Io(error),
        })?;
    let ended = talk(&mut child, stdin.unwrap_or_default(), timer, owner)
        .and_then(|output| Ok((output, wait(&mut child, timer)?)));
    if ended.is_err() {
        // This fails if the program has ended.
        let _ = child.kill();
        child.wait()?;
    }
    let ((stdout, stderr), status) = ended?;
    let code = status.code().or(status.signal().map(|signal| -signal));
    Ok(ToolOutput {
        code: code.unwrap_or(1),
        stdout,
        stderr,
    })
}

/// A file that is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Input,
    Output,
    Errors,
    Owner,
}

/// Writes the input and reads both outputs, until the program closes them.
fn talk(
    child: &mut Child,
    mut input: &[u8],
    timer: &mut CallTimer,
    owner: Option<BorrowedFd>,
) -> Result<(Vec<u8>, Vec<u8>), SpawnError> {
    let mut stdin = child.stdin.take();
    if let Some(pipe) = &stdin {
        rustix::io::ioctl_fionbio(pipe, true).map_err(std::io::Error::from)?;
    }
    let mut stdout = Printed::new(child.stdout.take());
    let mut stderr = Printed::new(child.stderr.take());
    while stdout.pipe.is_some() || stderr.pipe.is_some() {
        if input.is_empty() {
            stdin = None;
        }
        let files = [
            (
                stdin.as_ref().map(AsFd::as_fd),
                PollFlags::OUT,
                Ready::Input,
            ),
            (stdout.fd(), PollFlags::IN, Ready::Output),
            (stderr.fd(), PollFlags::IN, Ready::Errors),
            // Only that it is closed: nothing is sent while a program runs.
            (owner, PollFlags::RDHUP, Ready::Owner),
        ];
        for ready in poll(files, timer)? {
            match ready {
                Ready::Input => write_some(&mut stdin, &mut input)?,
                Ready::Output => stdout.read()?,
                Ready::Errors => stderr.read()?,
                Ready::Owner => return Err(std::io::Error::from(ErrorKind::BrokenPipe).into()),
            }
        }
    }
    Ok((stdout.bytes, stderr.bytes))
}

fn poll(
    files: [(Option<BorrowedFd<'_>>, PollFlags, Ready); 4],
    timer: &mut CallTimer,
) -> Result<Vec<Ready>, SpawnError> {
    let open = |(file, flags, ready): (Option<_>, _, _)| {
        file.map(|file| (PollFd::from_borrowed_fd(file, flags), ready))
    };
    let (mut files, kinds): (Vec<_>, Vec<_>) = files.into_iter().filter_map(open).unzip();
    let wait = timer.wait()?;
    let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
    match rustix::event::poll(&mut files, wait.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
        Err(error) => return Err(std::io::Error::from(error).into()),
    }
    let both = files.iter().zip(kinds);
    let ready = both.filter(|(file, _)| !file.revents().is_empty());
    Ok(ready.map(|(_, kind)| kind).collect())
}

fn write_some(pipe: &mut Option<ChildStdin>, input: &mut &[u8]) -> std::io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    match open.write(input) {
        Ok(count) => *input = input.get(count..).unwrap_or_default(),
        Err(error) if is_for_now(&error) => {}
        // A tool that does not read its input is no error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => *pipe = None,
        Err(error) => return Err(error),
    }
    Ok(())
}

fn is_for_now(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What a program has printed on a stream, which is none once it is closed.
struct Printed<R> {
    pipe: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Printed<R> {
    fn new(pipe: Option<R>) -> Self {
        Printed {
            pipe,
            bytes: Vec::new(),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    fn read(&mut self) -> std::io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        let mut chunk = [0; 16384];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.bytes.extend(chunk.iter().take(count)),
            Err(error) if is_for_now(&error) => {}
            Err(error) => return Err(error),
        }
        match self.bytes.len() > MAX_OUTPUT {
            true => Err(std::io::Error::other(format!(
                "it prints more than {MAX_OUTPUT} bytes"
            ))),
            false => Ok(()),
        }
    }
}

/// Waits for the end of a program that has closed its outputs.
fn wait(child: &mut Child, timer: &mut CallTimer) -> Result<ExitStatus, SpawnError> {
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let most = timer.wait()?.unwrap_or(pause);
        std::thread::sleep(pause.min(most));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sh(
        script: &str,
        stdin: Option<&[u8]>,
        limit: Option<Duration>,
    ) -> Result<ToolOutput, SpawnError> {
        let args = ["-c".to_owned(), script.to_owned()];
        let mut timer = CallTimer::new(limit);
        DirectSpawn.spawn(Path::new("/bin/sh"), &args, stdin, &mut timer)
    }

    #[test]
    fn a_program_reads_its_input_while_it_prints() {
        let input = vec![b'x'; 1 << 20];
        let output = sh("cat; echo bad >&2; exit 3", Some(&input), None).unwrap();
        assert_eq!((output.code, output.stdout.len()), (3, 1 << 20));
        assert_eq!(output.stderr, b"bad\n");
        // A program need not read its input.
        assert_eq!(sh("exit 0", Some(&input), None).unwrap().code, 0);
        assert_eq!(sh("kill -9 $$", None, None).unwrap().code, -9);
        assert_eq!(sh("cat", None, None).unwrap().stdout, b"");
    }

    #[test]
    fn a_program_is_killed_at_its_time_limit() {
        let limit = Duration::from_millis(300);
        for script in [
            "exec sleep 60",
            "exec cat /dev/zero",
            "while :; do echo x; sleep 0.01; done",
            "exec >&- 2>&-; exec sleep 60",
        ] {
            let started = Instant::now();
            let ended = sh(script, None, Some(limit));
            let as_wanted = match &ended {
                Err(SpawnError::Expired(expired)) => expired.limit == limit,
                Err(SpawnError::Io(error)) => error.to_string().contains("prints more than"),
                Err(SpawnError::TooLong) | Ok(_) => false,
            };
            assert!(as_wanted, "{script}: {ended:?}");
            assert!(started.elapsed() < Duration::from_secs(10), "{script}");
        }
    }

    #[test]
    fn a_program_that_prints_without_end_is_killed() {
        let ended = sh("exec cat /dev/zero", None, None);
        assert!(matches!(ended, Err(SpawnError::Io(_))), "{ended:?}");
    }
}
