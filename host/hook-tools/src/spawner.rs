//! A process that runs programs for this one, which is about to restrict itself:
//! children inherit a restriction, and hook tools need access that a guest must
//! not have.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use charmhost_jujuc::{CallTimer, Expired, TimedStream};

use crate::frame::{Fields, Reader, Writer};
use crate::spawn::{self, Spawn, SpawnError};
use crate::transport::ToolOutput;

/// The first field of a reply.
const ENDED: &[u8] = b"ended";
const EXPIRED: &[u8] = b"expired";
const TOO_LONG: &[u8] = b"too long";
const FAILED: &[u8] = b"failed";

/// Runs programs in a process that was forked from this one.
///
/// That process has no file of this one open except their socket pair, and no
/// standard streams. It ends when the socket is closed, at the latest by the end
/// of this process; a program that is still running is then killed.
#[derive(Debug)]
pub struct ForkedSpawn {
    /// None after a request could not be sent completely.
    socket: Option<UnixStream>,
    reader: Reader,
    /// The number of requests whose replies were not read.
    open: u32,
}

impl ForkedSpawn {
    /// Forks the process.
    ///
    /// # Errors
    ///
    /// Those of a fork; and if this process has several threads: the forked
    /// process could wait for ever for a lock that none of its threads holds.
    pub fn fork() -> Result<Self> {
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        if threads != 1 {
            let text = format!("cannot fork: the process has {threads} threads");
            return Err(Error::other(text));
        }
        let (ours, theirs) = UnixStream::pair()?;
        if fork()? == Side::Child {
            drop(ours);
            // This is another process, with a copy of the caller's stack, which
            // must not be unwound here: it ends without returning.
            let served = std::panic::catch_unwind(|| serve(theirs));
            std::process::exit(i32::from(!matches!(served, Ok(Ok(())))));
        }
        Ok(ForkedSpawn {
            socket: Some(ours),
            reader: Reader::default(),
            open: 0,
        })
    }
}

impl Drop for ForkedSpawn {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // This fails if the process has ended.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Spawn for ForkedSpawn {
    fn spawn(
        &mut self,
        program: &Path,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> std::result::Result<ToolOutput, SpawnError> {
        let request = request(program, args, stdin, timer)?;
        let gone = || {
            Error::new(
                ErrorKind::BrokenPipe,
                "the process that runs hook tools has ended",
            )
        };
        let socket = self.socket.take().ok_or_else(gone)?;
        let mut stream = TimedStream::new(&socket, timer);
        if let Err(error) = stream.write_all(&request) {
            return Err(failed(&stream, error));
        }
        self.open += 1;
        loop {
            match self.reader.next(&mut stream) {
                Ok(Some(reply)) => {
                    self.open -= 1;
                    // The replies of programs that timed out come before it.
                    if self.open == 0 {
                        self.socket = Some(socket);
                        return read_reply(&reply, timer);
                    }
                }
                Ok(None) => return Err(gone().into()),
                Err(error) => {
                    let error = failed(&stream, error);
                    if matches!(error, SpawnError::Expired(_)) {
                        self.socket = Some(socket);
                    }
                    return Err(error);
                }
            }
        }
    }
}

fn failed(stream: &TimedStream, error: Error) -> SpawnError {
    match stream.expired() {
        Some(expired) => expired.into(),
        None => error.into(),
    }
}

fn request(
    program: &Path,
    args: &[String],
    stdin: Option<&[u8]>,
    timer: &CallTimer,
) -> Result<Vec<u8>> {
    let mut writer = Writer::default();
    let limit = timer.left().map_or(u64::MAX, |left| {
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
    });
    writer.field(&limit.to_be_bytes())?;
    writer.field(program.as_os_str().as_bytes())?;
    match stdin {
        Some(stdin) => {
            writer.field(b"input")?;
            writer.field(stdin)?;
        }
        None => writer.field(b"none")?,
    }
    for arg in args {
        writer.field(arg.as_bytes())?;
    }
    writer.finish()
}

fn read_reply(reply: &[u8], timer: &CallTimer) -> std::result::Result<ToolOutput, SpawnError> {
    let mut fields = Fields::of(reply);
    match fields.need()? {
        ENDED => {
            let code = fields.number()? as u32;
            Ok(ToolOutput {
                code: code.cast_signed(),
                stdout: fields.need()?.to_vec(),
                stderr: fields.need()?.to_vec(),
            })
        }
        EXPIRED => Err(SpawnError::Expired(Expired {
            limit: timer.limit().unwrap_or_default(),
        })),
        TOO_LONG => Err(SpawnError::TooLong),
        _ => {
            let text = String::from_utf8_lossy(fields.need()?).into_owned();
            Err(Error::other(text).into())
        }
    }
}

/// Runs the requested programs in the forked process, until the socket is closed.
fn serve(mut socket: UnixStream) -> Result<()> {
    close_files(&socket)?;
    let mut reader = Reader::default();
    while let Some(request) = reader.next(&mut socket)? {
        let reply = answer(&socket, &request)?;
        socket.write_all(&reply)?;
    }
    Ok(())
}

/// Closes every file except the socket. The standard streams become `/dev/null`:
/// a reader of the parent's output must not wait for this process.
fn close_files(socket: &UnixStream) -> Result<()> {
    use std::os::fd::AsRawFd;
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    let ours = socket.as_raw_fd();
    for file in open.into_iter().filter(|file| *file > 2 && *file != ours) {
        // The file by which the directory was read is closed already.
        let _ = nix::unistd::close(file);
    }
    Ok(())
}

fn answer(socket: &UnixStream, request: &[u8]) -> Result<Vec<u8>> {
    let mut fields = Fields::of(request);
    let limit = match fields.number()? {
        u64::MAX => None,
        limit => Some(Duration::from_millis(limit)),
    };
    let program = Path::new(OsStr::from_bytes(fields.need()?));
    let stdin = match fields.need()? {
        b"input" => Some(fields.need()?),
        _ => None,
    };
    let mut args = Vec::new();
    while let Some(arg) = fields.next()? {
        args.push(OsStr::from_bytes(arg));
    }
    let mut timer = CallTimer::new(limit);
    let mut writer = Writer::default();
    match spawn::run(program, &args, stdin, &mut timer, Some(socket.as_fd())) {
        Ok(output) => {
            writer.field(ENDED)?;
            let code = u64::from(output.code.cast_unsigned());
            writer.field(&code.to_be_bytes())?;
            writer.field(&output.stdout)?;
            writer.field(&output.stderr)?;
        }
        Err(SpawnError::Expired(_)) => writer.field(EXPIRED)?,
        Err(SpawnError::TooLong) => writer.field(TOO_LONG)?,
        Err(SpawnError::Io(error)) => {
            writer.field(FAILED)?;
            writer.field(error.to_string().as_bytes())?;
        }
    }
    writer.finish()
}

/// The process that returned from a fork.
#[derive(PartialEq, Eq)]
enum Side {
    Parent,
    Child,
}

#[allow(unsafe_code, reason = "there is no safe fork")]
fn fork() -> Result<Side> {
    // SAFETY: a fork of a process with several threads leaves locks of the other
    // threads, for example the allocator's, taken for ever, so that only
    // functions that are safe in signal handlers may be called. The caller has
    // checked that this thread is the only one, and nothing else can start one
    // meanwhile; then the child may call any function.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(Side::Child),
        nix::unistd::ForkResult::Parent { .. } => Ok(Side::Parent),
    }
}
