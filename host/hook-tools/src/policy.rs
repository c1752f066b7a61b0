//! Which hook tools a guest may run, and with which arguments.
//!
//! The agent opens files that arguments name in its own file system and with
//! its own rights (juju §2.2), so a guest must not name any. What the table does
//! not list is denied: an unknown flag may name a file, and so may any argument
//! of an unknown tool.

use crate::flags::{FlagKind, Joined, ParseError, dashed, walk};
use crate::table::{Arguments, Tool, is_tool_name, tool};

/// Which hook tools a guest may run, and with which arguments.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    granted: Vec<String>,
}

/// A call of a hook tool that a guest may not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The reason.
    pub reason: String,
    /// The entry under `[grants]` in `charmhost.toml` that would allow the call.
    pub grant: Option<String>,
}

impl Denied {
    fn never(reason: impl Into<String>) -> Self {
        Denied {
            reason: reason.into(),
            grant: None,
        }
    }
}

impl Policy {
    /// Allows the tools of the table, and those that the grant `hook-tools`
    /// names.
    ///
    /// The grant is for tools of a Juju that is newer than the table. Their
    /// flags are unknown, so they take any argument and may make the agent open
    /// any file: granting one trusts it. It has no effect on a tool of the
    /// table.
    pub fn new(granted: impl IntoIterator<Item = String>) -> Self {
        Policy {
            granted: granted.into_iter().collect(),
        }
    }

    /// Checks a call of a guest.
    ///
    /// # Errors
    ///
    /// [`Denied`] for an unknown tool or flag, arguments that cannot be parsed,
    /// and an argument that names a file: only `--file -` is allowed, for tools
    /// that read their standard input.
    pub fn check(&self, name: &str, args: &[String]) -> Result<(), Denied> {
        match tool(name) {
            Some(tool) => check(tool, args),
            None if !is_tool_name(name) => Err(Denied::never("it is not a hook tool")),
            None if self.granted.iter().any(|granted| granted == name) => Ok(()),
            None => Err(Denied {
                reason: "this version of charmhost does not know the hook tool".to_owned(),
                grant: Some(format!("hook-tools = [\"{name}\"]")),
            }),
        }
    }
}

fn check(tool: &'static Tool, args: &[String]) -> Result<(), Denied> {
    // With no other argument, the tool prints help and does nothing.
    if let [arg] = args
        && (arg == "--help" || arg == "-h")
    {
        return Ok(());
    }
    for joined in READINGS {
        match file_named(tool, args, joined) {
            Ok(None) => {}
            Ok(Some(argument)) => return Err(opens_file(&argument)),
            Err(ParseError::Help) => {
                return Err(Denied::never("--help must be the only argument"));
            }
            Err(ParseError::Wrong(text)) => return Err(Denied::never(text)),
        }
    }
    Ok(())
}

/// Agents may differ in how they read joined flags: no argument may name a file
/// in any of these readings.
const READINGS: [Joined; 2] = [Joined::All, Joined::AsTheAgent];

fn opens_file(argument: &str) -> Denied {
    Denied::never(format!(
        "with {argument} the agent opens a file of the machine with its own rights"
    ))
}

/// Returns the argument that makes the agent open a file, without the file's
/// name; none for arguments that the agent will reject and for unknown tools.
///
/// For calls of the host that contain values of a guest, which must not be read
/// as such a flag.
pub fn names_file(name: &str, args: &[String]) -> Option<String> {
    let tool = tool(name)?;
    let named = |joined| file_named(tool, args, joined).ok().flatten();
    READINGS.into_iter().find_map(named)
}

fn file_named(
    tool: &'static Tool,
    args: &[String],
    joined: Joined,
) -> Result<Option<String>, ParseError> {
    let mut found = None;
    let others = walk(tool.flags, args, joined, |flag, name, value| {
        let opens = match flag.kind {
            FlagKind::FileInput { stdin } => !(stdin && value == "-"),
            FlagKind::FileOutput => true,
            FlagKind::Switch
            | FlagKind::Text
            | FlagKind::Format
            | FlagKind::YamlFormat
            | FlagKind::IgnoredFormat => false,
        };
        if opens {
            found.get_or_insert_with(|| dashed(name));
        }
        Ok(())
    })?;
    if tool.arguments == Arguments::SecretContent {
        let values = others.into_iter().filter_map(|at| args.get(at));
        let mut keys = values.filter_map(|arg| Some(arg.split_once('=')?.0));
        // Anything but `KEY` and `KEY#base64` may be a way to write `KEY#file`.
        let opens = |key: &&str| {
            key.split_once('#')
                .is_some_and(|(_, form)| form != "base64")
        };
        found = found.or_else(|| keys.find(opens).map(str::to_owned));
    }
    Ok(found)
}
