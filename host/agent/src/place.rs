//! Where programs run: in a world of their own, or on this machine.

use std::io;
use std::path::Path;
use std::process::Command;

use charmhost_isolation::{IsolatedRoot, Root};

/// Where programs run.
#[derive(Debug)]
pub enum Place {
    /// In a world that leaves the machine unchanged.
    IsolatedRoot(IsolatedRoot),
    /// On the machine itself.
    Machine,
}

impl Place {
    /// A command that runs a program of the place, in a directory of the place.
    pub fn command_in(&self, dir: &Path, program: &Path) -> Command {
        match self {
            Place::IsolatedRoot(world) => world.command_in(dir, program),
            Place::Machine => {
                let mut command = Command::new(program);
                command.current_dir(dir);
                command
            }
        }
    }

    /// The place's `/`.
    pub fn root(&self) -> Root {
        match self {
            Place::IsolatedRoot(world) => world.root(),
            Place::Machine => Root::default(),
        }
    }

    /// Reads a file of the place.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Place::IsolatedRoot(world) => world.read(path),
            Place::Machine => std::fs::read(path),
        }
    }

    /// Writes a file of the place, with the directories above it.
    pub fn write(&self, path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let on_host = match self {
            Place::IsolatedRoot(world) => {
                world.create_dir_all(parent)?;
                world.write(path, bytes)?;
                world.path_on_host(path)?
            }
            Place::Machine => {
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
