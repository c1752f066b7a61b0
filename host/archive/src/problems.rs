//! Collects what is wrong with a project, so that all of it is said at once.

use serde_json::{Map, Value};

/// Sentences, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    /// The map at `place`, or nothing and a problem.
    pub fn map<'a>(&mut self, place: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        self.typed(place, value, "a map", value.as_object())
    }

    /// The list at `place`, or nothing and a problem.
    pub fn list<'a>(&mut self, place: &str, value: &'a Value) -> Option<&'a Vec<Value>> {
        self.typed(place, value, "a list", value.as_array())
    }

    /// The string at `place`, or nothing and a problem.
    pub fn string<'a>(&mut self, place: &str, value: &'a Value) -> Option<&'a str> {
        self.typed(place, value, "a string", value.as_str())
    }

    /// The boolean at `place`, or nothing and a problem.
    pub fn boolean(&mut self, place: &str, value: &Value) -> Option<bool> {
        self.typed(place, value, "true or false", value.as_bool())
    }

    /// The whole number at `place`, or nothing and a problem.
    pub fn integer(&mut self, place: &str, value: &Value) -> Option<i64> {
        self.typed(place, value, "a whole number", value.as_i64())
    }

    fn typed<T>(
        &mut self,
        place: &str,
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
                "cannot use `{place}`: it must be {wanted}, and is {}{advice}",
                kind(value)
            ));
        }
        typed
    }
}

/// A value as an error message names it.
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
