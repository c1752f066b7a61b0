//! Where programs run: isolated, or on this machine.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use charmhost_isolation::{IsolatedRoot, Root};
use charmhost_sim_model::UnitHost;

/// Where programs run.
#[derive(Debug)]
pub enum ExecutionTarget {
    /// In a root and namespaces of their own: the machine stays unchanged.
    Isolated(IsolatedRoot),
    /// On the machine itself.
    Host,
}

impl ExecutionTarget {
    /// A command that runs a program of the target, in a directory of it.
    pub fn command_in(&self, dir: &Path, program: &Path) -> Command {
        match self {
            ExecutionTarget::Isolated(root) => root.command_in(dir, program),
            ExecutionTarget::Host => {
                let mut command = Command::new(program);
                command.current_dir(dir);
                command
            }
        }
    }

    /// The target's `/`.
    pub fn root(&self) -> Root {
        match self {
            ExecutionTarget::Isolated(root) => root.root(),
            ExecutionTarget::Host => Root::default(),
        }
    }

    /// Reads a file of the target.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            ExecutionTarget::Isolated(root) => root.read(path),
            ExecutionTarget::Host => std::fs::read(path),
        }
    }

    /// Writes a file of the target, with the directories above it.
    pub fn write(&self, path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let on_host = match self {
            ExecutionTarget::Isolated(root) => {
                root.create_dir_all(parent)?;
                root.write(path, bytes)?;
                root.path_on_host(path)?
            }
            ExecutionTarget::Host => {
                std::fs::create_dir_all(parent)?;
                std::fs::write(path, bytes)?;
                path.to_path_buf()
            }
        };
        match mode {
            Some(mode) => std::fs::set_permissions(on_host, std::fs::Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }
}

/// The machine of a charm, for hook tools: the files below its root.
pub struct CharmHost(pub Root);

impl UnitHost for CharmHost {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.write(path, bytes)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
