//! Failures of hook tools, in cases that a charm can act on (ops §8).

use std::time::Duration;

use charmhost_error_chain::ErrorChain;
use charmhost_jujuc::Error as RpcError;

use crate::limits::MAX_ARGUMENT;
use crate::relation_gone;
use crate::table::{self, Subject};

/// The failure of a hook tool.
///
/// The text is what the tool printed on standard error, without its `ERROR`
/// prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "tool is the tool's name, text its error message"
)]
pub enum ToolError {
    /// Only the leader may do this.
    #[error("cannot run {tool}: {text}")]
    NotLeader { tool: String, text: String },
    /// Juju does not allow it.
    #[error("cannot run {tool}: {text}")]
    PermissionDenied { tool: String, text: String },
    /// The relation does not exist any more.
    #[error("cannot run {tool}: {text}")]
    RelationGone { tool: String, text: String },
    /// The named thing does not exist.
    #[error("cannot run {tool}: {text}")]
    NotFound { tool: String, text: String },
    /// The arguments are wrong.
    #[error("cannot run {tool}: {text}")]
    InvalidInput { tool: String, text: String },
    /// This Juju has no such tool.
    #[error("cannot run {tool}: {text}")]
    UnknownTool { tool: String, text: String },
    /// The agent would open files of the machine for the charm.
    #[error("cannot run {tool}: {text}")]
    Denied { tool: String, text: String },
    /// The agent did not answer within the limit that the operator set.
    #[error("cannot run {tool}: {text}")]
    Timeout { tool: String, text: String },
    /// The agent cannot be reached. The text is the whole message.
    #[error("{text}")]
    Unreachable { tool: String, text: String },
    /// The tool succeeded, but its output has an unexpected form.
    #[error("cannot run {tool}: {text}")]
    UnexpectedOutput { tool: String, text: String },
    /// Anything else.
    #[error("cannot run {tool}: {text}")]
    Other { tool: String, text: String },
}

impl ToolError {
    /// Creates the error of a tool that ran and failed (ops §8).
    pub fn failed(tool: &str, code: i32, stderr: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(stderr);
        let text = raw
            .trim_end()
            .strip_prefix("ERROR ")
            .unwrap_or(raw.trim_end())
            .to_owned();
        let subject = table::tool(tool).map(|tool| tool.subject);
        let tool = tool.to_owned();
        let lower = text.to_lowercase();
        if relation_gone::is_reported(&tool, &lower) {
            return ToolError::RelationGone { tool, text };
        }
        if lower.contains("not the leader") || lower.contains("cannot write relation settings") {
            return ToolError::NotLeader { tool, text };
        }
        if lower.contains("permission denied") || lower.contains("access denied") {
            return ToolError::PermissionDenied { tool, text };
        }
        if subject == Some(Subject::Secret) && lower.contains("not found") {
            return ToolError::NotFound { tool, text };
        }
        if code == 2 {
            return ToolError::InvalidInput { tool, text };
        }
        let text = if text.is_empty() {
            format!("it exited with status {code}")
        } else {
            text
        };
        ToolError::Other { tool, text }
    }

    /// Returns whether the relation is gone: Juju also denies access to such a
    /// relation (ops §8).
    pub fn is_relation_gone(&self) -> bool {
        match self {
            ToolError::RelationGone { .. } => true,
            ToolError::PermissionDenied { text, .. } => {
                relation_gone::is_denied(&text.to_lowercase())
            }
            _ => false,
        }
    }

    /// Turns a denied access into the error for a relation that is gone (ops §8).
    #[must_use]
    pub fn relation_gone_if_denied(self) -> Self {
        match self {
            ToolError::PermissionDenied { tool, text }
                if relation_gone::is_denied(&text.to_lowercase()) =>
            {
                ToolError::RelationGone { tool, text }
            }
            other => other,
        }
    }

    /// Creates the error for an argument that names a file.
    pub fn opens_file(tool: &str, arg: &str) -> Self {
        ToolError::Denied {
            tool: tool.to_owned(),
            text: format!("with {arg} the agent opens a file of the machine with its own rights"),
        }
    }

    /// Creates the error for content that cannot be written to a private file.
    pub fn failed_to_pass(tool: &str, error: &std::io::Error) -> Self {
        let text = format!(
            "cannot write a private file for an argument to the directory .charmhost of the charm: {error}"
        );
        let tool = tool.to_owned();
        ToolError::Other { tool, text }
    }

    /// Creates the error for an argument longer than [`MAX_ARGUMENT`]; `length`
    /// is in bytes.
    pub fn argument_too_long(tool: &str, length: usize) -> Self {
        let text = format!(
            "one of its arguments has {length} bytes, and a program can be passed at most {MAX_ARGUMENT} in one; shorten it, or pass the data on the tool's standard input if it reads that"
        );
        ToolError::invalid(tool, text)
    }

