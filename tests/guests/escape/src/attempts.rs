//! The attempts, by name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;

use charmhost::hook_tool;
use charmhost::prelude::*;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use super::Params;

type Tried = std::result::Result<String, Box<dyn std::error::Error>>;
type Attempt = (&'static str, fn(&Params) -> Tried);

pub fn run(params: &Params) -> Option<Tried> {
    let all = ATTEMPTS.iter();
    let found = all.into_iter().find(|(name, _)| *name == params.attempt);
    found.map(|(_, attempt)| attempt(params))
}

pub fn names() -> impl Iterator<Item = &'static str> {
    ATTEMPTS.iter().map(|(name, _)| *name)
}

fn held<T>(reason: impl Into<String>) -> std::result::Result<T, Box<dyn std::error::Error>> {
    Err(reason.into().into())
}

/// The one directory that the guest is given.
fn root() -> std::result::Result<Descriptor, Box<dyn std::error::Error>> {
    match get_directories().into_iter().next() {
        Some((directory, _)) => Ok(directory),
        None => held("no directory was given"),
    }
}

fn symlink(
    target: impl AsRef<str>,
    link: impl AsRef<str>,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let link = link.as_ref().trim_start_matches('/');
    Ok(root()?.symlink_at(target.as_ref(), link)?)
}

/// Opens and reads without the help of the standard library, which tidies
/// paths up.
fn read_raw(path: &str, flags: DescriptorFlags) -> Tried {
    let file = root()?.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), flags)?;
    let (bytes, _) = file.read(300, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is in a file, as far as it is of interest.
fn read(path: impl AsRef<Path>) -> Tried {
    let mut bytes = Vec::new();
    File::open(path)?.take(300).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: impl AsRef<Path>) -> Tried {
    let path = path.as_ref();
    fs::write(path, "overwritten by the guest")?;
    Ok(format!("wrote {}", path.display()))
}

fn secret(params: &Params) -> String {
    format!("{}/secret", params.outside)
}

fn own(name: &str) -> String {
    format!("{}/{name}", context().charm_dir)
}

/// So many steps up as lead out of every directory.
fn up(path: &str) -> String {
    format!("{}{}", "../".repeat(40), path.trim_start_matches('/'))
}

/// Makes a link, and reads through it.
fn link_and_read(link: &str, target: &str) -> Tried {
    symlink(target, link)?;
    read(link)
}

/// Something that only a change of the file itself can do.
fn succeeded<T>(result: std::io::Result<T>, what: &str) -> Tried {
    result?;
    Ok(what.to_owned())
}

fn list(path: &str) -> std::io::Result<Vec<String>> {
    let entries = fs::read_dir(path)?;
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().display().to_string());
    entries.map(name).collect()
}

/// A directory that shows what is not the guest's.
fn shows(path: &str, foreign: &[&str]) -> Tried {
    let names = list(path)?;
    match names.iter().find(|name| foreign.contains(&name.as_str())) {
        Some(name) => Ok(format!("{path} shows {name}")),
        None => held(format!("{path} has {}", names.join(" "))),
    }
}

fn connect(address: &str, port: u16) -> Tried {
    let mut stream = TcpStream::connect(format!("{address}:{port}"))?;
    stream.write_all(b"the guest was here")?;
    Ok(format!("connected to {address}"))
}

fn send(address: &str, port: u16) -> Tried {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"the guest was here", format!("{address}:{port}"))?;
    Ok(format!("sent to {address}"))
}

/// A hook tool that runs what it should not.
fn tool(name: &str, args: &[&str]) -> Tried {
    let output = hook_tool(name, args, None).map_err(|error| error.to_string())?;
    match output.code {
        0 => Ok(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        )),
        code => held(format!("{name} exited with {code}")),
    }
}

/// A container that is not the charm's. To be told that Pebble does not answer
/// is to have reached for its socket.
fn container(name: &str) -> Tried {
    let found = unit().container(name);
    match found.can_connect() {
        Ok(connected) => Ok(format!("asked for {name:?}: {connected}")),
        Err(error) => held(error.to_string()),
    }
}

