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
    /// The call as one would type it, with YAML and JSON input in one form.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.tool).chain(&self.args);
        let mut line = words.cloned().collect::<Vec<_>>().join(" ");
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
        format!("{} {text}", self.level)
    }
}
