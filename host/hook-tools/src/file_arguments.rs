//! Arguments that name files.
//!
//! A guest names files of its own file tree; the agent would open them in its
//! own (juju §2.2). So the host reads them, and the agent gets their content: on
//! the tool's standard input, inline, or in a private file of the host.

use crate::flags::{FlagKind, Joined, ParseError, dashed, walk};
use crate::secret_values::secret_value;
use crate::table::{Arguments, Tool, tool};

/// What an agent does with a file that an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileUse {
    /// It reads the file; with `stdin`, `-` stands for the standard input.
    Flag { stdin: bool },
    /// It reads the file as the value of a secret's key.
    Secret,
    /// It writes the file.
    Written,
    /// Unknown: a form of a secret's key that no known Juju has.
    Unknown,
}

/// An argument that names a file.
#[derive(Debug)]
pub(crate) struct NamedFile<'a> {
    /// The flag or key without the file's name, for messages.
    pub argument: String,
    pub used: FileUse,
    pub path: &'a str,
    /// The position of the argument that ends in the path.
    pub at: usize,
}

/// Returns the arguments of a tool that name files, in their order.
pub(crate) fn named_files<'a>(
    tool: &'static Tool,
    args: &'a [String],
    joined: Joined,
) -> Result<Vec<NamedFile<'a>>, ParseError> {
    let mut found = Vec::new();
    let others = walk(tool.flags, args, joined, |given| {
        let used = match given.flag.kind {
            FlagKind::FileInput { stdin: true } if given.value == "-" => return Ok(()),
            FlagKind::FileInput { stdin } => FileUse::Flag { stdin },
            FlagKind::FileOutput => FileUse::Written,
            FlagKind::Switch
            | FlagKind::Text
            | FlagKind::Format
            | FlagKind::YamlFormat
            | FlagKind::IgnoredFormat => return Ok(()),
        };
        found.push(NamedFile {
            argument: dashed(given.name),
            used,
            path: given.value,
            at: given.at,
        });
        Ok(())
    })?;
    if tool.arguments == Arguments::SecretContent {
        for (at, arg) in others {
            let Some((key, path)) = arg.split_once('=') else {
                continue;
            };
            let used = match key.split_once('#') {
                None | Some((_, "base64")) => continue,
                Some((_, "file")) => FileUse::Secret,
                Some(_) => FileUse::Unknown,
            };
            let argument = key.to_owned();
            found.push(NamedFile {
                argument,
                used,
                path,
                at,
            });
        }
    }
    Ok(found)
}

/// An argument that ends in the path of a file with some content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileArgument {
    /// The position of the argument.
    pub at: usize,
    /// The text before the path.
    pub prefix: String,
    /// The content of the file.
    pub content: Vec<u8>,
}

/// A call whose files were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileArguments {
    /// The arguments. Those at the positions of `files` lack their paths.
    pub args: Vec<String>,
    /// The content of the file that the tool reads from its standard input.
    pub stdin: Option<Vec<u8>>,
    /// What can be passed as a file only.
    pub files: Vec<FileArgument>,
}

/// Why the files that a call names cannot be passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileArgumentError<E> {
    /// A file cannot be read.
    Read(E),
    /// The agent reads only the last of several files, so that a guest that
    /// names more is wrong: the flag.
    Repeated(String),
}

