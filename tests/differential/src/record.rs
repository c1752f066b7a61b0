//! The compared parts of a report of `charmhost sim --format json`.

use serde::Deserialize;
use serde_json::Value;

/// A whole run.
#[derive(Debug, Deserialize)]
pub struct Record {
    pub dispatches: Vec<Dispatch>,
    pub model: Value,
    #[serde(default)]
    pub unmet: Vec<Value>,
}

impl Record {
    /// Expectations that were not met.
    pub fn unmet_lines(&self) -> Vec<String> {
        self.unmet
            .iter()
            .map(|unmet| format!("    {unmet}"))
            .collect()
    }
}

/// One run of the charm.
#[derive(Debug, Deserialize)]
pub struct Dispatch {
    pub event: String,
    pub exit_code: Option<i32>,
    pub hook_tools: Vec<Call>,
    pub logs: Vec<Line>,
    pub deferred: Vec<String>,
}

/// A call of a hook tool.
#[derive(Debug, Deserialize)]
pub struct Call {
    pub tool: String,
    pub args: Vec<String>,
    pub stdin: Option<String>,
    pub exit_code: Option<i32>,
}

impl Call {
    /// The call as one would type it, with YAML and JSON input in one form. Values of
    /// secrets are left out: ops passes each in a file, the host in base64. They are
    /// compared in the model.
    pub fn line(&self) -> String {
        let args = self.args.iter().map(|arg| without_value(arg));
        let words = std::iter::once(self.tool.as_str()).chain(args);
        let mut line = words.collect::<Vec<_>>().join(" ");
        if let Some(stdin) = &self.stdin {
            let value: Option<Value> = serde_json::from_str(stdin).ok();
            let value = value.or_else(|| charmhost_yaml::parse(stdin).ok());
            let text = value.map_or_else(|| stdin.clone(), |value| value.to_string());
            line = format!("{line} < {text}");
        }
        match self.exit_code {
            Some(0) => line,
            Some(code) => format!("{line} → {code}"),
            None => format!("{line} → refused"),
        }
    }
}

/// The key of `KEY#file=PATH` or `KEY#base64=VALUE`; any other argument as it is.
fn without_value(arg: &str) -> &str {
    let forms = ["#file=", "#base64="];
    let key = forms.iter().find_map(|form| Some(arg.split_once(form)?.0));
    key.unwrap_or(arg)
}

/// A security event without its time, in one form; none for another line.
fn security_event(text: &str) -> Option<String> {
    let mut event: serde_json::Map<String, Value> = serde_json::from_str(text).ok()?;
    (event.get("type")? == "security").then(|| event.remove("datetime"))?;
    Some(Value::Object(event).to_string())
}

/// A line of the log.
#[derive(Debug, Deserialize)]
pub struct Line {
    pub level: String,
    pub message: String,
}

impl Line {
    /// The level and the text that the charm wrote: in relation hooks the agent
    /// puts the relation before it, as `db:7: `.
    pub fn line(&self) -> String {
        let prefix = self.message.split_once(": ").filter(|(relation, _)| {
            let number = relation.split_once(':').map(|(_, number)| number);
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        });
        let text = prefix.map_or(self.message.as_str(), |(_, text)| text);
        let text = security_event(text).unwrap_or_else(|| text.to_owned());
        format!("{} {text}", self.level)
    }
}
