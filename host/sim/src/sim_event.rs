//! What happens while a hook runs.

use charmhost_sim_model::{HookEvent, LogLine, Status};
use serde::Serialize;

/// A hook tool that the charm called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolCall {
    /// Its name.
    pub tool: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its input, if the caller supplied any.
    pub stdin: Option<String>,
    /// Its exit code; none if the agent rejected the call.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// Its error output.
    #[serde(skip)]
    pub stderr: String,
    /// The error with which the agent rejected the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_error: Option<String>,
}

impl ToolCall {
    /// The call as one would type it.
    pub fn line(&self) -> String {
        let words = self.args.iter().map(|arg| quoted(arg));
        let words: Vec<String> = std::iter::once(self.tool.clone()).chain(words).collect();
        words.join(" ")
    }
}

/// An argument as one would type it.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+#".contains(c);
    match !arg.is_empty() && arg.chars().all(plain) {
        true => arg.to_owned(),
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    }
}

/// Something that happens while a hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimEvent {
    /// The charm called a hook tool, and this was the answer.
    Call(ToolCall),
    /// A message was logged: by the charm, from its output, or by the agent.
    Log(LogLine),
    /// The charm set the unit's status.
    UnitStatus(Status),
    /// The charm set the application's status.
    AppStatus(Status),
    /// The charm set the workload's version.
    WorkloadVersion(String),
}

impl From<HookEvent> for SimEvent {
    fn from(event: HookEvent) -> Self {
        match event {
            HookEvent::Log(line) => SimEvent::Log(line),
            HookEvent::UnitStatus(status) => SimEvent::UnitStatus(status),
            HookEvent::AppStatus(status) => SimEvent::AppStatus(status),
            HookEvent::WorkloadVersion(version) => SimEvent::WorkloadVersion(version),
        }
    }
}
