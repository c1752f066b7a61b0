//! The attempts, by name.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};

use crate::scene::{Scene, read};

type Attempt = (&'static str, fn(&Scene) -> Result<()>);

fn append(scene: &Scene, name: &str) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(scene.path(name))?;
    file.write_all(b"x")
}

fn execute(program: impl AsRef<std::ffi::OsStr>) -> Result<()> {
    let status = Command::new(program).stdin(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::other(status.to_string())),
    }
}

/// Opens a file that was found before the restriction.
fn open_from_outside(scene: &Scene, flags: OFlags) -> Result<()> {
    rustix::fs::openat(scene.outside(), "secret", flags, Mode::empty())?;
    Ok(())
}

fn make(path: std::path::PathBuf, kind: FileType) -> Result<()> {
    Ok(rustix::fs::mknodat(CWD, path, kind, Mode::RWXU, 0)?)
}

pub const ATTEMPTS: &[Attempt] = &[
    ("read", |s| read(s.path("outside/secret"))),
    ("read-passwd", |_| read("/etc/passwd")),
    ("read-beside-a-granted-file", |s| read(s.path("beside"))),
    ("read-through-dots", |s| {
        read(s.path("writable/../outside/secret"))
    }),
    ("read-through-link", |s| read(s.path("writable/to-secret"))),
    ("read-through-directory-link", |s| {
        read(s.path("writable/out/secret"))
    }),
    ("read-in-working-directory", |_| read("secret")),
    ("read-from-an-open-directory", |s| {
        open_from_outside(s, OFlags::RDONLY)
    }),
    ("read-in-another-thread", |s| {
        std::thread::scope(|scope| {
            let found = scope.spawn(|| read(s.path("outside/secret")));
            found
                .join()
                .unwrap_or_else(|_| Err(ErrorKind::Other.into()))
        })
    }),
    ("read-process", |_| read("/proc/self/environ")),
    ("read-through-root-of-the-process", |s| {
        read(format!(
            "/proc/self/root{}",
            s.path("outside/secret").display()
        ))
    }),
    ("read-through-working-directory", |_| {
        read("/proc/self/cwd/secret")
    }),
    ("read-through-descriptor", |s| {
        let fd = s.outside().as_raw_fd();
        read(format!("/proc/self/fd/{fd}/secret"))
    }),
    ("read-device", |_| read("/dev/zero")),
    ("open-for-nothing-and-again", |s| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let path = rustix::fs::open(s.path("outside/secret"), flags, Mode::empty())?;
        read(format!("/proc/self/fd/{}", path.as_raw_fd()))
    }),
    ("list", |s| fs::read_dir(s.path("outside")).map(drop)),
    ("list-above", |s| fs::read_dir(s.path("")).map(drop)),
    ("list-root", |_| fs::read_dir("/").map(drop)),
    ("overwrite", |s| fs::write(s.path("outside/secret"), "x")),
    ("append", |s| append(s, "outside/secret")),
    ("truncate", |s| {
        let file = OpenOptions::new()
            .write(true)
            .open(s.path("outside/secret"))?;
        file.set_len(0)
    }),
    ("truncate-by-opening", |s| {
        File::create(s.path("outside/secret")).map(drop)
    }),
    ("write-from-an-open-directory", |s| {
        open_from_outside(s, OFlags::WRONLY)
    }),
    ("write-through-link", |s| append(s, "writable/to-secret")),
    ("write-device", |_| fs::write("/dev/null", "x")),
    ("create", |s| fs::write(s.path("outside/new"), "x")),
    ("create-through-link", |s| {
        fs::write(s.path("writable/out/new"), "x")
    }),
    ("make-directory", |s| fs::create_dir(s.path("outside/new"))),
    ("make-link", |s| symlink("secret", s.path("outside/new"))),
    ("make-pipe", |s| make(s.path("outside/new"), FileType::Fifo)),
    ("make-socket", |s| {
        UnixListener::bind(s.path("outside/new")).map(drop)
    }),
    ("remove", |s| fs::remove_file(s.path("outside/secret"))),
    ("remove-directory", |s| {
        fs::remove_dir(s.path("outside/empty"))
    }),
    ("rename", |s| {
        fs::rename(s.path("outside/secret"), s.path("outside/new"))
    }),
    ("rename-over", |s| {
        fs::rename(s.path("outside/secret"), s.path("outside/other"))
    }),
    ("rename-from-outside", |s| {
        fs::rename(s.path("outside/secret"), s.path("writable/new"))
    }),
    ("rename-to-outside", |s| {
        fs::rename(s.path("writable/own"), s.path("outside/new"))
    }),
    ("rename-directory-to-outside", |s| {
        fs::rename(s.path("writable/sub"), s.path("outside/new"))
    }),
    ("rename-from-an-open-directory", |s| {
        let outside = s.outside();
        Ok(rustix::fs::renameat(outside, "secret", outside, "new")?)
    }),
    ("link-from-outside", |s| {
        fs::hard_link(s.path("outside/secret"), s.path("writable/new"))
    }),
    ("link-to-outside", |s| {
        fs::hard_link(s.path("writable/own"), s.path("outside/new"))
    }),
    ("link-from-an-open-directory", |s| {
        let none = AtFlags::empty();
        let to = s.path("writable/new");
        Ok(rustix::fs::linkat(s.outside(), "secret", CWD, to, none)?)
    }),
    ("execute", |_| execute("/bin/true")),
    ("execute-outside", |s| execute(s.path("outside/program"))),
    ("execute-what-is-writable", |s| {
        execute(s.path("writable/program"))
    }),
    ("write-what-is-read", |s| {
        fs::write(s.path("readable/public"), "x")
    }),
    ("append-to-what-is-read", |s| append(s, "readable/public")),
    ("write-granted-file", |s| append(s, "file")),
    ("create-in-what-is-read", |s| {
        fs::write(s.path("readable/new"), "x")
    }),
    ("make-directory-in-what-is-read", |s| {
        fs::create_dir(s.path("readable/new"))
    }),
    ("make-link-in-what-is-read", |s| {
        symlink("public", s.path("readable/new"))
    }),
    ("remove-what-is-read", |s| {
        fs::remove_file(s.path("readable/public"))
    }),
    ("remove-directory-that-is-read", |s| {
        fs::remove_dir(s.path("readable/sub"))
    }),
    ("rename-what-is-read", |s| {
        fs::rename(s.path("readable/public"), s.path("readable/new"))
    }),
    ("rename-out-of-what-is-read", |s| {
        fs::rename(s.path("readable/public"), s.path("writable/new"))
    }),
    ("link-out-of-what-is-read", |s| {
        // Who may write the new name could write the file.
        fs::hard_link(s.path("readable/public"), s.path("writable/new"))
    }),
    ("link-granted-file", |s| {
        fs::hard_link(s.path("file"), s.path("writable/new"))
    }),
    ("make-pipe-in-what-is-written", |s| {
        make(s.path("writable/new"), FileType::Fifo)
    }),
    ("make-socket-in-what-is-written", |s| {
        UnixListener::bind(s.path("writable/new")).map(drop)
    }),
    ("connect", |s| {
        TcpStream::connect(("127.0.0.1", s.forbidden_port())).map(drop)
    }),
    ("connect-to-any", |s| {
        TcpStream::connect(("0.0.0.0", s.forbidden_port())).map(drop)
    }),
    ("connect-over-6", |s| {
        TcpStream::connect(s.forbidden_address6()?).map(drop)
    }),
    ("connect-over-mapped", |s| {
        let mapped = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        TcpStream::connect((mapped, s.forbidden_port())).map(drop)
    }),
    ("bind", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("bind-over-6", |_| {
        let bound = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0));
        match bound.map(drop) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => {
                // There is no IPv6.
                TcpListener::bind("127.0.0.1:0").map(drop)
            }
            other => other,
        }
    }),
    ("bind-on-all-addresses", |_| {
        TcpListener::bind("0.0.0.0:0").map(drop)
    }),
];
