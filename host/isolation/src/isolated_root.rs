//! A running isolated root, seen from outside.

mod spec;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

use crate::wire::{self, Failure, Report, Step};
use crate::{Error, Root, advice, ids};

pub use spec::{Bind, Network, Spec};

/// Path of the `confine` program in the directory of the running program.
///
/// # Errors
///
/// If the path of the running program is not known.
pub fn confine_beside_this_program() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("confine"))
}

/// Namespaces with an overlay root, in which programs run as root. It ends, with
/// all of its processes and files, when it is stopped or dropped, and when the
/// process that started it ends for whatever reason.
#[derive(Debug)]
pub struct IsolatedRoot {
    confine: PathBuf,
    /// `confine supervise`, which ends everything when its standard input is
    /// closed.
    supervisor: Child,
    /// The first process inside, in the machine's process namespace.
    pid: u32,
    /// Target of `/proc/<pid>/ns/mnt`, to detect that the id was reused by
    /// another process.
    namespace: OsString,
    /// Removed on drop.
    _scratch: Option<TempDir>,
}

impl IsolatedRoot {
    /// Sets it up. No program runs in it yet.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the machine does not allow it, with what to change.
    pub fn start(spec: &Spec<'_>) -> Result<Self, Error> {
        match Self::try_start(spec, None)? {
            Ok(started) => Ok(started),
            Err(failure) if failure.step == Step::TmpfsXattrs => {
                let scratch = TempDir::new_in(&spec.scratch).map_err(|source| Error::Step {
                    what: format!("cannot make a directory in {}", spec.scratch.display()),
                    source,
                })?;
                Self::try_start(spec, Some(scratch))?.map_err(advice::explain)
            }
            Err(failure) => Err(advice::explain(failure)),
        }
    }

    fn try_start(
        spec: &Spec<'_>,
        scratch: Option<TempDir>,
    ) -> Result<Result<Self, Failure>, Error> {
        let confine = |source| Error::Confine {
            program: spec.confine.clone(),
            source,
        };
        let config = config(spec, scratch.as_ref());
        let config = serde_json::to_string(&config).map_err(|error| confine(error.into()))?;
        let mut command = Command::new(&spec.confine);
        command.args(["supervise", &config]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A new process group, so that Ctrl-C in a terminal does not end it
        // before the caller has stopped the programs inside.
        let mut supervisor = command.process_group(0).spawn().map_err(confine)?;
        let made = follow(&mut supervisor, &spec.confine);
        let made = made.and_then(|made| {
            let Ok(pid) = made else {
                return Ok(made.map(|_| (0, OsString::new())));
            };
            let namespace = fs::read_link(format!("/proc/{pid}/ns/mnt")).map_err(confine)?;
            Ok(Ok((pid, namespace.into_os_string())))
        });
        match made {
            Ok(Ok((pid, namespace))) => Ok(Ok(IsolatedRoot {
                confine: spec.confine.clone(),
                supervisor,
                pid,
                namespace,
                _scratch: scratch,
            })),
            Ok(Err(failure)) => {
                end(&mut supervisor);
                Ok(Err(failure))
            }
            Err(error) => {
                end(&mut supervisor);
                Err(error)
            }
        }
    }

    /// Returns a command that runs a program inside, as root, in `/`. See
    /// [`IsolatedRoot::command_in`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in("/", program)
    }

