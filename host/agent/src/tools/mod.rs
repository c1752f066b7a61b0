//! The hook tools, one small module each, in one table.

mod actions;
mod arguments;
mod config_get;
mod format;
#[cfg(test)]
mod golden;
mod is_leader;
mod juju_log;
mod model;
mod network;
mod pairs;
mod ports;
mod relations;
mod secret_writes;
mod secrets;
mod state;
mod status;
mod storage;
mod version;
mod yaml;

use std::path::Path;

use charmhost_jujuc::{REQUIRES_STDIN, Reply, Request};

use crate::model::Hook;
use arguments::{Flag, ParseError, Parsed};
use format::Shown;

/// What a tool does with `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Formats {
    /// There is no such flag.
    None,
    /// The flag is there, does nothing, and is called deprecated.
    Deprecated,
    /// `smart` by default, and `-o FILE`.
    Smart,
    /// `yaml` by default, no `smart`, and `-o FILE`.
    Yaml,
}

/// A hook tool.
struct Tool {
    name: &'static str,
    usage: &'static str,
    purpose: &'static str,
    flags: &'static [Flag],
    formats: Formats,
    run: fn(&mut Hook, &Call) -> Result<Option<Shown>, Refusal>,
}

/// One call of a tool.
struct Call<'a> {
    arguments: Parsed,
    dir: &'a Path,
    stdin: Option<&'a [u8]>,
}

impl Call<'_> {
    /// What the caller supplied as input.
    fn stdin(&self) -> Result<&[u8], Refusal> {
        self.stdin.ok_or(Refusal::NeedsStdin)
    }
}

/// Why a tool did not do what it was asked to.
enum Refusal {
    /// It tried: exit code 1.
    Failed(String),
    /// It was asked wrongly: exit code 2.
    Usage(String),
    /// It reads its input, and the call had none.
    NeedsStdin,
}

impl Refusal {
    /// The refusal of what only a leader may do.
    fn not_leader() -> Self {
        Refusal::Failed("this unit is not the leader".to_owned())
    }
}

/// The tools by name, each with the versions of Juju that have it.
const TOOLS: &[(&Tool, Since)] = &[
    (&actions::GET, Since::Always),
    (&actions::SET, Since::Always),
    (&actions::FAIL, Since::Always),
    (&actions::LOG, Since::Always),
    (&version::SET, Since::Always),
    (&config_get::GET, Since::Always),
    (&model::CREDENTIAL, Since::Always),
    (&model::GOAL, Since::Always),
    (&is_leader::GET, Since::Always),
    (&juju_log::LOG, Since::Always),
    (&model::REBOOT, Since::Always),
    (&model::LEADER_GET, Since::Before4),
    (&model::LEADER_SET, Since::Before4),
    (&network::GET, Since::Always),
    (&ports::OPEN, Since::Always),
    (&ports::CLOSE, Since::Always),
    (&ports::LIST, Since::Always),
    (&relations::IDS, Since::Always),
    (&relations::LIST, Since::Always),
    (&relations::GET, Since::Always),
    (&relations::SET, Since::Always),
    (&relations::MODEL, Since::Version(3, 6, 1)),
    (&model::RESOURCE, Since::Always),
    (&secret_writes::ADD, Since::Version(3, 0, 0)),
    (&secret_writes::SET, Since::Version(3, 0, 0)),
    (&secrets::GET, Since::Version(3, 0, 0)),
    (&secrets::INFO, Since::Version(3, 0, 3)),
    (&secrets::IDS, Since::Version(3, 0, 0)),
    (&secret_writes::GRANT, Since::Version(3, 0, 0)),
    (&secret_writes::REVOKE, Since::Version(3, 0, 0)),
    (&secret_writes::REMOVE, Since::Version(3, 0, 0)),
    (&state::GET, Since::Always),
    (&state::SET, Since::Always),
    (&state::DELETE, Since::Always),
    (&status::GET, Since::Always),
    (&status::SET, Since::Always),
    (&storage::LIST, Since::Always),
    (&storage::GET, Since::Always),
    (&storage::ADD, Since::Always),
    (&network::UNIT, Since::Always),
];

/// Which versions of Juju have a tool.
#[derive(Clone, Copy)]
enum Since {
    Always,
    /// This one and later ones.
    Version(u32, u32, u32),
    Before4,
}

