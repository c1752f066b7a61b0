//! A running world, seen from outside.

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
use crate::{Error, Network, Root, Spec, ids, probe};

/// The `confine` program in the directory of the running program.
///
/// # Errors
///
/// If the running program's own path is not known.
pub fn confine_beside_this_program() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("confine"))
}

/// A place in which programs run as root and change what they like. It ends,
/// with everything in it, when it is stopped or dropped, and when the process
/// that started it ends in whatever way.
#[derive(Debug)]
pub struct World {
    confine: PathBuf,
    /// The process that ends the world when its standard input is closed.
    holder: Child,
    /// The world's first process, as numbered outside.
    pid: u32,
    /// What `/proc/<pid>/ns/mnt` says: tells this world from a process that has
    /// the same id after the world's end.
    namespace: OsString,
    /// Removed when the world has ended.
    _scratch: Option<TempDir>,
}

impl World {
    /// Makes a world. Nothing runs in it yet.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the machine allows no worlds, and what to change.
    pub fn start(spec: &Spec<'_>) -> Result<Self, Error> {
        match Self::start_in(spec, None)? {
            Ok(world) => Ok(world),
            Err(failure) if failure.step == Step::MarksInMemory => {
                let scratch = TempDir::new_in(&spec.scratch).map_err(|source| Error::Step {
                    what: format!("cannot make a directory in {}", spec.scratch.display()),
                    source,
                })?;
                Self::start_in(spec, Some(scratch))?.map_err(probe::explain)
            }
            Err(failure) => Err(probe::explain(failure)),
        }
    }

    fn start_in(spec: &Spec<'_>, scratch: Option<TempDir>) -> Result<Result<Self, Failure>, Error> {
        let confine = |source| Error::Confine {
            program: spec.confine.clone(),
            source,
        };
        let config = config(spec, scratch.as_ref());
        let config = serde_json::to_string(&config).map_err(|error| confine(error.into()))?;
        let mut command = Command::new(&spec.confine);
        command.args(["hold", &config]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own, so that Ctrl-C in a terminal does not end the
        // world before the agent has taken leave of it.
        let mut holder = command.process_group(0).spawn().map_err(confine)?;
        let made = follow(&mut holder, &spec.confine);
        let made = made.and_then(|made| {
            let Ok(pid) = made else {
                return Ok(made.map(|_| (0, OsString::new())));
            };
            let namespace = fs::read_link(format!("/proc/{pid}/ns/mnt")).map_err(confine)?;
            Ok(Ok((pid, namespace.into_os_string())))
        });
        match made {
            Ok(Ok((pid, namespace))) => Ok(Ok(World {
                confine: spec.confine.clone(),
                holder,
                pid,
                namespace,
                _scratch: scratch,
            })),
            Ok(Err(failure)) => {
                end(&mut holder);
                Ok(Err(failure))
            }
            Err(error) => {
                end(&mut holder);
                Err(error)
            }
        }
    }

    /// A command that runs a program in the world, as root, in its root
    /// directory. See [`World::command_in`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in("/", program)
    }

    /// A command that runs a program in the world, as root, in a directory of
    /// the world.
    ///
    /// Arguments, environment and standard streams are those of the command; a
    /// program without a slash is looked for in the `PATH` of that environment,
    /// in the world. The command's own `current_dir` is a directory of the
    /// machine, and means nothing to the program.
    ///
    /// The command ends as the program does, by the same code or signal. If the
    /// program cannot be run, standard error says why, and the code is 127 if
    /// it or the directory does not exist, otherwise 126; 125 if the world has
    /// stopped. The program is in the command's process group, and is to be
    /// signalled by it: of the signals that reach only the command's process,
    /// KILL kills the program, and what else could end it is ignored.
    pub fn command_in(&self, directory: impl AsRef<Path>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.confine);
        command.arg("enter").arg(self.pid.to_string());
        command.arg(&self.namespace).arg(directory.as_ref());
        command.arg(program);
        command
    }

    /// Where the machine sees a file of the world: a path below `/proc`, free
    /// of symbolic links, that stops to exist with the world.
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

    /// Reads a file of the world.
    ///
    /// # Errors
    ///
    /// As for reading a file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.root().read(path)
    }

    /// Writes a file of the world, in a directory that exists. A new file may
    /// be read by all and written by its owner.
    ///
    /// # Errors
    ///
    /// As for writing a file.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        self.root().write(path, bytes)
    }

    /// The world's `/`, to open files in without holding the world. After the
    /// world's end nothing can be opened in it.
    pub fn root(&self) -> Root {
        Root::of_process(self.pid)
    }

    /// Makes a directory of the world and all above it that do not exist.
    ///
    /// # Errors
    ///
    /// As for making a directory.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut above = self.open(Path::new("/"), OFlags::PATH, Mode::empty())?;
        let mut reached = PathBuf::from("/");
        for component in path.as_ref().components() {
            let Component::Normal(name) = component else {
                continue;
            };
            match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            reached.push(name);
            above = self.open(&reached, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        }
        Ok(())
    }

    /// Ends the world: every process in it is killed, and what it wrote is
    /// gone. Dropping a world does the same.
    pub fn stop(self) {}

    /// The first process of the world, as numbered outside.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
        self.root().open(path, flags, mode)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

/// Closes the holder's standard input, at which it ends the world and itself.
fn end(holder: &mut Child) {
    drop(holder.stdin.take());
    // It cannot fail: the holder is this process's child, and is waited for here only.
    let _ = holder.wait();
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
            Network::Joined(world) => wire::Network::Joined(world.pid()),
        },
        binds: binds.collect(),
        scratch: scratch.map(|scratch| scratch.path().to_owned()),
    }
}

/// Follows what `confine hold` reports until the world is ready, and maps its
/// ids meanwhile. Gives the id of the world's first process.
fn follow(holder: &mut Child, program: &Path) -> Result<Result<u32, Failure>, Error> {
    let silent = |detail: String| Error::Silent {
        program: program.to_owned(),
        detail,
    };
    let output = holder.stdout.take();
    for line in output
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        let line = line.map_err(|error| silent(format!("cannot be heard: {error}")))?;
        let report = serde_json::from_str(&line);
        match report.map_err(|error| silent(format!("said {line:?}: {error}")))? {
            Report::Unmapped { pid, root } => {
                match root {
                    true => ids::map_all(pid)?,
                    false => ids::map_own(pid)?,
                }
                // If it is gone, the next line or its lack tells why.
                let _ = holder.stdin.as_mut().map(|input| input.write_all(b"\n"));
            }
            Report::Failed(failure) => return Ok(Err(failure)),
            Report::Ready { pid } => return Ok(Ok(pid)),
        }
    }
    Err(silent("ended without a word".to_owned()))
}
