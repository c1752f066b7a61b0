//! The hook tools, as Juju runs them (juju §3).

mod actions;
mod config;
mod credential;
mod goal_state;
#[cfg(test)]
mod golden;
mod juju_log;
mod key_values;
mod leadership;
mod network;
mod number;
mod output;
mod ports;
#[cfg(test)]
mod real_answers;
mod reboot;
mod relations;
mod resources;
mod secret_writes;
mod secrets;
mod state;
mod status;
mod storage;
mod workload_version;
mod yaml;

use std::path::Path;

use charmhost_hook_tools::{
    FlagKind, Output, ParseError, Parsed, TOOLS, Tool, Version, parse, tool,
};
use charmhost_jujuc::{REQUIRES_STDIN, Reply, Request};

use crate::Hook;
use output::ToolOutput;

/// One call of a tool.
struct Call<'a> {
    arguments: Parsed,
    dir: &'a Path,
    stdin: Option<&'a [u8]>,
}

impl Call<'_> {
    /// What the caller supplied as input.
    fn stdin(&self) -> Result<&[u8], ToolError> {
        self.stdin.ok_or(ToolError::NeedsStdin)
    }
}

/// Why a tool did not do what it was asked to.
enum ToolError {
    /// It tried: exit code 1.
    Failed(String),
    /// It was asked wrongly: exit code 2.
    Usage(String),
    /// It reads its input, and the call had none.
    NeedsStdin,
}

impl ToolError {
    /// The refusal of what only a leader may do.
    fn not_leader() -> Self {
        ToolError::Failed("this unit is not the leader".to_owned())
    }
}

/// What a tool does: what it prints, if it prints anything.
type Run = fn(&mut Hook, &Call) -> Result<Option<ToolOutput>, ToolError>;

/// The simulated tools; those of pod-spec charms, payloads and metrics are not.
fn implementation(tool: &str) -> Option<Run> {
    Some(match tool {
        "action-fail" => actions::fail,
        "action-get" => actions::get,
        "action-log" => actions::log,
        "action-set" => actions::set,
        "application-version-set" => workload_version::set,
        "close-port" => ports::close,
        "config-get" => config::get,
        "credential-get" => credential::get,
        "goal-state" => goal_state::get,
        "is-leader" => leadership::is_leader,
        "juju-log" => juju_log::log,
        "juju-reboot" => reboot::reboot,
        "leader-get" => leadership::get,
        "leader-set" => leadership::set,
        "network-get" => network::get,
        "open-port" => ports::open,
        "opened-ports" => ports::list,
        "relation-get" => relations::get,
        "relation-ids" => relations::ids,
        "relation-list" => relations::list,
        "relation-model-get" => relations::model,
        "relation-set" => relations::set,
        "resource-get" => resources::get,
        "secret-add" => secret_writes::add,
        "secret-get" => secrets::get,
        "secret-grant" => secret_writes::grant,
        "secret-ids" => secrets::ids,
        "secret-info-get" => secrets::info,
        "secret-remove" => secret_writes::remove,
        "secret-revoke" => secret_writes::revoke,
        "secret-set" => secret_writes::set,
        "state-delete" => state::delete,
        "state-get" => state::get,
        "state-set" => state::set,
        "status-get" => status::get,
        "status-set" => status::set,
        "storage-add" => storage::add,
        "storage-get" => storage::get,
        "storage-list" => storage::list,
        "unit-get" => network::unit,
        _ => return None,
    })
}

/// The names of all simulated tools.
pub fn names() -> impl Iterator<Item = &'static str> {
    let names = TOOLS.iter().map(|tool| tool.name);
    names.filter(|name| implementation(name).is_some())
}

/// Runs the tool that a request names. The error is the text with which the
/// call is rejected: no tool ran (juju §2.2).
pub fn run(hook: &mut Hook, request: &Request) -> Result<Reply, String> {
    if request.tool.is_empty() {
        return Err("bad request: command not specified".to_owned());
    }
    if !Path::new(&request.dir).is_absolute() {
        return Err("bad request: Dir is not absolute".to_owned());
    }
    let version = Version::parse(&hook.view().juju_version);
    let known = tool(&request.tool).filter(|tool| tool.is_in(version));
    match known.zip(implementation(&request.tool)) {
        Some((tool, run)) => call(tool, run, hook, request),
        None => Err(format!("bad request: unknown command: {}", request.tool)),
    }
}

