//! Security events: lines of JSON in the log at level TRACE (ops §20.3), also for
//! hook tools that Juju refuses (ops §8).

use charmhost_hook_tools::{Level, Subject, tool};
use serde_json::json;

use super::{Model, ThisUnit, time};

/// What the standard error of a refused hook tool contains (ops §8).
const REFUSALS: [&str; 4] = [
    "access denied",
    "permission denied",
    "not the leader",
    "cannot write relation settings",
];

/// The security event of a hook tool that was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    event: String,
    description: String,
}

/// How serious a security event is.
#[derive(Debug, Clone, Copy)]
enum Severity {
    Warn,
    Critical,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Severity::Warn => "WARN",
            Severity::Critical => "CRITICAL",
        }
    }
}

impl Model {
    /// Logs that the charm failed with an uncaught error; `kind` is its type in
    /// the charm's language.
    pub fn log_crash(&mut self, kind: &str, message: &str) {
        let message = repr(message);
        self.log_security_event(
            Severity::Warn,
            &format!("sys_crash:{kind}"),
            &format!("Uncaught exception in charm code: {kind}({message})."),
        );
    }

    /// Logs that the charm stopped a check of a workload.
    pub fn log_check_stopped(&mut self, check: &str) {
        let uid = rustix::process::getuid().as_raw();
        self.log_security_event(
            Severity::Warn,
            &format!("sys_monitor_disabled:{uid},{check}"),
            &format!("Stopped check {check}"),
        );
    }

    /// Logs that the charm reboots its machine.
    pub(super) fn log_restart(&mut self) {
        let ThisUnit {
            name, model_name, ..
        } = &self.unit;
        let description = format!("Rebooting unit '{name}' in model '{model_name}'");
        let uid = rustix::process::getuid().as_raw();
        self.log_security_event(Severity::Warn, &format!("sys_restart:{uid}"), &description);
    }

    /// Logs that a unit that is not the leader tried what only the leader may
    /// do; `name` is the tool that it needs.
    pub(super) fn log_not_leader(&mut self, name: &str, description: &str) {
        let event = format!("authz_fail:{name}");
        self.log_security_event(Severity::Critical, &event, description);
    }

    /// Logs that Juju refused a hook tool, if its standard error says so. For
    /// `permission denied` of a tool about relations only the caller can tell:
    /// it then calls [`Model::log_refusal`] (ops §8).
    pub(super) fn note_refusal(&mut self, name: &str, code: i32, stderr: &[u8]) {
        self.refusal = None;
        let stderr = String::from_utf8_lossy(stderr);
        let lower = stderr.to_lowercase();
        if !REFUSALS.iter().any(|refusal| lower.contains(refusal)) {
            return;
        }
        let leadership = match self.cached_leadership() {
            None => " (leadership unknown)",
            Some(true) => " (as leader)",
            Some(false) => "",
        };
        let text = repr(stderr.trim());
        self.refusal = Some(Refusal {
            event: format!("authz_fail:{name}"),
            description: format!(
                "Hook command '{name}'{leadership} failed with code {code}: {text}. "
            ),
        });
        let is_of_relation = tool(name).is_some_and(|tool| tool.subject == Subject::Relation);
        if !(is_of_relation && lower.contains("permission denied")) {
            self.log_refusal();
        }
    }

    /// Logs the refusal of the last call that failed, unless it was logged.
    pub(super) fn log_refusal(&mut self) {
        if let Some(Refusal { event, description }) = self.refusal.take() {
            self.log_security_event(Severity::Critical, &event, &description);
        }
    }

    fn log_security_event(&mut self, severity: Severity, event: &str, description: &str) {
        let now = time::python_iso(self.clock.wall());
        let ThisUnit {
            name, model_uuid, ..
        } = &self.unit;
        let line = json!({
            "datetime": now,
            "level": severity.as_str(),
            "type": "security",
            "appid": format!("{model_uuid}-{name}"),
            "event": event,
            "description": description,
        });
        self.log(Level::Trace, &line.to_string());
    }
}

/// Returns a string as Python's `repr` prints it.
fn repr(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == '\\' || c == quote => shown.extend(['\\', c]),
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", c as u32)),
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}
