//! What a guest may pass to hook tools.
//!
//! The agent opens files that arguments name in its own file system and with
//! its own rights (juju-hook-tools §2.2), so a guest must not name any. What is
//! not known is refused: a flag that is not in the table may name a file, and so
//! may any argument of a tool that is not.

use crate::exec::is_tool_name;
use crate::flags::{Joined, Kind, ParseError, dashed, walk};
use crate::table::{Arguments, Tool, tool};

/// Which hook tools a guest may run, and with which arguments.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    granted: Vec<String>,
}

/// Why a guest may not run a hook tool so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The reason, for people.
    pub reason: String,
    /// The line under `[grants]` in `charmhost.toml` that would allow it.
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
    /// The tools of the table, and the ones that the grant `hook-tools` names.
    ///
    /// The grant is for tools of a Juju that is newer than the table. Nothing is
    /// known of their flags, so they take any argument, and may have the agent
    /// open any file: granting one trusts it. It changes nothing for a tool that
    /// is in the table.
    pub fn new(granted: impl IntoIterator<Item = String>) -> Self {
        Policy {
            granted: granted.into_iter().collect(),
        }
    }

    /// Checks a call of a guest.
    ///
    /// # Errors
    ///
    /// [`Denied`] for a tool or flag that is not known, arguments that cannot
    /// be parsed, and an argument that names a file: only `--file -` is allowed,
    /// where `-` is the standard input.
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
    // Help is printed and nothing is run, if nothing else is asked for.
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

/// Agents may differ in how they read joined flags: in none of these readings
/// may an argument name a file.
const READINGS: [Joined; 2] = [Joined::All, Joined::AsTheAgent];

fn opens_file(argument: &str) -> Denied {
    Denied::never(format!(
        "with {argument} the agent opens a file of the machine with its own rights"
    ))
}

