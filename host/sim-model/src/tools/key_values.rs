//! `key=value` arguments and `--file`, which several tools take (juju §3.3).

use super::{Call, ToolError, file_error, yaml};
use crate::Hook;

/// The pairs of a file, if there is one, and of the arguments, whose values are
/// trimmed.
pub fn read(hook: &Hook, call: &Call) -> Result<Vec<(String, String)>, ToolError> {
    let mut pairs = match call.arguments.value("file") {
        None | Some("") => Vec::new(),
        Some(file) => from_file(hook, call, file)?,
    };
    let mut given: Vec<(String, String)> = Vec::new();
    for arg in &call.arguments.args {
        let wrong = || ToolError::Usage(format!("expected \"key=value\", got {arg:?}"));
        let (key, value) = arg.split_once('=').ok_or_else(wrong)?;
        if key.is_empty() {
            return Err(wrong());
        }
        let key = key.trim().to_owned();
        if given.iter().any(|(other, _)| *other == key) {
            let text = format!("key {key:?} specified more than once");
            return Err(ToolError::Usage(text));
        }
        given.push((key, value.trim().to_owned()));
    }
    pairs.extend(given);
    Ok(pairs)
}

/// A YAML map from keys to text, in a file or, as `-`, the tool's input.
fn from_file(hook: &Hook, call: &Call, file: &str) -> Result<Vec<(String, String)>, ToolError> {
    let bytes = match file {
        "-" => call.stdin()?.to_vec(),
        path => hook
            .read_file(call.dir, path)
            .map_err(|error| ToolError::Failed(file_error(call.dir, path, &error)))?,
    };
    let map = yaml::string_map(&bytes).map_err(ToolError::Failed)?;
    Ok(map.into_iter().collect())
}