impl Since {
    fn includes(self, version: &str) -> bool {
        let number = |part: &str| {
            let digits = part.split(|c: char| !c.is_ascii_digit()).next();
            digits
                .and_then(|digits| digits.parse::<u32>().ok())
                .unwrap_or_default()
        };
        let mut parts = version.split(['.', '-']).map(number);
        let mut next = || parts.next().unwrap_or_default();
        let version = (next(), next(), next());
        match self {
            Since::Always => true,
            Since::Version(major, minor, patch) => version >= (major, minor, patch),
            Since::Before4 => version < (4, 0, 0),
        }
    }
}

const FORMAT_FLAGS: &[Flag] = &[Flag::format(), Flag::text(&["o", "output"])];
const YAML_FLAGS: &[Flag] = &[Flag::yaml_format(), Flag::text(&["o", "output"])];
const DEPRECATED_FORMAT_FLAGS: &[Flag] = &[Flag::text(&["format"])];

/// The names of all tools.
pub fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(tool, _)| tool.name)
}

/// Runs the tool that a request names. The error is the text with which the
/// call is refused: no tool ran.
pub fn run(hook: &mut Hook, request: &Request) -> Result<Reply, String> {
    if request.tool.is_empty() {
        return Err("bad request: command not specified".to_owned());
    }
    if !Path::new(&request.dir).is_absolute() {
        return Err("bad request: Dir is not absolute".to_owned());
    }
    let version = &hook.model().juju_version;
    let mut tools = TOOLS.iter().filter(|(_, since)| since.includes(version));
    let Some((tool, _)) = tools.find(|(tool, _)| tool.name == request.tool) else {
        return Err(format!("bad request: unknown command: {}", request.tool));
    };
    tool.call(hook, request)
}

impl Tool {
    fn call(&self, hook: &mut Hook, request: &Request) -> Result<Reply, String> {
        let format_flags = match self.formats {
            Formats::None => &[],
            Formats::Deprecated => DEPRECATED_FORMAT_FLAGS,
            Formats::Smart => FORMAT_FLAGS,
            Formats::Yaml => YAML_FLAGS,
        };
        let arguments = match arguments::parse(&[self.flags, format_flags], &request.args) {
            Ok(arguments) => arguments,
            Err(ParseError::Help) => return Ok(printed(self.help())),
            Err(ParseError::Wrong(text)) => return Ok(refused(2, &text)),
        };
        let call = Call {
            arguments,
            dir: Path::new(&request.dir),
            stdin: request.stdin.as_deref(),
        };
        let mut reply = match (self.run)(hook, &call) {
            Ok(None) => Reply::default(),
            Ok(Some(shown)) => self.output(hook, &call, shown),
            Err(Refusal::Failed(text)) => refused(1, &text),
            Err(Refusal::Usage(text)) => refused(2, &text),
            Err(Refusal::NeedsStdin) => return Err(REQUIRES_STDIN.to_owned()),
        };
        if self.formats == Formats::Deprecated
            && call.arguments.value("format").is_some()
            && reply.code != 2
        {
            let warning = format!("--format flag deprecated for command {:?}", self.name);
            reply.stderr.splice(0..0, warning.into_bytes());
        }
        Ok(reply)
    }

    /// Prints to where `-o` says, which is a file in the caller's directory.
    fn output(&self, hook: &Hook, call: &Call, shown: Shown) -> Reply {
        let default = match self.formats {
            Formats::Yaml => "yaml",
            _ => "smart",
        };
        let text = shown.print(call.arguments.value("format").unwrap_or(default));
        match call.arguments.value("o") {
            None | Some("") => printed(text),
            Some(file) => match std::fs::write(hook.path_from(call.dir, file), text) {
                Ok(()) => Reply::default(),
                Err(error) => refused(1, &format!("cannot write {file:?}: {error}")),
            },
        }
    }

    fn help(&self) -> String {
        let mut text = format!(
            "Usage: {} {}\n\nSummary:\n{}\n",
            self.name, self.usage, self.purpose
        );
        if self.formats == Formats::Smart {
            text.push_str("\nOptions:\n--format (= smart)\n    smart, yaml or json\n-o, --output (= \"\")\n    write to a file instead\n");
        }
        text
    }
}

fn printed(text: String) -> Reply {
    Reply {
        stdout: text.into_bytes(),
        ..Reply::default()
    }
}

fn refused(code: i32, text: &str) -> Reply {
    Reply {
        code,
        stderr: format!("ERROR {text}\n").into_bytes(),
        ..Reply::default()
    }
}

/// A boolean in any of the spellings that Go takes.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