    /// Creates the error for arguments that are together longer than the kernel
    /// passes to a program; `length` is their sum in bytes.
    pub(crate) fn arguments_too_long(tool: &str, length: usize) -> Self {
        let text = format!(
            "its arguments have {length} bytes in total, more than a program can be passed on this machine; call it several times with fewer"
        );
        ToolError::invalid(tool, text)
    }

    pub(crate) fn timeout(tool: &str, limit: Duration) -> Self {
        let seconds = limit.as_secs_f64();
        ToolError::Timeout {
            tool: tool.to_owned(),
            text: format!(
                "the agent has not answered for {seconds} s (limits.hook-tool-seconds of the operator)"
            ),
        }
    }

    pub(crate) fn from_rpc(tool: &str, error: RpcError) -> Self {
        let text = error.chain().to_string();
        match error {
            RpcError::Timeout { expired, .. } => ToolError::timeout(tool, expired.limit),
            error if error.is_unknown_tool() => {
                ToolError::unknown_tool(tool, "this Juju has no such hook tool")
            }
            RpcError::Rpc { message, .. } => ToolError::Other {
                tool: tool.to_owned(),
                text: message,
            },
            _ => ToolError::unreachable(tool, text),
        }
    }

    pub(crate) fn unknown_tool(tool: &str, text: &str) -> Self {
        ToolError::UnknownTool {
            tool: tool.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn unreachable(tool: &str, text: String) -> Self {
        ToolError::Unreachable {
            tool: tool.to_owned(),
            text,
        }
    }

    /// Creates the error for invalid arguments.
    pub fn invalid(tool: &str, text: impl Into<String>) -> Self {
        ToolError::InvalidInput {
            tool: tool.to_owned(),
            text: text.into(),
        }
    }

    /// Creates the error for a subject that the charm's metadata does not
    /// declare; `kind` is what it is, `declared` are those that there are.
    pub fn undeclared<'a>(
        tool: &str,
        kind: &str,
        name: &str,
        declared: impl Iterator<Item = &'a str>,
    ) -> Self {
        let declared: Vec<&str> = declared.collect();
        let declared = match declared.is_empty() {
            true => "none".to_owned(),
            false => declared.join(", "),
        };
        ToolError::NotFound {
            tool: tool.to_owned(),
            text: format!("there is no {kind} {name:?}: the charm has {declared}"),
        }
    }

    /// Creates the error for output of an unexpected form.
    pub fn unexpected(tool: &str, text: impl Into<String>) -> Self {
        ToolError::UnexpectedOutput {
            tool: tool.to_owned(),
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_classified() {
        type Case = fn(&ToolError) -> bool;
        let table: [(&str, i32, &str, Case); 10] = [
            ("relation-get", 1, "ERROR relation 7 not found\n", |e| {
                matches!(e, ToolError::RelationGone { .. })
            }),
            (
                "relation-list",
                2,
                "ERROR invalid value \"9\" for option -r: relation not found\n",
                |e| matches!(e, ToolError::RelationGone { .. }),
            ),
            (
                "status-set",
                1,
                "ERROR this unit is not the leader\n",
                |e| matches!(e, ToolError::NotLeader { .. }),
            ),
            (
                "relation-set",
                1,
                "ERROR cannot write relation settings\n",
                |e| matches!(e, ToolError::NotLeader { .. }),
            ),
            (
                "credential-get",
                1,
                "ERROR cannot access cloud credentials: permission denied\n",
                |e| matches!(e, ToolError::PermissionDenied { .. }),
            ),
            ("secret-get", 1, "ERROR secret \"x\" not found\n", |e| {
                matches!(e, ToolError::NotFound { .. })
            }),
            (
                "secret-grant",
                2,
                "ERROR invalid value \"9\" for option --relation: relation not found\n",
                |e| matches!(e, ToolError::RelationGone { .. }),
            ),
            ("resource-get", 1, "ERROR resource not found\n", |e| {
                matches!(e, ToolError::Other { .. })
            }),
            ("status-set", 2, "ERROR invalid status\n", |e| {
                matches!(e, ToolError::InvalidInput { .. })
            }),
            ("open-port", 1, "", |e| {
                e.to_string() == "cannot run open-port: it exited with status 1"
            }),
        ];
        for (tool, code, stderr, fits) in table {
            let error = ToolError::failed(tool, code, stderr.as_bytes());
            assert!(fits(&error), "{tool} {stderr:?} gave {error:?}");
        }
    }

    #[test]
    fn the_prefix_error_is_left_out() {
        let error = ToolError::failed("status-set", 1, b"ERROR this unit is not the leader\n");
        assert_eq!(
            error.to_string(),
            "cannot run status-set: this unit is not the leader"
        );
    }
}
