//! Files and ports, some of them granted.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Directories and files, some of which are granted; and two listeners, one of
/// which is.
pub struct Scene {
    dir: PathBuf,
    home: PathBuf,
    writable: File,
    readable: File,
    file: File,
    /// Opened before the restriction, which must not help.
    outside: File,
    forbidden: TcpListener,
    forbidden6: Option<TcpListener>,
    granted: TcpListener,
}

impl Scene {
    pub fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir_in("/var/tmp")?.keep();
        for name in [
            "writable/sub",
            "readable/sub",
            "outside/sub",
            "outside/empty",
        ] {
            fs::create_dir_all(dir.join(name))?;
        }
        for name in [
            "writable/own",
            "readable/public",
            "outside/secret",
            "outside/other",
            "file",
            "beside",
        ] {
            fs::write(dir.join(name), name)?;
        }
        for name in ["writable/program", "outside/program"] {
            fs::write(dir.join(name), "#!/bin/sh\nexit 0\n")?;
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755))?;
        }
        symlink(dir.join("outside"), dir.join("writable/out"))?;
        symlink(dir.join("outside/secret"), dir.join("writable/to-secret"))?;
        let home = std::env::current_dir()?;
        std::env::set_current_dir(dir.join("outside"))?;
        let open = |name: &str| File::open(dir.join(name)).with_context(|| name.to_owned());
        Ok(Scene {
            writable: open("writable")?,
            readable: open("readable")?,
            file: open("file")?,
            outside: open("outside")?,
            forbidden: TcpListener::bind("127.0.0.1:0")?,
            forbidden6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok(),
            granted: TcpListener::bind("127.0.0.1:0")?,
            home,
            dir,
        })
    }

    /// Removes it, as long as nothing is restricted.
    pub fn leave(self) -> anyhow::Result<()> {
        std::env::set_current_dir(&self.home)?;
        Ok(fs::remove_dir_all(&self.dir)?)
    }

    /// Checks that granted access works, so that failures are due to the restriction.
    pub fn check(&self) -> anyhow::Result<()> {
        fs::write(self.path("writable/checked"), "x").context("cannot write")?;
        fs::rename(
            self.path("writable/checked"),
            self.path("writable/sub/moved"),
        )
        .context("cannot rename between directories")?;
        fs::remove_file(self.path("writable/sub/moved")).context("cannot remove")?;
        fs::read(self.path("readable/public")).context("cannot read in a directory")?;
        fs::read(self.path("file")).context("cannot read a file")?;
        TcpStream::connect(self.granted.local_addr()?).context("cannot connect")?;
        Ok(())
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    pub fn writable(&self) -> BorrowedFd<'_> {
        self.writable.as_fd()
    }

    pub fn readable(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }

    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub fn outside(&self) -> BorrowedFd<'_> {
        self.outside.as_fd()
    }

    pub fn granted_port(&self) -> u16 {
        self.granted
            .local_addr()
            .map_or(0, |address| address.port())
    }

    pub fn forbidden_port(&self) -> u16 {
        self.forbidden
            .local_addr()
            .map_or(0, |address| address.port())
    }

    /// The same over IPv6, or over IPv4 where there is no other.
    pub fn forbidden_address6(&self) -> std::io::Result<std::net::SocketAddr> {
        match &self.forbidden6 {
            Some(listener) => listener.local_addr(),
            None => self.forbidden.local_addr(),
        }
    }
}

/// Reads a file that must not be empty.
pub fn read(path: impl AsRef<Path>) -> std::io::Result<()> {
    let mut byte = [0];
    File::open(path)?.read_exact(&mut byte)
}