fn call(
    tool: &'static Tool,
    run: Run,
    hook: &mut Hook,
    request: &Request,
) -> Result<Reply, String> {
    let arguments = match parse(tool.flags, &request.args) {
        Ok(arguments) => arguments,
        Err(ParseError::Help) => return Ok(printed(help(tool))),
        Err(ParseError::Wrong(text)) => return Ok(failed(2, &text)),
    };
    let call = Call {
        arguments,
        dir: Path::new(&request.dir),
        stdin: request.stdin.as_deref(),
    };
    let mut reply = match run(hook, &call) {
        Ok(None) => Reply::default(),
        Ok(Some(shown)) => output(tool, hook, &call, shown),
        Err(ToolError::Failed(text)) => failed(1, &text),
        Err(ToolError::Usage(text)) => failed(2, &text),
        Err(ToolError::NeedsStdin) => return Err(REQUIRES_STDIN.to_owned()),
    };
    let ignores_format = tool
        .flags
        .iter()
        .any(|flag| flag.kind == FlagKind::IgnoredFormat);
    if ignores_format && call.arguments.value("format").is_some() && reply.code != 2 {
        let warning = format!("--format flag deprecated for command {:?}", tool.name);
        reply.stderr.splice(0..0, warning.into_bytes());
    }
    Ok(reply)
}

/// Prints, or writes to the file of `-o`, relative to the caller's directory.
fn output(tool: &Tool, hook: &Hook, call: &Call, shown: ToolOutput) -> Reply {
    let default = match tool.output {
        Output::Yaml => "yaml",
        _ => "smart",
    };
    let prints_value = matches!(tool.output, Output::Smart | Output::Yaml);
    let format = call.arguments.value("format").filter(|_| prints_value);
    let text = shown.print(format.unwrap_or(default));
    match call.arguments.value("o") {
        None | Some("") => printed(text),
        Some(file) => match hook.write_file(call.dir, file, text.as_bytes()) {
            Ok(()) => Reply::default(),
            Err(error) => failed(1, &file_error(call.dir, file, &error)),
        },
    }
}

/// The error message of Go for a file that cannot be opened.
fn file_error(dir: &Path, file: &str, error: &std::io::Error) -> String {
    let text = error.to_string();
    let reason = text
        .split_once(" (os error")
        .map_or(text.as_str(), |(reason, _)| reason);
    let mut chars = reason.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    let reason: String = first.into_iter().chain(chars).collect();
    format!("open {}: {reason}", dir.join(file).display())
}

fn help(tool: &Tool) -> String {
    let mut text = format!(
        "Usage: {} {}\n\nSummary:\n{}\n",
        tool.name, tool.usage, tool.purpose
    );
    if tool.output == Output::Smart {
        text.push_str("\nOptions:\n--format (= smart)\n    smart, yaml or json\n-o, --output (= \"\")\n    write to a file instead\n");
    }
    text
}

fn printed(text: String) -> Reply {
    Reply {
        stdout: text.into_bytes(),
        ..Reply::default()
    }
}

fn failed(code: i32, text: &str) -> Reply {
    Reply {
        code,
        stderr: format!("ERROR {text}\n").into_bytes(),
        ..Reply::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_of_charms_is_simulated() {
        let missing = |tool: &&str| implementation(tool).is_none();
        let missing: Vec<&str> = TOOLS.iter().map(|tool| tool.name).filter(missing).collect();
        let wanted = [
            "add-metric",
            "k8s-raw-get",
            "k8s-raw-set",
            "k8s-spec-get",
            "k8s-spec-set",
            "payload-register",
            "payload-status-set",
            "payload-unregister",
            "pod-spec-get",
            "pod-spec-set",
        ];
        assert_eq!(missing, wanted);
        assert_eq!(names().count(), TOOLS.len() - wanted.len());
    }
}
