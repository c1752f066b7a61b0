//! Security events: one line of JSON each in the log, at the level TRACE (ops
//! §20.3).

use std::time::SystemTime;

use serde_json::json;

use crate::{Environment, Level, Model};

/// What stderr of a hook tool contains that was refused (ops §8, rule 2).
const REFUSALS: [&str; 4] = [
    "access denied",
    "permission denied",
    "not the leader",
    "cannot write relation settings",
];

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

/// Whose events they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    model_name: String,
    model_uuid: String,
    unit_name: String,
}

impl From<&Environment> for Identity {
    fn from(environment: &Environment) -> Self {
        Identity {
            model_name: environment.model_name.clone(),
            model_uuid: environment.model_uuid.clone(),
            unit_name: environment.unit_name.clone(),
        }
    }
}

impl Model {
    /// Logs that the charm ended by an error of the kind that its language
    /// gives it.
    pub fn log_crash(&mut self, kind: &str, message: &str) {
        let message = repr(message);
        self.log_security_event(
            Severity::Warn,
            &format!("sys_crash:{kind}"),
            &format!("Uncaught exception in charm code: {kind}({message})."),
        );
    }

    /// Logs that the charm asks for a reboot of its machine.
    pub fn log_restart(&mut self) {
        let Identity {
            model_name,
            unit_name,
            ..
        } = &self.identity;
        let description = format!("Rebooting unit '{unit_name}' in model '{model_name}'");
        let uid = rustix::process::getuid().as_raw();
        self.log_security_event(Severity::Warn, &format!("sys_restart:{uid}"), &description);
    }

    /// Logs that a unit wanted to do by a tool what only the leader may.
    pub(crate) fn log_not_leader(&mut self, tool: &str, description: &str) {
        let event = format!("authz_fail:{tool}");
        self.log_security_event(Severity::Critical, &event, description);
    }

    /// Logs that a hook tool was refused, if what it printed says so. Whether
    /// `permission denied` of a relation's tool is a refusal is known later:
    /// then [`Model::log_refusal`] does it.
    pub(crate) fn note_refusal(&mut self, tool: &str, code: i32, stderr: &[u8]) {
        self.refusal = None;
        let stderr = String::from_utf8_lossy(stderr);
        let lower = stderr.to_lowercase();
        if !REFUSALS.iter().any(|refusal| lower.contains(refusal)) {
            return;
        }
        let leadership = match self.known_leadership() {
            None => " (leadership unknown)",
            Some(true) => " (as leader)",
            Some(false) => "",
        };
        let text = repr(stderr.trim());
        self.refusal = Some((
            format!("authz_fail:{tool}"),
            format!("Hook command '{tool}'{leadership} failed with code {code}: {text}. "),
        ));
        let is_of_relation = tool.starts_with("relation-") || tool == "network-get";
        if !(is_of_relation && lower.contains("permission denied")) {
            self.log_refusal();
        }
    }

    /// Logs the refusal of the last call that failed, unless that is done.
    pub(crate) fn log_refusal(&mut self) {
        if let Some((event, description)) = self.refusal.take() {
            self.log_security_event(Severity::Critical, &event, &description);
        }
    }

    fn log_security_event(&mut self, severity: Severity, event: &str, description: &str) {
        let now = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let Identity {
            model_uuid,
            unit_name,
            ..
        } = &self.identity;
        let line = json!({
            "datetime": now.replace('Z', "+00:00"),
            "level": severity.as_str(),
            "type": "security",
            "appid": format!("{model_uuid}-{unit_name}"),
            "event": event,
            "description": description,
        });
        self.log(Level::Trace, &line.to_string());
    }
}

/// A text as Python's `repr` shows it.
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

#[cfg(test)]
mod tests;