impl FileArguments {
    /// Reads the files that the arguments of a guest's call name, by `read`.
    /// Returns none if there are no such arguments.
    ///
    /// [`crate::Policy::check`] has accepted the call. A tool that can read its
    /// standard input gets the content there. The value of a secret's key becomes
    /// `KEY#base64=`, unless it is empty, which Juju takes from a file only.
    ///
    /// # Errors
    ///
    /// Those of `read`, and for a flag that is given twice.
    pub fn read<E>(
        name: &str,
        args: &[String],
        mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Self>, FileArgumentError<E>> {
        let Some(tool) = tool(name) else {
            return Ok(None);
        };
        let named = named_files(tool, args, Joined::AsTheAgent).unwrap_or_default();
        if named.is_empty() {
            return Ok(None);
        }
        if let Some(flag) = repeated(tool, args) {
            return Err(FileArgumentError::Repeated(flag));
        }
        let mut call = FileArguments {
            args: args.to_vec(),
            ..FileArguments::default()
        };
        for file in named {
            let Some(arg) = call.args.get_mut(file.at) else {
                continue;
            };
            let content = read(file.path).map_err(FileArgumentError::Read)?;
            let prefix = arg.strip_suffix(file.path).unwrap_or_default();
            match file.used {
                FileUse::Flag { stdin: true } => {
                    *arg = format!("{prefix}-");
                    call.stdin = Some(content);
                }
                FileUse::Secret if !content.is_empty() => {
                    let key = file.argument.split_once('#').map_or("", |(key, _)| key);
                    *arg = secret_value(key, content);
                }
                _ => {
                    call.files.push(FileArgument {
                        at: file.at,
                        prefix: prefix.to_owned(),
                        content,
                    });
                    arg.clear();
                }
            }
        }
        Ok(Some(call))
    }
}

/// The flag for a file that is given more than once, also as `-`.
fn repeated(tool: &'static Tool, args: &[String]) -> Option<String> {
    let mut seen = Vec::new();
    let mut repeated = None;
    let walked = walk(tool.flags, args, Joined::AsTheAgent, |given| {
        if matches!(given.flag.kind, FlagKind::FileInput { .. }) {
            if seen.contains(&given.flag.names) {
                repeated = Some(dashed(given.name));
            }
            seen.push(given.flag.names);
        }
        Ok(())
    });
    walked.ok().and(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    /// Reads a file of a guest: `/empty`, and others with their paths as content.
    fn guest_file(path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/empty" => Ok(Vec::new()),
            path if path.starts_with('/') => Ok(path.as_bytes().to_vec()),
            path => Err(format!("cannot read {path:?}")),
        }
    }

    fn shown(line: &str) -> String {
        let mut words = line.split(' ').map(str::to_owned);
        let tool = words.next().unwrap();
        let args: Vec<String> = words.collect();
        assert_eq!(Policy::default().check(&tool, &args), Ok(()), "{line}");
        match FileArguments::read(&tool, &args, guest_file) {
            Ok(None) => "no files".to_owned(),
            Ok(Some(mut call)) => {
                for file in &call.files {
                    let content = String::from_utf8_lossy(&file.content);
                    let arg = format!("{}[{content}]", file.prefix);
                    call.args[file.at] = arg;
                }
                let input = call.stdin.map(|input| String::from_utf8(input).unwrap());
                let input = input.map(|input| format!(" < {input}"));
                call.args.join(" ") + &input.unwrap_or_default()
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn the_agent_gets_the_content_of_files() {
        for (line, wanted) in [
            ("config-get key", "no files"),
            ("relation-set -r 1 --file -", "no files"),
            ("relation-set -r 1 --file /a k=v", "-r 1 --file - k=v < /a"),
            ("relation-set --file=/a -r 1", "--file=- -r 1 < /a"),
            (
                "relation-set -r --file --file /a",
                "-r --file --file - < /a",
            ),
            ("state-set --file /empty", "--file - < "),
            ("state-set -- --file /a", "no files"),
            ("k8s-raw-set --file=/a", "--file=- < /a"),
            (
                "pod-spec-set --file /a --k8s-resources /b",
                "--file - --k8s-resources [/b] < /a",
            ),
            ("pod-spec-set --k8s-resources=/b", "--k8s-resources=[/b]"),
            (
                "secret-add data#file=/a other=/b",
                "data#base64=L2E= other=/b",
            ),
            (
                "secret-set secret:1 data#file=/a key#base64=eA==",
                "secret:1 data#base64=L2E= key#base64=eA==",
            ),
            ("secret-add -- data#file=/a", "-- data#base64=L2E="),
            ("secret-add data#file=/empty", "data#file=[]"),
            ("secret-add --file /a --label l", "--file [/a] --label l"),
            ("secret-add --file=/a", "--file=[/a]"),
            ("secret-add --file -", "Read(\"cannot read \\\"-\\\"\")"),
            (
                "secret-add a#file=/a b#file=b",
                "Read(\"cannot read \\\"b\\\"\")",
            ),
            ("state-set --file=", "Read(\"cannot read \\\"\\\"\")"),
            ("state-set --file - --file=/a", "Repeated(\"--file\")"),
            ("state-set --file /a --file -", "Repeated(\"--file\")"),
        ] {
            assert_eq!(shown(line), wanted, "{line}");
        }
    }

    #[test]
    fn files_have_long_flags_so_that_no_reading_of_joined_ones_matters() {
        for tool in crate::table::TOOLS {
            for flag in tool.flags {
                let is_read = matches!(flag.kind, FlagKind::FileInput { .. });
                let is_long = flag.names.iter().all(|name| name.len() > 1);
                assert!(!is_read || is_long, "{} {:?}", tool.name, flag.names);
            }
        }
    }
}
