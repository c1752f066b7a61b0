//! Juju in memory, as one unit sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use charmhost_hook_tools::{MemoryTransport, ToolError, ToolOutput, Transport};
use serde_json::{Value, json};

/// The model of a unit. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Model(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    pub config: Value,
    /// The names of all statuses that the unit has had.
    pub statuses: BTreeSet<String>,
    /// The unit's own data of its only relation.
    pub data: BTreeMap<String, String>,
    /// Lines of level INFO that begin with a number: the charm queue logs one for
    /// each call of a handler.
    pub calls: usize,
    pub last_call: String,
    /// Lines of level WARNING or ERROR.
    pub problems: Vec<String>,
}

impl Model {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hook tools of a session on this model.
    pub fn hook_tools(&self) -> Box<dyn Transport> {
        let model = self.clone();
        Box::new(MemoryTransport(
            move |tool: &str, args: &[String], input: Option<&[u8]>| {
                model.lock().answer(tool, args, input.unwrap_or_default())
            },
        ))
    }
}

impl State {
    fn answer(
        &mut self,
        tool: &str,
        args: &[String],
        input: &[u8],
    ) -> Result<ToolOutput, ToolError> {
        let output = match tool {
            "is-leader" => json!(true),
            "config-get" => self.config.clone(),
            "relation-ids" => match args.first().map(String::as_str) {
                Some("ring") => json!(["ring:1"]),
                _ => json!([]),
            },
            "relation-list" => json!(["web/1"]),
            "relation-get" => match args.last().map(String::as_str) {
                Some("web/0") => json!(self.data),
                _ => json!({}),
            },
            "relation-set" => {
                let text = String::from_utf8_lossy(input).into_owned();
                self.data.insert("written".to_owned(), text);
                Value::Null
            }
            "status-set" => {
                self.statuses.extend(args.get(1).cloned());
                Value::Null
            }
            "juju-log" => {
                self.log(args);
                Value::Null
            }
            _ => Value::Null,
        };
        let stdout = match output {
            Value::Null => Vec::new(),
            output => output.to_string().into_bytes(),
        };
        Ok(ToolOutput {
            stdout,
            ..ToolOutput::default()
        })
    }

    fn log(&mut self, args: &[String]) {
        let [_, level, _, line] = args else {
            self.problems
                .push(format!("unexpected arguments: {args:?}"));
            return;
        };
        match level.as_str() {
            "INFO" if line.starts_with(|c: char| c.is_ascii_digit()) => {
                self.calls += 1;
                line.clone_into(&mut self.last_call);
            }
            "WARNING" | "ERROR" => self.problems.push(line.clone()),
            _ => {}
        }
    }
}