const ATTEMPTS: &[Attempt] = &[
    ("read-absolute", |p| read(secret(p))),
    ("read-relative", |p| read(up(&secret(p)))),
    ("read-above-the-charm", |p| read(own(&up(&secret(p))))),
    ("read-through-dots", |p| {
        read(format!("/./{}/../{0}/./secret", p.outside))
    }),
    ("read-with-slashes", |p| read(format!("//{}", secret(p)))),
    ("read-through-tmp", |p| {
        read(format!("/tmp/../{}", secret(p)))
    }),
    ("read-with-nul", |p| read(format!("{}\0.txt", secret(p)))),
    ("read-long-path", |p| {
        read(format!("/{}{}", "./".repeat(5000), secret(p)))
    }),
    ("read-raw-absolute", |p| {
        read_raw(&secret(p), DescriptorFlags::READ)
    }),
    ("read-raw-dots", |p| {
        read_raw(&up(&secret(p)), DescriptorFlags::READ)
    }),
    ("read-raw-for-writing", |p| {
        let both = DescriptorFlags::READ | DescriptorFlags::WRITE;
        read_raw(&secret(p), both)
    }),
    ("read-raw-from-a-file", |p| {
        symlink(secret(p), "/tmp/q")?;
        let file = root()?.open_at(
            PathFlags::empty(),
            "tmp",
            OpenFlags::DIRECTORY,
            DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
        )?;
        let flags = (OpenFlags::empty(), DescriptorFlags::READ);
        let file = file.open_at(PathFlags::SYMLINK_FOLLOW, "q", flags.0, flags.1)?;
        Ok(String::from_utf8_lossy(&file.read(300, 0)?.0).into_owned())
    }),
    ("read-passwd", |_| read("/etc/passwd")),
    ("read-shadow", |_| read("/etc/shadow")),
    ("read-proc-root", |p| {
        read(format!("/proc/self/root{}", secret(p)))
    }),
    ("read-proc-cwd", |p| {
        read(format!("/proc/self/cwd/{}", up(&secret(p))))
    }),
    ("read-proc-environ", |_| read("/proc/self/environ")),
    ("read-proc-maps", |_| read("/proc/self/maps")),
    ("read-proc-mem", |_| read("/proc/self/mem")),
    ("read-proc-init", |_| read("/proc/1/environ")),
    ("read-descriptor", |_| read("/proc/self/fd/7")),
    ("read-dev-descriptor", |_| read("/dev/fd/7")),
    ("read-stdin", |_| {
        let mut text = String::new();
        match std::io::stdin().read_to_string(&mut text)? {
            0 => held("nothing to read"),
            _ => Ok(text),
        }
    }),
    ("read-dev", |_| read("/dev/zero")),
    ("read-packed-absolute-link", |_| read(own("link-absolute"))),
    ("read-packed-relative-link", |_| read(own("link-relative"))),
    ("read-packed-directory-link", |_| {
        read(own("link-directory/secret"))
    }),
    ("list-packed-directory-link", |_| {
        shows(&own("link-directory"), &["secret"])
    }),
    ("read-own-absolute-link", |p| {
        link_and_read("/tmp/a", &secret(p))
    }),
    ("read-own-relative-link", |p| {
        link_and_read("/tmp/b", &up(&secret(p)))
    }),
    ("read-own-link-in-the-charm", |p| {
        link_and_read(&own("c"), &up(&secret(p)))
    }),
    ("read-own-chain-of-links", |p| {
        symlink("..", "/tmp/d")?;
        link_and_read("/tmp/e", &format!("d/{}", up(&secret(p))))
    }),
    ("read-own-directory-link", |p| {
        symlink(&p.outside, "/tmp/f")?;
        read("/tmp/f/secret")
    }),
    ("read-proc-link", |_| {
        link_and_read("/tmp/g", "/proc/self/environ")
    }),
    ("read-state", |_| read(own(".unit-state.db"))),
    ("read-own-place-of-the-host", |_| {
        read(own(".charmhost/secret"))
    }),
    ("read-other-unit", |_| {
        read(own("../../unit-other-0/charm/secret"))
    }),
    ("list-root", |_| {
        shows("/", &["etc", "proc", "usr", "home", "root"])
    }),
    ("list-above-the-charm", |_| shows(&own(".."), &["secret"])),
    ("list-agents", |_| shows(&own("../.."), &["unit-other-0"])),
    ("list-outside", |p| shows(&p.outside, &["secret"])),
    ("stat-outside", |p| {
        let found = fs::metadata(secret(p))?;
        Ok(format!("{} bytes", found.len()))
    }),
    ("write-outside", |p| write(secret(p))),
    ("write-new-outside", |p| write(format!("{}/new", p.outside))),
    ("write-through-link", |p| {
        symlink(&p.outside, "/tmp/h")?;
        write("/tmp/h/new")
    }),
    ("write-through-link-in-the-charm", |p| {
        symlink(up(&p.outside), own("i"))?;
        write(own("i/new"))
    }),
    ("make-directory-outside", |p| {
        succeeded(fs::create_dir(format!("{}/dir", p.outside)), "made")
    }),
    ("remove-outside", |p| {
        succeeded(fs::remove_file(secret(p)), "removed")
    }),
    ("rename-outside", |p| {
        succeeded(fs::rename(secret(p), "/tmp/stolen"), "moved")?;
        read("/tmp/stolen")
    }),
    ("rename-to-outside", |p| {
        fs::write("/tmp/j", "x")?;
        succeeded(fs::rename("/tmp/j", format!("{}/new", p.outside)), "moved")
    }),
    ("link-outside", |p| {
        fs::hard_link(secret(p), "/tmp/k")?;
        read("/tmp/k")
    }),
    ("link-outside-through-link", |p| {
        symlink(secret(p), "/tmp/l")?;
        fs::hard_link("/tmp/l", "/tmp/m")?;
        read("/tmp/m")
    }),
    ("write-cron", |_| write("/etc/cron.d/guest")),
    ("overwrite-dispatch", |_| write(own("dispatch"))),
    ("overwrite-code", |_| write(own("charm.cwasm"))),
    ("overwrite-settings", |_| write(own("charmhost.toml"))),
    ("overwrite-code-by-root", |_| write("/charm.cwasm")),
    ("overwrite-code-through-dots", |_| {
        write(own("hooks/../charm.cwasm"))
    }),
    ("append-to-code", |_| {
        let mut file = OpenOptions::new().append(true).open(own("charm.cwasm"))?;
        succeeded(file.write_all(b"x"), "appended")
    }),
    ("truncate-code", |_| {
        let file = OpenOptions::new().write(true).open(own("charm.cwasm"))?;
        succeeded(file.set_len(0), "truncated")
    }),
    ("remove-code", |_| {
        succeeded(fs::remove_file(own("charm.cwasm")), "removed")
    }),
    ("rename-code", |_| {
        succeeded(fs::rename(own("charm.cwasm"), own("other")), "moved")
    }),
    ("rename-over-code", |_| {
        fs::write(own("other"), "x")?;
        succeeded(fs::rename(own("other"), own("charm.cwasm")), "moved")
    }),
    ("link-over-code", |_| {
        symlink("other", own("dispatch"))?;
        Ok("linked".to_owned())
    }),
    ("write-code-through-hard-link", |_| {
        fs::hard_link(own("charm.cwasm"), own("n"))?;
        write(own("n"))
    }),
    ("write-code-through-link", |_| {
        symlink("charm.cwasm", own("o"))?;
        write(own("o"))?;
        match read(own("charm.cwasm"))? {
            code if code.starts_with("overwritten") => Ok(code),
            _ => held("the code is the same"),
        }
    }),
    ("write-state", |_| write(own(".unit-state.db"))),
    ("write-journal", |_| write(own(".unit-state.db-journal"))),
    ("write-other-unit", |_| {
        write(own("../../unit-other-0/charm/secret"))
    }),
    ("connect", |p| connect("127.0.0.1", p.port)),
    ("connect-to-any", |p| connect("0.0.0.0", p.port)),
    ("connect-over-6", |p| connect("[::1]", p.port)),
    ("connect-over-mapped", |p| {
        connect("[::ffff:127.0.0.1]", p.port)
    }),
    ("listen", |_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(listener.local_addr()?.to_string())
    }),
    ("send", |p| send("127.0.0.1", p.port)),
    ("look-up", |_| {
        let found: Vec<_> = "localhost:1".to_socket_addrs()?.collect();
        Ok(format!("{found:?}"))
    }),
    ("environment", |_| {
        let vars: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
        match vars.is_empty() {
            true => held("no variables"),
            false => Ok(vars.join(" ")),
        }
    }),
    ("arguments", |_| {
        let args: Vec<_> = std::env::args().collect();
        match args.is_empty() {
            true => held("no arguments"),
            false => Ok(args.join(" ")),
        }
    }),
    ("start-a-program", |_| {
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", "id"])
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }),
    ("tool-shell", |p| {
        let touch = format!("touch {}/new", p.outside);
        tool("sh", &["-c", &touch])
    }),
    ("tool-absolute", |p| {
        let touch = format!("touch {}/new", p.outside);
        tool("/bin/sh", &["-c", &touch])
    }),
    ("tool-relative", |p| {
        let touch = format!("touch {}/new", p.outside);
        tool(&up("bin/sh"), &["-c", &touch])
    }),
    ("tool-dots", |_| tool("..", &[])),
    ("tool-empty", |_| tool("", &[])),
    ("tool-with-nul", |_| tool("juju-log\0sh", &["x"])),
    ("tool-exec", |p| {
        let touch = format!("touch {}/new", p.outside);
        tool("juju-exec", &[&touch])
    }),
    ("tool-agent", |_| tool("jujud", &["version"])),
    ("tool-output", |p| {
        tool("config-get", &["-o", &format!("{}/new", p.outside)])
    }),
    ("tool-output-at-once", |p| {
        tool("config-get", &[&format!("-o{}/new", p.outside)])
    }),
    ("tool-output-long", |p| {
        tool("config-get", &[&format!("--output={}/new", p.outside)])
    }),
    ("tool-output-behind-a-value", |p| {
        let new = format!("{}/new", p.outside);
        tool("relation-get", &["-r", "--", "-o", &new])
    }),
    ("tool-file", |p| {
        tool("relation-set", &["-r", "1", "--file", &secret(p)])
    }),
    ("tool-file-of-state", |p| {
        tool("state-set", &[&format!("--file={}", secret(p))])
    }),
    ("tool-file-in-a-secret", |p| {
        tool("secret-add", &[&format!("data#file={}", secret(p))])
    }),
    ("databag-as-flag", |p| {
        let unit = format!("--output={}/new", p.outside);
        tool("relation-get", &["-r", "1", "-", &unit])
    }),
    ("container-above", |_| container("../../outside")),
    ("container-absolute", |p| container(&p.outside)),
    ("container-unknown", |_| container("other")),
    ("container-empty", |_| container("")),
    ("container-with-nul", |_| container("app\0other")),
    ("legacy-hook", |_| {
        fs::create_dir_all(own("hooks"))?;
        fs::write(
            own("hooks/update-status"),
            "#!/bin/sh\ntouch ../../../outside/new\n",
        )?;
        held("it lies over the charm, where only the guest sees it")
    }),
    ("hoard-files", |_| {
        let mut files = Vec::new();
        fs::write("/tmp/p", "x")?;
        loop {
            match File::open("/tmp/p") {
                Ok(file) => files.push(file),
                Err(error) => return held(format!("after {}: {error}", files.len())),
            }
            if files.len() > 100_000 {
                return Ok("100000 open files".to_owned());
            }
        }
    }),
    ("hoard-memory", |_| {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        while hoard.len() < 3000 {
            hoard.push(std::hint::black_box(vec![1; 1 << 20]));
        }
        Ok("3000 MiB".to_owned())
    }),
    ("hoard-memory-of-the-host", |_| {
        let large = "x".repeat(200 << 20);
        let args: Vec<&str> = vec![&large; 4];
        tool("juju-log", &args)
    }),
];