/// The argument that has the agent open a file, without the file's name. For
/// calls that do not come from a guest as they are, but have values of it: no
/// value may be read as such a flag. Of arguments that the agent will refuse,
/// and of tools that are not known, there is none.
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
            Kind::FileInput { stdin } => !(stdin && value == "-"),
            Kind::FileOutput => true,
            Kind::Switch | Kind::Text | Kind::Format | Kind::YamlFormat | Kind::IgnoredFormat => {
                false
            }
        };
        if opens {
            found.get_or_insert_with(|| dashed(name));
        }
        Ok(())
    })?;
    if tool.arguments == Arguments::SecretContent {
        let key = others.iter().filter_map(|arg| arg.split_once('='));
        let mut keys = key.map(|(key, _)| key);
        // Anything but `KEY` and `KEY#base64` may be a way to write `KEY#file`.
        let opens = |key: &&str| {
            key.split_once('#')
                .is_some_and(|(_, form)| form != "base64")
        };
        found = found.or_else(|| keys.find(opens).map(str::to_owned));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> (String, Vec<String>) {
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.collect())
    }

    #[test]
    fn a_guest_names_no_file_in_any_spelling() {
        for (line, wanted) in [
            ("config-get --format=json", None),
            ("config-get -a", None),
            ("config-get -aa key", None),
            ("config-get --all=false", None),
            ("config-get --help", None),
            ("config-get -o /etc/x", Some("-o")),
            ("config-get -o/etc/x", Some("-o")),
            ("config-get -o=/etc/x", Some("-o")),
            ("config-get -o -", Some("-o")),
            ("config-get -ao/etc/x", Some("-o")),
            ("config-get -ao /etc/x", Some("-o")),
            ("config-get -aao/etc/x", Some("-o")),
            ("config-get key -aaao=/etc/x", Some("-o")),
            ("config-get --output /etc/x", Some("--output")),
            ("config-get --output=/etc/x", Some("--output")),
            ("config-get --output=", Some("--output")),
            ("config-get key -o /etc/x", Some("-o")),
            ("relation-get -r -- -o /etc/x", Some("-o")),
            ("relation-get -rdb:7 -o/etc/x", Some("-o")),
            ("relation-get -r 1 - --output=/etc/x", Some("--output")),
            ("relation-get -r 1 -- -o", None),
            ("relation-set -r 1 --file -", None),
            ("relation-set -r 1 --file=-", None),
            ("relation-set -r 1 --file /etc/x", Some("--file")),
            ("relation-set --file - --file /etc/x", Some("--file")),
            ("relation-set --file /etc/x --file -", Some("--file")),
            ("state-set --file=/etc/x", Some("--file")),
            ("state-set --file=", Some("--file")),
            ("status-set --application=False active -- -o", None),
            ("juju-log --log-level INFO -- --output is empty", None),
            ("juju-log -lINFO x", None),
            ("action-log -- -o", None),
            ("secret-add data#file=/etc/x", Some("data#file")),
            ("secret-add --label l data#file=/etc/x", Some("data#file")),
            (
                "secret-add data#base64#file=/etc/x",
                Some("data#base64#file"),
            ),
            ("secret-add #file=/etc/x", Some("#file")),
            ("secret-set secret:1 -- data#file=/etc/x", Some("data#file")),
            ("secret-add --file -", Some("--file")),
            ("secret-set secret:1 --file=x", Some("--file")),
            ("secret-add data#base64=eA==", None),
            ("secret-add data=a#file=b", None),
            ("secret-get secret:1 data#base64", None),
            ("action-set data#file=x", None),
            ("pod-spec-set --file -", None),
            ("pod-spec-set --file /etc/x", Some("--file")),
            (
                "pod-spec-set --file - --k8s-resources /etc/x",
                Some("--k8s-resources"),
            ),
            ("k8s-spec-set --k8s-resources=-", Some("--k8s-resources")),
            ("k8s-raw-set --file=/etc/x", Some("--file")),
        ] {
            let (tool, args) = words(line);
            let checked = Policy::default().check(&tool, &args);
            assert_eq!(
                checked,
                wanted.map_or(Ok(()), |arg| Err(opens_file(arg))),
                "{line}"
            );
            assert_eq!(names_file(&tool, &args).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn a_file_is_found_before_flags_that_the_agent_drops() {
        let (tool, args) = words("config-get -o/etc/x -aX");
        assert_eq!(names_file(&tool, &args).as_deref(), Some("-o"));
        assert!(Policy::default().check(&tool, &args).is_err());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (line, wanted) in [
            ("config-get --new", "option provided but not defined: --new"),
            (
                "config-get -aX/etc/x",
                "option provided but not defined: -X",
            ),
            ("config-get -a=o", "option provided but not defined: -="),
            ("config-get --=o", "empty option in argument \"--=o\""),
            ("config-get -aX", "option provided but not defined: -X"),
            ("config-get --output", "option needs an argument: --output"),
            (
                "config-get -x --help",
                "option provided but not defined: -x",
            ),
            ("config-get --help -o x", "--help must be the only argument"),
            ("jujud machine", "it is not a hook tool"),
            ("juju-exec app/0 true", "it is not a hook tool"),
            ("containeragent unit", "it is not a hook tool"),
            ("../config-get ", "it is not a hook tool"),
        ] {
            let (tool, args) = words(line);
            let granted = Policy::new([tool.clone()]);
            assert_eq!(
                granted.check(&tool, &args),
                Err(Denied::never(wanted)),
                "{line}"
            );
        }
    }

    #[test]
    fn a_newer_tool_needs_a_grant_that_names_it() {
        let args = ["-o".to_owned(), "/etc/x".to_owned()];
        let denied = Policy::new(["other-tool".to_owned()]).check("new-tool", &args);
        let grant = denied.unwrap_err().grant;
        assert_eq!(grant.as_deref(), Some("hook-tools = [\"new-tool\"]"));
        let policy = Policy::new(["new-tool".to_owned(), "config-get".to_owned()]);
        assert_eq!(policy.check("new-tool", &args), Ok(()));
        // It is for tools that are not known.
        assert!(policy.check("config-get", &args).is_err());
    }
}