    /// Returns a command that runs a program inside, as root, in a directory.
    ///
    /// Arguments, environment and standard streams are those of the command; a
    /// program name without a slash is searched for inside, in the `PATH` of that
    /// environment. `current_dir` of the command is a directory of the machine
    /// and does not affect the program.
    ///
    /// The command ends with the exit code or signal of the program. If the
    /// program cannot be run, the reason is printed to standard error, and the
    /// exit code is 127 if the program or the directory does not exist, 125 if
    /// the isolated root has stopped, otherwise 126. The program is in the
    /// command's process group: signal the group. Of signals sent to the
    /// command's process alone, KILL kills the program and other signals that
    /// would end it are ignored.
    pub fn command_in(&self, directory: impl AsRef<Path>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.confine);
        command.arg("enter").arg(self.pid.to_string());
        command.arg(&self.namespace).arg(directory.as_ref());
        command.arg(program);
        command
    }

    /// Path on the machine of a file inside: below `/proc`, without symbolic
    /// links, valid until the isolated root stops.
    ///
    /// # Errors
    ///
    /// As for opening a file.
    pub fn path_on_host(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let file = self.open(path.as_ref(), OFlags::PATH, Mode::empty())?;
        let inside = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(self
            .root()
            .path()
            .join(inside.strip_prefix("/").unwrap_or(&inside)))
    }

    /// Reads a file inside.
    ///
    /// # Errors
    ///
    /// As for reading a file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.root().read(path)
    }

    /// Writes a file inside, in an existing directory. A new file has mode 0644.
    ///
    /// # Errors
    ///
    /// As for writing a file.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        self.root().write(path, bytes)
    }

    /// The `/` inside, for opening files without a borrow of the isolated root.
    /// Opening fails after it has stopped.
    pub fn root(&self) -> Root {
        Root::of_process(self.pid)
    }

    /// Creates a directory inside, and its parents if they do not exist.
    ///
    /// # Errors
    ///
    /// As for creating a directory.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut parent = self.open(Path::new("/"), OFlags::PATH, Mode::empty())?;
        let mut reached = PathBuf::from("/");
        for component in path.as_ref().components() {
            let Component::Normal(name) = component else {
                continue;
            };
            match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            reached.push(name);
            parent = self.open(&reached, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        }
        Ok(())
    }

    /// Kills every process inside and discards all written files. Dropping does
    /// the same.
    pub fn stop(self) {}

    /// The first process inside, in the machine's process namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
        self.root().open(path, flags, mode)
    }
}

impl Drop for IsolatedRoot {
    fn drop(&mut self) {
        end(&mut self.supervisor);
    }
}

/// Closes the supervisor's standard input, which makes it end everything, and
/// waits for it.
fn end(supervisor: &mut Child) {
    drop(supervisor.stdin.take());
    // It cannot fail: the supervisor is a child of this process, and nothing else waits for it.
    let _ = supervisor.wait();
}

fn config(spec: &Spec<'_>, scratch: Option<&TempDir>) -> wire::Config {
    let binds = spec.binds.iter().map(|bind| wire::Bind {
        source: bind.source.clone(),
        target: bind.target.clone(),
        read_only: bind.read_only,
    });
    wire::Config {
        hostname: spec.hostname.clone(),
        network: match spec.network {
            Network::Host => wire::Network::Host,
            Network::Private => wire::Network::Private,
            Network::Joined(other) => wire::Network::Joined(other.pid()),
        },
        binds: binds.collect(),
        scratch: scratch.map(|scratch| scratch.path().to_owned()),
    }
}

/// Reads the reports of `confine supervise` until it is ready, and maps ids when
/// requested. Returns the id of the first process inside.
fn follow(supervisor: &mut Child, program: &Path) -> Result<Result<u32, Failure>, Error> {
    let no_report = |detail: String| Error::NoReport {
        program: program.to_owned(),
        detail,
    };
    let output = supervisor.stdout.take();
    for line in output
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        let line = line.map_err(|error| no_report(format!("cannot be read from: {error}")))?;
        let report = serde_json::from_str(&line);
        match report.map_err(|error| no_report(format!("reported {line:?}: {error}")))? {
            Report::Unmapped { pid, root } => {
                match root {
                    true => ids::map_all(pid)?,
                    false => ids::map_this_user(pid)?,
                }
                // If it has ended, the next line or the end of the output shows why.
                let _ = supervisor
                    .stdin
                    .as_mut()
                    .map(|input| input.write_all(b"\n"));
            }
            Report::Failed(failure) => return Ok(Err(failure)),
            Report::Ready { pid } => return Ok(Ok(pid)),
        }
    }
    Err(no_report("ended without a report".to_owned()))
}
