//! Values of secrets among the arguments of a hook tool (juju §3.3).
//!
//! They are written as `KEY#base64=VALUE`, for any transport. A program gets each
//! in a file, as `KEY#file=PATH`, as with ops (ops §7): every process of the
//! machine can read the arguments of a program.

use std::ffi::{OsStr, OsString};
use std::fs::{OpenOptions, Permissions};
use std::io::{Error, Result, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use crate::flags::{Joined, walk};
use crate::table::{Arguments, tool};

/// The mark between a key and its value in base64.
const MARK: &str = "#base64=";
/// The directory for files with values, which the agent can read as well.
const TEMPORARY: &str = "/tmp";

/// Returns the argument for a key of a secret and its value.
pub fn secret_value(key: &str, value: impl AsRef<[u8]>) -> String {
    match value.as_ref() {
        // The agent rejects a value that is empty, but not a file that is.
        [] => format!("{key}#file=/dev/null"),
        value => format!("{key}{MARK}{}", BASE64.encode(value)),
    }
}

/// Returns whether an argument has the form of a value of a secret, and its tool
/// takes such values. Its length has no limit, unlike that of others: no program
/// gets it as an argument.
pub fn is_secret_value(tool: &str, arg: &str) -> bool {
    takes_values(tool) && decoded(arg).is_some()
}

fn takes_values(name: &str) -> bool {
    tool(name).is_some_and(|tool| tool.arguments == Arguments::SecretContent)
}

/// The key and the value of an argument; none if it has another form. What the
/// agent would reject anyway stays an argument.
fn decoded(arg: &str) -> Option<(&str, Vec<u8>)> {
    let (key, value) = arg.split_once(MARK)?;
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if key.is_empty() || value.is_empty() || !key.chars().all(is_key) {
        return None;
    }
    Some((key, BASE64.decode(value).ok()?))
}

/// The arguments of a program, and the files that they name until they are
/// dropped.
pub(crate) struct ProgramArguments {
    args: Vec<OsString>,
    files: Option<TempDir>,
}

impl ProgramArguments {
    /// Writes the values of secrets to files, in a directory that only this user
    /// can read.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn of(program: &Path, args: &[impl AsRef<OsStr>]) -> Result<Self> {
        let mut replaced = ProgramArguments {
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            files: None,
        };
        let name = program.file_name().and_then(OsStr::to_str);
        if let Some(name) = name.filter(|name| takes_values(name)) {
            replaced.write_values(name).map_err(|error| {
                let text = format!("cannot write a secret to a file below {TEMPORARY}: {error}");
                Error::new(error.kind(), text)
            })?;
        }
        Ok(replaced)
    }

    pub fn iter(&self) -> impl Iterator<Item = &OsString> {
        self.args.iter()
    }

    fn write_values(&mut self, name: &str) -> Result<()> {
        let lossy = |arg: &OsString| arg.to_string_lossy().into_owned();
        let texts: Vec<String> = self.args.iter().map(lossy).collect();
        let flags = tool(name).map(|tool| tool.flags).unwrap_or_default();
        // The program rejects arguments that cannot be parsed.
        let others = walk(flags, &texts, Joined::AsTheAgent, |_| Ok(()));
        for (at, text) in others.unwrap_or_default() {
            let Some((key, value)) = decoded(text) else {
                continue;
            };
            let dir = match self.files.take() {
                Some(dir) => dir,
                None => private_dir()?,
            };
            let path = self.files.insert(dir).path().join(key);
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&path)?.write_all(&value)?;
            if let Some(arg) = self.args.get_mut(at) {
                *arg = format!("{key}#file={}", path.display()).into();
            }
        }
        Ok(())
    }
}

fn private_dir() -> Result<TempDir> {
    let mut dir = tempfile::Builder::new();
    dir.prefix("charmhost-secret-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &ProgramArguments) -> Vec<String> {
        args.iter()
            .map(|arg| arg.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_program_gets_values_in_files_that_are_removed() {
        let given = [
            "--label".to_owned(),
            secret_value("label", "x"),
            secret_value("token", "s3cret\n"),
            "plain=value".to_owned(),
            secret_value("empty", ""),
            "broken#base64=?".to_owned(),
        ];
        let args = ProgramArguments::of(Path::new("/tools/secret-add"), &given).unwrap();
        let shown = strings(&args);
        let path = shown[2].strip_prefix("token#file=").unwrap().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "s3cret\n");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let dir = Path::new(&path).parent().unwrap().to_path_buf();
        assert_eq!((mode(Path::new(&path)), mode(&dir)), (0o600, 0o700));
        for same in [0, 1, 3, 4, 5] {
            assert_eq!(shown[same], given[same]);
        }
        assert_eq!(shown[4], "empty#file=/dev/null");
        drop(args);
        assert!(!dir.exists());
    }

    #[test]
    fn other_tools_get_their_arguments_unchanged() {
        let given = [secret_value("token", "x")];
        let args = ProgramArguments::of(Path::new("/tools/action-set"), &given).unwrap();
        assert_eq!(strings(&args), given);
        assert!(is_secret_value("secret-set", &given[0]));
        assert!(!is_secret_value("action-set", &given[0]));
        assert!(!is_secret_value("secret-set", "token=x"));
    }
}
