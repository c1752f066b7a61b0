//! What a charm asks for and must not get, or get only in part; and a check
//! that what it does get works.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use charmhost::hook_tool;

use crate::attempt::*;

/// Grants that no charm can have.
const GUARD: &str = "grants";
/// Grants of which the operator leaves nothing.
const OPERATOR: &str = "operator";

/// Everything that the charm was granted, tried.
pub fn check(p: &crate::Params) -> Tried {
    for path in &p.reads {
        match read(path)?.as_str() {
            "public" => {}
            other => return held(format!("{path} holds {other:?}")),
        }
    }
    for directory in &p.writes {
        let path = format!("{directory}/checked");
        fs::write(&path, "public")?;
        read(&path)?;
        fs::remove_file(&path)?;
    }
    for address in &p.connects {
        TcpStream::connect(address)?.write_all(b"granted")?;
    }
    for name in &p.variables {
        std::env::var(name)?;
    }
    for tool in &p.tools {
        hook_tool(tool, &[], None).map_err(|error| error.to_string())?;
    }
    Ok("everything that was granted".to_owned())
}

/// A FIFO at whose other end is a process of the machine.
fn read_fifo(path: &str) -> Tried {
    let mut bytes = [0; 300];
    let length = fs::File::open(path)?.read(&mut bytes)?;
    let bytes = bytes.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

pub const ATTEMPTS: &[Attempt] = &[
    way(
        "read-granted-proc",
        &["grant-proc", "grant-proc-self"],
        GUARD,
        |_| read("/proc/self/environ"),
    ),
    way(
        "read-proc-granted-by-link",
        &["grant-proc-by-link"],
        GUARD,
        |p| read(format!("{}/self/environ", p.wanted)),
    ),
    way(
        "read-proc-below-granted-root",
        &["grant-root"],
        GUARD,
        |_| read("/proc/self/environ"),
    ),
    way("write-granted-proc", &["grant-write-proc"], GUARD, |_| {
        write("/proc/self/oom_score_adj").or_else(|_| {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .open("/proc/self/oom_score_adj")?;
            succeeded(file.write_all(b"0"), "wrote to its process")
        })
    }),
    way("read-granted-device", &["grant-dev"], GUARD, |_| {
        read("/dev/zero").or_else(|_| shows("/dev", &["null"]))
    }),
    way("read-granted-sys", &["grant-sys"], GUARD, |_| {
        shows("/sys", &["kernel"])
    }),
    way(
        "read-sys-below-granted-root",
        &["grant-root"],
        GUARD,
        |_| shows("/sys", &["kernel"]),
    ),
    way(
        "write-granted-charm",
        &["grant-charm", "grant-charm-parent", "grant-hooks"],
        GUARD,
        |_| write(own("hooks/start")),
    ),
    way(
        "write-charm-granted-by-link",
        &["grant-charm-by-link"],
        GUARD,
        |p| write(format!("{}/hooks/start", p.wanted)),
    ),
    way(
        "write-charm-that-is-named-by-link",
        &["grant-linked-charm"],
        GUARD,
        |p| write(format!("{}/hooks/start", p.wanted)),
    ),
    way("write-granted-file", &["write-file"], GUARD, |p| {
        write(&p.root)
    }),
    way(
        "read-granted-fifo",
        &["read-directory", "write-directory", "storage"],
        "kinds",
        |p| {
            let directory = if p.read.is_empty() { &p.place } else { &p.read };
            read_fifo(&format!("{directory}/fifo"))
        },
    ),
    way(
        "write-granted-fifo",
        &["write-directory", "storage"],
        "kinds",
        |p| {
            let fifo = fs::OpenOptions::new().write(true).open(p.place("fifo"));
            succeeded(fifo?.write_all(b"x"), "wrote to a FIFO")
        },
    ),
    way(
        "read-what-the-operator-withholds",
        &["operator"],
        OPERATOR,
        |p| read(p.secret()),
    ),
    way(
        "write-what-the-operator-withholds",
        &["operator"],
        OPERATOR,
        |p| write(p.outside("new")),
    ),
    way(
        "write-what-the-operator-lets-read",
        &["operator"],
        OPERATOR,
        |p| write(p.read("new")),
    ),
    way(
        "read-link-below-what-the-operator-lets-read",
        &["operator-link"],
        GUARD,
        |p| read(format!("{}/secret", p.wanted)),
    ),
    way(
        "connect-where-the-operator-forbids",
        &["operator"],
        OPERATOR,
        |p| {
            let mut stream = TcpStream::connect(("127.0.0.1", p.port))?;
            succeeded(stream.write_all(b"x"), "connected")
        },
    ),
    way(
        "read-variable-that-the-operator-withholds",
        &["operator"],
        OPERATOR,
        |_| Ok(std::env::var("A_SECRET")?),
    ),
    way(
        "run-tool-that-the-operator-withholds",
        &["operator"],
        OPERATOR,
        |p| {
            let args = ["--into", &p.outside("new")];
            let output =
                hook_tool("future-tool", &args, None).map_err(|error| error.to_string())?;
            match output.exit_code {
                0 => Ok("the tool ran".to_owned()),
                code => held(format!("exit code {code}")),
            }
        },
    ),
    way(
        "run-packed-program",
        &["none", "write-directory"],
        "legacy",
        |_| held("the host has run actions/attempt by now, or never will"),
    ),
    way(
        "run-packed-hook",
        &["none", "write-directory"],
        "legacy",
        |_| held("whether it runs is seen later"),
    )
    .then("hooks/start"),
    way(
        "run-hook-that-the-operator-forbids",
        &["operator"],
        OPERATOR,
        |_| held("whether it runs is seen later"),
    )
    .then("hooks/start"),
];
