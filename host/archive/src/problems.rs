//! Collects all problems of a project, so that they are reported at once.

use serde_json::{Map, Value};

/// Sentences, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Returns all problems.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    /// The map at `field`; adds a problem and returns none if it is something else.
    pub fn map<'a>(&mut self, field: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        self.typed(field, value, "a map", value.as_object())
    }

    /// The list at `field`; adds a problem and returns none if it is something else.
    pub fn list<'a>(&mut self, field: &str, value: &'a Value) -> Option<&'a Vec<Value>> {
        self.typed(field, value, "a list", value.as_array())
    }

    /// The string at `field`; adds a problem and returns none if it is something else.
    pub fn string<'a>(&mut self, field: &str, value: &'a Value) -> Option<&'a str> {
        self.typed(field, value, "a string", value.as_str())
    }

    /// The boolean at `field`; adds a problem and returns none if it is something else.
    pub fn boolean(&mut self, field: &str, value: &Value) -> Option<bool> {
        self.typed(field, value, "true or false", value.as_bool())
    }

    /// The integer at `field`; adds a problem and returns none if it is something else.
    pub fn integer(&mut self, field: &str, value: &Value) -> Option<i64> {
        self.typed(field, value, "a whole number", value.as_i64())
    }

    fn typed<T>(
        &mut self,
        field: &str,
        value: &Value,
        wanted: &str,
        typed: Option<T>,
    ) -> Option<T> {
        if typed.is_none() {
            let advice = match value {
                Value::Null => "; write one, or leave the key out",
                Value::Bool(_) | Value::Number(_) if wanted == "a string" => "; write it in quotes",
                _ => "",
            };
            self.add(format!(
                "cannot use `{field}`: it must be {wanted}, and is {}{advice}",
                kind(value)
            ));
        }
        typed
    }
}

/// Describes a value for an error message.
pub fn kind(value: &Value) -> String {
    match value {
        Value::Null => "empty".into(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the string {value:?}"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}
