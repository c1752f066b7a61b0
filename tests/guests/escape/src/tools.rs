//! Hook tools that run what they should not, or have the agent open files of
//! the machine; and containers that are not the charm's.

use charmhost::hook_tool;
use charmhost::prelude::*;

use crate::attempt::*;
use crate::raw::relations::{self, DatabagOwner};

const GUARD: &str = "hook-tools";
/// Files that the agent would read, and the host reads in the guest's own tree.
const FILES: &str = "tool-files";
/// Programs of the machine, which only the transport by programs could run.
const PROGRAMS: &str = "programs";
const CONTAINERS: &str = "containers";

/// None of these makes a difference to hook tools, and none must.
const ANY: &[&str] = &["none", "write-directory", "hook-tool"];
const NONE: &[&str] = &["none"];

fn tool(name: &str, args: &[&str]) -> Tried {
    tool_with(name, args, None)
}

/// A hook tool that does what it should not.
fn tool_with(name: &str, args: &[&str], input: Option<&[u8]>) -> Tried {
    let output = hook_tool(name, args, input).map_err(|error| error.to_string())?;
    match output.exit_code {
        0 => Ok(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        )),
        code => held(format!(
            "{name} exited with {code}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// A container that is not the charm's. To hear that Pebble does not answer is
/// to have reached for its socket.
fn container(name: &str) -> Tried {
    match unit().container(name).can_connect() {
        Ok(connected) => Ok(format!("asked for {name:?}: {connected}")),
        Err(error) => held(error.to_string()),
    }
}

pub const ATTEMPTS: &[Attempt] = &[
    way("tool-shell", ANY, PROGRAMS, |p| {
        tool("sh", &["-c", &format!("touch {}", p.outside("new"))])
    }),
    way("tool-absolute", ANY, PROGRAMS, |p| {
        tool("/bin/sh", &["-c", &format!("touch {}", p.outside("new"))])
    }),
    way("tool-relative", ANY, PROGRAMS, |p| {
        let touch = format!("touch {}", p.outside("new"));
        tool(&up("bin/sh"), &["-c", &touch])
    }),
    way("tool-of-the-charm", ANY, PROGRAMS, |_| {
        tool("./hooks/start", &[])
    }),
    way("tool-exec", ANY, PROGRAMS, |p| {
        tool("juju-exec", &["-c", &format!("touch {}", p.outside("new"))])
    }),
    way("tool-run", ANY, PROGRAMS, |p| {
        tool("juju-run", &["-c", &format!("touch {}", p.outside("new"))])
    }),
    way("tool-agent", ANY, PROGRAMS, |_| tool("jujud", &["version"])),
    way("tool-output", ANY, GUARD, |p| {
        tool("config-get", &["-o", &p.outside("new")])
    }),
    way("tool-output-joined", ANY, GUARD, |p| {
        tool("config-get", &[&format!("-o{}", p.outside("new"))])
    }),
    way("tool-output-long", ANY, GUARD, |p| {
        tool("config-get", &["--output", &p.outside("new")])
    }),
    way("tool-output-long-joined", ANY, GUARD, |p| {
        tool("config-get", &[&format!("--output={}", p.outside("new"))])
    }),
    way("tool-output-behind-a-switch", ANY, GUARD, |p| {
        tool("config-get", &[&format!("-ao{}", p.outside("new"))])
    }),
    way("tool-output-apart-behind-a-switch", ANY, GUARD, |p| {
        tool("config-get", &["-ao", &p.outside("new")])
    }),
    way("tool-output-behind-switches", ANY, GUARD, |p| {
        tool("config-get", &[&format!("-aaao{}", p.outside("new"))])
    }),
    way("tool-output-behind-an-argument", ANY, GUARD, |p| {
        tool("config-get", &["key", "-o", &p.outside("new")])
    }),
    way("tool-output-behind-a-dash", ANY, GUARD, |p| {
        tool("relation-get", &["-r", "1", "-", "-o", &p.outside("new")])
    }),
    way("tool-output-behind-a-value", ANY, GUARD, |p| {
        // The value of `-r`, and not the end of all flags.
        tool("relation-get", &["-r", "--", "-o", &p.outside("new")])
    }),
    way("tool-output-behind-an-equal-sign", ANY, GUARD, |p| {
        let new = p.outside("new");
        tool("config-get", &["--format=json", "key=--", "-o", &new])
    }),
    way("tool-output-twice", ANY, GUARD, |p| {
        tool("config-get", &["-o", "-", "-o", &p.outside("new")])
    }),
    way("tool-output-of-another", ANY, GUARD, |p| {
        tool("relation-ids", &["db", "-o", &p.outside("new")])
    }),
    way("tool-output-of-a-unit-name", ANY, GUARD, |p| {
        let unit = format!("--output={}", p.outside("new"));
        tool("relation-get", &["-r", "1", "-", &unit])
    }),
    way("databag-as-a-flag", ANY, GUARD, |p| {
        let owner = DatabagOwner::Unit(format!("--output={}", p.outside("new")));
        match relations::read("db", 1, &owner) {
            Ok(_) => Ok("read a databag".to_owned()),
            Err(error) => held(format!("{error:?}")),
        }
    }),
    way("tool-file", ANY, FILES, |p| {
        tool("relation-set", &["-r", "1", "--file", &p.secret()])
    }),
    way("tool-file-joined", ANY, FILES, |p| {
        tool("state-set", &[&format!("--file={}", p.secret())])
    }),
    way("tool-file-twice", ANY, FILES, |p| {
        let file = format!("--file={}", p.secret());
        tool_with("state-set", &["--file", "-", &file], Some(b"{}"))
    }),
    way("tool-file-of-a-secret", ANY, FILES, |p| {
        tool("secret-add", &["--file", &p.secret()])
    }),
    way("tool-file-in-a-key", ANY, FILES, |p| {
        tool("secret-add", &[&format!("data#file={}", p.secret())])
    }),
    way("tool-file-in-a-key-of-an-update", ANY, FILES, |p| {
        let key = format!("data#file={}", p.secret());
        tool("secret-set", &["secret:1", &key])
    }),
    way("tool-file-in-a-key-behind-dashes", ANY, FILES, |p| {
        let key = format!("data#file={}", p.secret());
        tool("secret-add", &["--", &key])
    }),
    way("tool-file-in-a-second-key", ANY, FILES, |p| {
        let key = format!("other#file={}", p.secret());
        tool("secret-add", &["data=x", &key])
    }),
    way("tool-file-of-a-pod", ANY, FILES, |p| {
        tool("pod-spec-set", &["--file", &p.secret()])
    }),
    way("tool-resources-of-a-pod", ANY, FILES, |p| {
        let input = Some(&b"{}"[..]);
        tool_with("pod-spec-set", &["--k8s-resources", &p.secret()], input)
    }),
    way("tool-file-through-link", ANY, FILES, |p| {
        symlink(p.secret(), own("alias"))?;
        tool("state-set", &["--file", &own("alias")])
    }),
    way("tool-file-in-a-key-through-link", ANY, FILES, |p| {
        symlink(p.outside.as_str(), own("alias"))?;
        let key = format!("data#file={}", own("alias/secret"));
        tool("secret-add", &[&key])
    }),
    way("tool-file-through-dots", ANY, FILES, |p| {
        let file = format!("{}/{}", own(""), up(&p.secret()));
        tool("state-set", &["--file", &file])
    }),
    way("tool-file-of-the-host", ANY, FILES, |_| {
        tool("state-set", &["--file", &own(".charmhost/secret")])
    }),
    way("tool-flag-of-a-newer-juju", ANY, GUARD, |p| {
        tool("config-get", &["--future-output", &p.outside("new")])
    }),
    way(
        "tool-of-a-newer-juju",
        &["none", "write-directory"],
        GUARD,
        |p| tool("future-tool", &["--into", &p.outside("new")]),
    ),
    way("container-unknown", NONE, CONTAINERS, |_| {
        container("other")
    }),
    way("container-above", NONE, CONTAINERS, |_| {
        container("app/../other")
    }),
    way("container-absolute", NONE, CONTAINERS, |p| {
        container(&p.outside)
    }),
];
