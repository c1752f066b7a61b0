//! Keeps values of secrets out of reports.
//!
//! A value is replaced by a digest that is keyed anew for each run: the same
//! value has the same digest, and nobody can guess the value from it.

use charmhost_sim_model::{Content, Hook, HookEvent, LogLine};
use sha2::{Digest, Sha256};

use crate::sim_event::{SimEvent, ToolCall};

/// Values that are shorter than this are only replaced where a secret's value
/// is expected: they could be a part of anything.
const LONG: usize = 6;

/// How values of secrets are reported.
#[derive(Debug, Clone)]
pub struct Redactor {
    /// None to show them as they are.
    key: Option<[u8; 16]>,
}

impl Redactor {
    /// Values are recorded as they are.
    pub fn disabled() -> Self {
        Redactor { key: None }
    }

    /// Values are recorded as digests.
    pub fn new() -> Self {
        let mut key = [0; 16];
        // Without random numbers the digests are only easier to guess.
        let _ = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty());
        Redactor { key: Some(key) }
    }

    /// A value as it is recorded.
    pub fn value(&self, value: &[u8]) -> String {
        let Some(key) = &self.key else {
            return String::from_utf8_lossy(value).into_owned();
        };
        let mut digest = Sha256::new();
        digest.update(key);
        digest.update(value);
        let digest = digest.finalize();
        let hex = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        format!("digest:{}", hex.collect::<String>())
    }

    /// A call as it is recorded.
    pub fn call(&self, hook: &Hook, mut call: ToolCall) -> ToolCall {
        if self.key.is_none() {
            return call;
        }
        let values = values(hook);
        if ["secret-add", "secret-set"].contains(&call.tool.as_str()) {
            call.args = call.args.iter().map(|arg| self.pair(arg)).collect();
            call.stdin = call.stdin.map(|stdin| self.value(stdin.as_bytes()));
        }
        // One value alone may be short.
        if call.tool == "secret-get" && !call.stdout.is_empty() {
            let printed = call.stdout.trim_end().trim_matches('"');
            if values.iter().any(|value| *value == printed) {
                call.stdout = self.value(printed.as_bytes());
            } else if let Ok(map) = serde_json::from_str::<serde_json::Map<_, _>>(&call.stdout) {
                let redacted = |(key, value): (String, serde_json::Value)| {
                    let value = value.as_str().unwrap_or_default().as_bytes();
                    (key, self.value(value).into())
                };
                let map: serde_json::Map<String, _> = map.into_iter().map(redacted).collect();
                call.stdout = serde_json::Value::Object(map).to_string();
            }
        }
        let text = |text: &String| self.text(&values, text);
        call.args = call.args.iter().map(text).collect();
        call.stdin = call.stdin.as_ref().map(text);
        call.stdout = text(&call.stdout);
        call.stderr = text(&call.stderr);
        call
    }

    /// An event of a hook, without values of secrets.
    pub fn event(&self, hook: &Hook, event: HookEvent) -> SimEvent {
        match event {
            HookEvent::Log(LogLine { level, message }) if self.key.is_some() => {
                SimEvent::Log(LogLine {
                    level,
                    message: self.text(&values(hook), &message),
                })
            }
            other => other.into(),
        }
    }

    /// `key=value` with the value redacted; a `#file` names only a file.
    fn pair(&self, arg: &str) -> String {
        match arg.split_once('=') {
            Some((key, value)) if !key.starts_with('-') && !key.ends_with("#file") => {
                format!("{key}={}", self.value(value.as_bytes()))
            }
            _ => arg.to_owned(),
        }
    }

    /// A text without the long values in it.
    fn text(&self, values: &[String], text: &str) -> String {
        let long = values.iter().filter(|value| value.len() >= LONG);
        long.fold(text.to_owned(), |text, value| match text.contains(value) {
            true => text.replace(value, &self.value(value.as_bytes())),
            false => text,
        })
    }
}

/// Every value of every secret, as text and as base64, the longest first: one
/// may be a part of another.
fn values(hook: &Hook) -> Vec<String> {
    let of_content = |content: &Content| {
        let encoded = content.0.values().cloned();
        encoded
            .chain(content.plain().into_values())
            .collect::<Vec<_>>()
    };
    let values = hook.secret_contents().flat_map(of_content);
    let mut values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
    values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    values.dedup();
    values
}
