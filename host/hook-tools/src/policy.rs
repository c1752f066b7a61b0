//! Which hook tools a guest may run, and with which arguments.
//!
//! The agent opens files that arguments name in its own file system and with
//! its own rights (juju §2.2). A guest may name files of its own file tree for
//! a tool to read: the agent gets their content instead
//! ([`crate::FileArguments`]). It may name none to be written. What the table
//! does not list is denied: an unknown flag may name a file, and so may any
//! argument of an unknown tool.

use crate::file_arguments::{FileUse, NamedFile, named_files};
use crate::flags::{Joined, ParseError};
use crate::table::{Tool, is_tool_name, tool};

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

    /// Whether a guest may run a tool, with some arguments.
    pub fn allows(&self, name: &str) -> bool {
        let is_granted = || self.granted.iter().any(|granted| granted == name);
        tool(name).is_some() || (is_tool_name(name) && is_granted())
    }

    /// Checks a call of a guest.
    ///
    /// # Errors
    ///
    /// [`Denied`] for an unknown tool or flag, arguments that cannot be parsed,
    /// and an argument that names a file to be written.
    pub fn check(&self, name: &str, args: &[String]) -> Result<(), Denied> {
        match tool(name) {
            Some(tool) => check(tool, args),
            None if !is_tool_name(name) => Err(Denied::never("it is not a hook tool")),
            None if self.allows(name) => Ok(()),
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
        match named_files(tool, args, joined) {
            Ok(files) => files.iter().try_for_each(may_name)?,
            Err(ParseError::Help) => {
                return Err(Denied::never("--help must be the only argument"));
            }
            Err(ParseError::Wrong(text)) => return Err(Denied::never(text)),
        }
    }
    Ok(())
}

/// Agents may differ in how they read joined flags: no argument may name a file
/// to be written in any of these readings.
const READINGS: [Joined; 2] = [Joined::All, Joined::AsTheAgent];

fn may_name(file: &NamedFile) -> Result<(), Denied> {
    let argument = &file.argument;
    match file.used {
        FileUse::Flag { .. } | FileUse::Secret => Ok(()),
        FileUse::Written => Err(Denied::never(format!(
            "with {argument} the agent writes a file of the machine with its own rights"
        ))),
        FileUse::Unknown => Err(Denied::never(format!(
            "{argument} may be a way to name a file; use KEY#file=PATH or KEY#base64=VALUE"
        ))),
    }
}

/// Returns the argument that makes the agent open a file, without the file's
/// name; none for arguments that the agent will reject and for unknown tools.
///
/// For calls of the host that contain values of a guest, which must not be read
/// as such a flag.
pub fn names_file(name: &str, args: &[String]) -> Option<String> {
    let tool = tool(name)?;
    let named = |joined| named_files(tool, args, joined).unwrap_or_default();
    let mut files = READINGS.into_iter().flat_map(named);
    files.next().map(|file| file.argument)
}
